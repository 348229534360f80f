//! The service: what waits is here, what decides is in the modules beside it.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use countersign_identity::Bundles;
use countersign_runtime::clock;
use countersign_runtime::https::Peer;
use futures::stream::BoxStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tracing::warn;

use super::proto::issue_x509_svid_response::Outcome;
use super::proto::node_agent_server::{NodeAgent, NodeAgentServer};
use super::proto::{
    self, IssueJwtSvidRequest, IssueJwtSvidResponse, IssueX509SvidRequest, IssueX509SvidResponse, WatchBundlesRequest,
    Workload,
};
use super::{Refusal, Tokens, bundles, check, messages};
use crate::bounds::{LONGEST_MESSAGE, bounded};
use crate::grant::Grant;
use crate::identities::Identities;
use crate::issue::{Issuer, Path};
use crate::key::PublicKey;
use countersign_runtime::callers::{Account, Caller, Callers, Cluster};

/// The audience of the agents' tokens.
pub const AUDIENCE: &str = "countersign-signer";
/// What the service is made of.
pub struct Parts<C> {
    /// The service account that the agents run as.
    pub agent: Account,
    /// The API server.
    pub cluster: C,
    /// Signs certificates.
    pub issuer: Issuer,
    /// Signs tokens.
    pub tokens: Arc<dyn Tokens>,
    /// The `ServiceIdentities`.
    pub identities: Identities,
    /// All bundles. The own one has no root before it was read.
    pub bundles: watch::Receiver<Arc<Bundles>>,
    /// Cancelled when all is to end: streams would keep the server from it.
    pub stop: CancellationToken,
}

/// What the agents ask. Clones are of one service.
pub struct Service<C>(Arc<Inner<C>>);

struct Inner<C> {
    agent: Account,
    callers: Callers<C>,
    issuer: Issuer,
    tokens: Arc<dyn Tokens>,
    identities: Identities,
    bundles: watch::Receiver<Arc<Bundles>>,
    stop: CancellationToken,
}

impl<C> Clone for Service<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Serves it, within limits of size, number and time. It is made to be merged with another router on one server: it says
/// nothing to paths that are not its own.
pub fn router<C: Cluster>(service: Service<C>) -> Router {
    let server = NodeAgentServer::new(service).max_decoding_message_size(LONGEST_MESSAGE);
    bounded(Routes::new(server).prepare().into_axum_router().reset_fallback())
}

/// Who asks for whom, as far as that is known: for the log and the records.
#[derive(Clone, Debug, Default)]
struct Asking {
    caller: Option<Caller>,
    workload: Option<Workload>,
    /// The issuer has counted what became of it.
    counted: bool,
}

impl fmt::Display for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.workload {
            Some(Workload { namespace, name, uid }) => write!(f, "Pod {namespace}/{name} {uid}")?,
            None => write!(f, "no Pod")?,
        }
        match &self.caller {
            Some(caller) => write!(
                f,
                " by the agent {}/{} {}",
                caller.account.namespace, caller.pod, caller.pod_uid
            ),
            None => write!(f, " by somebody unknown"),
        }
    }
}

#[tonic::async_trait]
impl<C: Cluster> NodeAgent for Service<C> {
    async fn issue_x509_svid(
        &self,
        request: Request<IssueX509SvidRequest>,
    ) -> Result<Response<IssueX509SvidResponse>, Status> {
        let mut asking = Asking::default();
        let outcome = self.x509_svid(&request, &mut asking).await;
        self.answer(&request, &asking, outcome)
    }

    async fn issue_jwt_svid(
        &self,
        request: Request<IssueJwtSvidRequest>,
    ) -> Result<Response<IssueJwtSvidResponse>, Status> {
        let mut asking = Asking::default();
        let outcome = self.jwt_svid(&request, &mut asking).await;
        self.answer(&request, &asking, outcome)
    }

    type WatchBundlesStream = BoxStream<'static, Result<proto::Bundles, Status>>;

    async fn watch_bundles(
        &self,
        request: Request<WatchBundlesRequest>,
    ) -> Result<Response<Self::WatchBundlesStream>, Status> {
        let mut asking = Asking::default();
        let outcome = self.authenticate(&request, &mut asking).await;
        let inner = &self.0;
        let stream = outcome.map(|_| bundles::stream(inner.bundles.clone(), inner.stop.clone()));
        self.answer(&request, &asking, stream)
    }
}

impl<C: Cluster> Service<C> {
    /// Makes the service.
    pub fn new(parts: Parts<C>) -> Self {
        Self(Arc::new(Inner {
            agent: parts.agent,
            callers: Callers::new(parts.cluster, AUDIENCE),
            issuer: parts.issuer,
            tokens: parts.tokens,
            identities: parts.identities,
            bundles: parts.bundles,
            stop: parts.stop,
        }))
    }

    /// Counts and logs what is refused.
    fn answer<Q, A>(
        &self,
        request: &Request<Q>,
        asking: &Asking,
        outcome: Result<A, Refusal>,
    ) -> Result<Response<A>, Status> {
        outcome.map(Response::new).map_err(|refusal| {
            if asking.counted {
                // Once is enough.
            } else if refusal.is_failure() {
                self.0.issuer.failed(Path::WorkloadApi);
            } else {
                self.0.issuer.refused(Path::WorkloadApi);
            }
            let peer = request.extensions().get::<Peer>().map(|peer| peer.0.to_string());
            warn!(
                name: "countersign.certificate.refused",
                target: "countersign_signer::refused",
                path = Path::WorkloadApi.name(),
                request = %asking,
                peer,
                code = ?refusal.code(),
                reason = %refusal,
                "gave an agent nothing"
            );
            refusal.into()
        })
    }

    /// Whether an agent asks. Gives its node.
    async fn authenticate<Q>(&self, request: &Request<Q>, asking: &mut Asking) -> Result<String, Refusal> {
        let caller = self.0.callers.authenticate(request.metadata().as_ref()).await?;
        asking.caller = Some(caller.clone());
        let pod = self.0.callers.pod_of(&caller).await?;
        Ok(check::agent(&self.0.agent, &pod)?.to_owned())
    }

    /// What a workload is granted, if it is one of the agent's.
    async fn grant<Q>(
        &self,
        request: &Request<Q>,
        workload: Option<&Workload>,
        asking: &mut Asking,
    ) -> Result<Grant, Refusal> {
        let node = self.authenticate(request, asking).await?;
        let named = check::named(workload)?;
        asking.workload = Some(named.clone());
        let pod = self.0.callers.pod(&named.namespace, &named.name).await?;
        let account = check::workload(named, &node, pod.as_ref())?;
        let identities = &self.0.identities;
        Ok(identities.grant(&account.namespace, &account.name, Path::WorkloadApi, None)?)
    }

    async fn x509_svid(
        &self,
        request: &Request<IssueX509SvidRequest>,
        asking: &mut Asking,
    ) -> Result<IssueX509SvidResponse, Refusal> {
        let message = request.get_ref();
        let grant = self.grant(request, message.workload.as_ref(), asking).await?;
        let key = PublicKey::from_request(&message.request)?;
        if let Some(wanted) = grant.key_type.filter(|wanted| *wanted != key.key_type()) {
            // No refusal: the agent cannot know before it asks.
            let outcome = Some(Outcome::KeyType(wanted.name().to_owned()));
            return Ok(IssueX509SvidResponse { outcome });
        }
        asking.counted = true;
        let issuer = &self.0.issuer;
        let certificate = issuer
            .issue(Path::WorkloadApi, &asking.to_string(), &grant, &key, clock::precise())
            .map_err(|error| {
                warn!(%error, "no certificate can be made");
                Refusal::from(&error)
            })?;
        let outcome = Some(Outcome::Svid(messages::x509_svid(&grant, &certificate)));
        Ok(IssueX509SvidResponse { outcome })
    }

    async fn jwt_svid(
        &self,
        request: &Request<IssueJwtSvidRequest>,
        asking: &mut Asking,
    ) -> Result<IssueJwtSvidResponse, Refusal> {
        let message = request.get_ref();
        let grant = self.grant(request, message.workload.as_ref(), asking).await?;
        let now = clock::precise();
        // What signs tokens counts them by themselves.
        asking.counted = true;
        let token = self.0.tokens.issue(&grant.spiffe_id, &message.audiences, now)?;
        Ok(IssueJwtSvidResponse {
            spiffe_id: grant.spiffe_id.to_string(),
            token: token.text,
            issued_at: now.as_second(),
            expires_at: token.expires.as_second(),
        })
    }
}
