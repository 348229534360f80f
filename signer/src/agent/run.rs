//! Puts the agent together, and takes it apart in order.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign_identity::{Bundles, SpiffeIdError, TrustDomain};
use countersign_runtime::client::{self, ClientError};
use countersign_runtime::clock;
use countersign_runtime::http::{self, HttpError, Readiness};
use countersign_runtime::process::{self, ProcessError};
use envoy_types::pb::envoy::service::secret::v3::secret_discovery_service_server::SecretDiscoveryServiceServer;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tracing::{info, warn};

use super::attest::{Attestor, ProcFs};
use super::bundles;
use super::desk::Desk;
use super::flags::Flags;
use super::link::{Link, LinkError, Place};
use super::metrics::AgentMetrics;
use super::pods::Pods;
use super::proto::spiffe_workload_api_server::SpiffeWorkloadApiServer;
use super::sds::Sds;
use super::socket::{self, SocketError};
use super::svids::Svids;
use super::tokens::Tokens;
use super::workload_api::WorkloadApi;

/// How the agent calls itself to the API server.
const USER_AGENT: &str = concat!("countersign-agent/", env!("CARGO_PKG_VERSION"));
/// The longest message that is read, in bytes. What Envoy says of itself is long.
const LONGEST_MESSAGE: usize = 1 << 20;
/// How many calls at a time a connection may have.
const STREAMS: u32 = 256;
/// How often it is tried whether a silent connection is still one, and how long that may take.
const PROBE: Duration = Duration::from_secs(30);
const PROBE_LIMIT: Duration = Duration::from_secs(10);
/// How long calls that are under way get at the end.
const DRAIN: Duration = Duration::from_secs(5);

/// Why the agent ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The trust domain is none.
    #[error("--trust-domain: {0}")]
    TrustDomain(#[from] SpiffeIdError),
    /// The node has no name.
    #[error("--node is empty: set NODE_NAME from spec.nodeName")]
    Node,
    /// The signer cannot be reached in any way.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// No socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The socket is not served any more.
    #[error("the socket cannot be served: {0}")]
    Serve(#[from] tonic::transport::Error),
    /// No client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// No HTTP server for health and metrics.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// No signal handlers.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A part that must not end ended.
    #[error("{0} ended unexpectedly")]
    Ended(&'static str),
}

/// What an agent is made of.
pub struct Agent {
    /// The socket for workloads.
    pub socket: PathBuf,
    /// Where the signer is.
    pub signer: Place,
    /// The trust domain.
    pub trust_domain: TrustDomain,
    /// The Pods of the node. Somebody else keeps them current.
    pub pods: Pods,
    /// Says who calls.
    pub attestor: Arc<dyn Attestor>,
    /// What is counted.
    pub metrics: AgentMetrics,
    /// What is missing before workloads can be served.
    pub ready: watch::Sender<Readiness>,
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
///
/// If a flag has no use, or a part cannot begin or ends.
pub async fn run(flags: Flags) -> Result<(), RunError> {
    let trust_domain: TrustDomain = flags.trust_domain.parse()?;
    if flags.node.is_empty() {
        return Err(RunError::Node);
    }
    let stop = process::stop_on_signal()?;
    let client = client::connect(USER_AGENT).await?;
    let mut registry = Registry::default();
    let metrics = AgentMetrics::default();
    metrics.register(&mut registry);
    let pods = Pods::default();
    let (ready, is_ready) = watch::channel(Readiness::Missing("the Pods of the node"));
    let agent = Agent {
        socket: flags.socket,
        signer: Place::new(&flags.signer, flags.signer_ca, flags.token)?,
        trust_domain,
        pods: pods.clone(),
        attestor: Arc::new(ProcFs::default()),
        metrics,
        ready,
    };
    let mut endpoint = tokio::spawn(http::serve(
        flags.metrics_listen,
        Arc::new(registry),
        is_ready,
        stop.clone(),
    ));
    let node = flags.node;
    let watching = stop.clone();
    let mut watch = tokio::spawn(async move { pods.run(client, &node, watching).await });
    let result = tokio::select! {
        served = agent.run(stop.clone()) => served,
        served = &mut endpoint => Err(match served {
            Ok(Err(error)) => error.into(),
            _ => RunError::Ended("the HTTP server"),
        }),
        _ = &mut watch => Err(RunError::Ended("the watch of Pods")),
    };
    // A part that ends because all is to end is no failure.
    if stop.is_cancelled() {
        Ok(())
    } else {
        stop.cancel();
        result
    }
}

impl Agent {
    /// Serves until `stop`.
    ///
    /// # Errors
    ///
    /// If there can be no socket, or it is not served any more.
    pub async fn run(self, stop: CancellationToken) -> Result<(), RunError> {
        let link = Link::new(self.signer)?;
        let listener = socket::bind(&self.socket)?;
        info!(socket = %self.socket.display(), trust_domain = %self.trust_domain, "serves the Workload API and SDS");
        let (to, bundles) = watch::channel::<Option<Arc<Bundles>>>(None);
        let svids = Svids::new(link.clone(), Arc::new(clock::precise), self.metrics.clone());
        let mut working = JoinSet::new();
        working.spawn(bundles::follow(link, self.trust_domain, to, stop.clone()));
        let tokens = Arc::new(Tokens::new(Arc::new(clock::precise), self.metrics.clone()));
        working.spawn(forget(self.pods.clone(), svids.clone(), Arc::clone(&tokens)));
        working.spawn(tell(self.pods.clone(), bundles.clone(), self.ready));
        let kept = svids.clone();
        let desk = Arc::new(Desk {
            svids,
            tokens,
            pods: self.pods,
            bundles,
            clock: Arc::new(clock::precise),
            metrics: self.metrics,
            stop: stop.clone(),
        });
        let api = SpiffeWorkloadApiServer::new(WorkloadApi(Arc::clone(&desk)));
        let sds = SecretDiscoveryServiceServer::new(Sds(desk));
        let server = Server::builder()
            .max_concurrent_streams(STREAMS)
            .http2_keepalive_interval(Some(PROBE))
            .http2_keepalive_timeout(Some(PROBE_LIMIT))
            .add_service(api.max_decoding_message_size(LONGEST_MESSAGE))
            .add_service(sds.max_decoding_message_size(LONGEST_MESSAGE));
        let connections = socket::connections(listener, self.attestor);
        let mut serving = Box::pin(server.serve_with_incoming_shutdown(connections, stop.clone().cancelled_owned()));
        let early = tokio::select! {
            ended = &mut serving => Some(ended),
            () = stop.cancelled() => None,
        };
        let result = if let Some(ended) = early {
            ended.map_err(RunError::from)
        } else {
            if timeout(DRAIN, serving).await.is_err() {
                warn!("some calls did not end in time");
            }
            Ok(())
        };
        kept.retain(&HashSet::new());
        result
    }
}

/// Forgets the keys and tokens of Pods that are gone.
async fn forget(pods: Pods, svids: Svids<Link>, tokens: Arc<Tokens>) {
    let mut changes = pods.changes();
    while let Some(running) = pods.changed(&mut changes).await {
        svids.retain(&running);
        tokens.retain(&running);
    }
}

/// Tells what is missing.
async fn tell(pods: Pods, mut bundles: watch::Receiver<Option<Arc<Bundles>>>, ready: watch::Sender<Readiness>) {
    let mut changes = pods.changes();
    while !pods.listed() {
        if pods.changed(&mut changes).await.is_none() {
            return;
        }
    }
    ready.send_replace(Readiness::Missing("the bundles from the signer"));
    if bundles.wait_for(Option::is_some).await.is_ok() {
        ready.send_replace(Readiness::Ready);
    }
    // It is told as long as somebody asks.
    ready.closed().await;
}
