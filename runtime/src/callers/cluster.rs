//! What is asked of the API server: a trait, so that everything else is shown without one.

use k8s_openapi::api::authentication::v1::TokenReviewStatus;
use k8s_openapi::api::core::v1::Pod;

use super::account::Account;
use super::token::Token;

/// What is looked at of a Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodView {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The service account that it runs as, in its own namespace.
    pub account: Account,
    /// The node that it runs on; empty before there is one.
    pub node: String,
    /// Neither has it ended nor is it being deleted.
    pub live: bool,
}

impl From<&Pod> for PodView {
    fn from(pod: &Pod) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        let ended = matches!(phase, Some("Succeeded" | "Failed"));
        let spec = pod.spec.as_ref();
        Self {
            name: text(&pod.metadata.name),
            uid: text(&pod.metadata.uid),
            account: Account {
                namespace: text(&pod.metadata.namespace),
                name: spec.map(|spec| text(&spec.service_account_name)).unwrap_or_default(),
            },
            node: spec.map(|spec| text(&spec.node_name)).unwrap_or_default(),
            live: !ended && pod.metadata.deletion_timestamp.is_none(),
        }
    }
}

/// The API server gave no answer that says anything about the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub String);

/// The API server. Each answer is of now.
pub trait Cluster: Send + Sync + 'static {
    /// Has a token checked (`TokenReview`).
    fn review(
        &self,
        token: &Token,
        audience: &str,
    ) -> impl Future<Output = Result<TokenReviewStatus, Unreachable>> + Send;

    /// Reads a Pod.
    fn pod(&self, namespace: &str, name: &str) -> impl Future<Output = Result<Option<PodView>, Unreachable>> + Send;

    /// Reads the Pods of a namespace on a node.
    fn pods_on(&self, namespace: &str, node: &str) -> impl Future<Output = Result<Vec<PodView>, Unreachable>> + Send;
}
