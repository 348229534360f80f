//! Envoy's secret discovery service (SDS v3), state of the world.

use std::sync::Arc;

use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::Secret;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use envoy_types::pb::envoy::service::secret::v3::secret_discovery_service_server::SecretDiscoveryService;
use envoy_types::pb::google::protobuf::Any;
use futures::stream::BoxStream;
use prost::Name as _;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use tracing::warn;

use super::desk::{Desk, uid};
use super::pods::LocalPod;
use super::refusal::Refusal;
use super::request;
use super::secrets;
use super::signer::Signer;
use super::updates::Updates;

/// The service. Clones are of one.
pub struct Sds<S>(pub Arc<Desk<S>>);

type Streamed<T> = BoxStream<'static, Result<T, Status>>;

#[tonic::async_trait]
impl<S: Signer> SecretDiscoveryService for Sds<S> {
    type DeltaSecretsStream = Streamed<DeltaDiscoveryResponse>;

    async fn delta_secrets(
        &self,
        _request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaSecretsStream>, Status> {
        Err(Status::unimplemented(
            "set api_type: GRPC, not DELTA_GRPC, in the config source of the secrets",
        ))
    }

    type StreamSecretsStream = Streamed<DiscoveryResponse>;

    async fn stream_secrets(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamSecretsStream>, Status> {
        let pod = self.0.pod(request.extensions()).await;
        let pod = pod.map_err(|refusal| self.0.refuse("StreamSecrets", uid(request.extensions()), refusal))?;
        let (to, answers) = mpsc::channel(1);
        let conversation = Conversation {
            desk: Arc::clone(&self.0),
            pod,
            to: to.clone(),
            subscription: None,
            count: 0,
        };
        let requests = request.into_inner();
        tokio::spawn(async move {
            tokio::select! {
                // Whoever asked is gone.
                () = to.closed() => {}
                () = conversation.hold(requests) => {}
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }

    async fn fetch_secrets(&self, request: Request<DiscoveryRequest>) -> Result<Response<DiscoveryResponse>, Status> {
        let outcome = async {
            let pod = self.0.pod(request.extensions()).await?;
            let names = request::names(request.get_ref())?;
            let mut updates = updates(&self.0, &pod, &names);
            secrets::secrets(&names, &updates.first().await?)
        };
        match outcome.await {
            Ok(resources) => Ok(Response::new(response(resources, 1))),
            Err(refusal) => Err(self.0.refuse("FetchSecrets", uid(request.extensions()), refusal)),
        }
    }
}

fn updates<S: Signer>(desk: &Arc<Desk<S>>, pod: &Arc<LocalPod>, names: &[String]) -> Updates<S> {
    Updates::new(desk, secrets::want_svid(names).then_some(pod))
}

fn response(resources: Vec<Any>, count: u64) -> DiscoveryResponse {
    DiscoveryResponse {
        version_info: count.to_string(),
        nonce: count.to_string(),
        resources,
        type_url: Secret::type_url(),
        ..DiscoveryResponse::default()
    }
}

/// One stream: Envoy says which secrets it wants, and is sent them whenever they change.
struct Conversation<S> {
    desk: Arc<Desk<S>>,
    pod: Arc<LocalPod>,
    to: mpsc::Sender<Result<DiscoveryResponse, Status>>,
    subscription: Option<Subscription<S>>,
    /// How many answers were sent: the version and the nonce of the last one.
    count: u64,
}

struct Subscription<S> {
    names: Vec<String>,
    updates: Updates<S>,
    sent: Vec<Any>,
}

impl<S: Signer> Conversation<S> {
    async fn hold(mut self, mut requests: Streaming<DiscoveryRequest>) {
        loop {
            let changed = async {
                match &mut self.subscription {
                    Some(subscription) => subscription.updates.next().await,
                    None => std::future::pending().await,
                }
            };
            let outcome = tokio::select! {
                request = requests.next() => match request {
                    Some(Ok(request)) => self.asked(&request).await,
                    Some(Err(_)) | None => return,
                },
                view = changed => match (view, &self.subscription) {
                    (Ok(view), Some(subscription)) => secrets::secrets(&subscription.names, &view).map(Some),
                    (Err(refusal), _) => Err(refusal),
                    (Ok(_), None) => Ok(None),
                },
            };
            let told = match outcome {
                Ok(Some(resources)) => self.send(resources).await,
                Ok(None) => true,
                Err(refusal) => {
                    let status = self.desk.refuse("StreamSecrets", Some(&self.pod.uid), refusal);
                    let _ = self.to.send(Err(status)).await;
                    false
                }
            };
            if !told {
                return;
            }
        }
    }

    /// Takes a request. It is an answer to what was sent, or names other secrets.
    async fn asked(&mut self, request: &DiscoveryRequest) -> Result<Option<Vec<Any>>, Refusal> {
        if let Some(detail) = &request.error_detail {
            let LocalPod { namespace, name, .. } = &*self.pod;
            warn!(
                namespace,
                pod = name,
                error = detail.message,
                "Envoy does not take the secrets that it was sent"
            );
        }
        let late = request::is_late(request, self.count);
        let names = request::names(request)?;
        let known = self.subscription.as_ref().is_some_and(|known| known.names == names);
        if late || known {
            return Ok(None);
        }
        let mut updates = updates(&self.desk, &self.pod, &names);
        let resources = secrets::secrets(&names, &updates.first().await?)?;
        self.subscription = Some(Subscription {
            names,
            updates,
            sent: Vec::new(),
        });
        Ok(Some(resources))
    }

    async fn send(&mut self, resources: Vec<Any>) -> bool {
        if let Some(subscription) = &mut self.subscription {
            if subscription.sent == resources {
                return true;
            }
            subscription.sent.clone_from(&resources);
        }
        self.count += 1;
        self.to.send(Ok(response(resources, self.count))).await.is_ok()
    }
}
