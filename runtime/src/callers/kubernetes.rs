//! The real API server.

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::time::timeout;

use crate::client::CALL_LIMIT;

use super::cluster::{Cluster, PodView, Unreachable};
use super::token::Token;

/// Asks by a client, which needs the rights to create `tokenreviews` and to get and list Pods.
#[derive(Clone)]
pub struct Kubernetes(Client);

impl Kubernetes {
    /// Asks by this client.
    pub fn new(client: Client) -> Self {
        Self(client)
    }
}

impl Cluster for Kubernetes {
    async fn review(&self, token: &Token, audience: &str) -> Result<TokenReviewStatus, Unreachable> {
        let review = TokenReview {
            metadata: ObjectMeta::default(),
            spec: TokenReviewSpec {
                audiences: Some(vec![audience.to_owned()]),
                token: token.reveal().to_owned(),
            },
            status: None,
        };
        let api = Api::<TokenReview>::all(self.0.clone());
        let parameters = PostParams::default();
        let answer = in_time(api.create(&parameters, &review)).await?;
        answer
            .status
            .ok_or_else(|| Unreachable("a TokenReview has no status".to_owned()))
    }

    async fn pod(&self, namespace: &str, name: &str) -> Result<Option<PodView>, Unreachable> {
        let api = Api::<Pod>::namespaced(self.0.clone(), namespace);
        Ok(in_time(api.get_opt(name)).await?.as_ref().map(PodView::from))
    }

    async fn pods_on(&self, namespace: &str, node: &str) -> Result<Vec<PodView>, Unreachable> {
        let api = Api::<Pod>::namespaced(self.0.clone(), namespace);
        let selected = ListParams::default().fields(&format!("spec.nodeName={node}"));
        let pods = in_time(api.list(&selected)).await?;
        Ok(pods.items.iter().map(PodView::from).collect())
    }
}

/// What went wrong is told without what was sent, which may be a token.
async fn in_time<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, Unreachable> {
    match timeout(CALL_LIMIT, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) => Err(Unreachable(format!(
            "the API server answers {} {}",
            status.code, status.reason
        ))),
        Ok(Err(kube::Error::SerdeError(_) | kube::Error::FromUtf8(_))) => {
            Err(Unreachable("the API server's answer cannot be read".to_owned()))
        }
        Ok(Err(error)) => Err(Unreachable(format!("the API server cannot be reached: {error}"))),
        Err(_) => Err(Unreachable(format!("the API server did not answer in {CALL_LIMIT:?}"))),
    }
}
