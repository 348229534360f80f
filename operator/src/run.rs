//! Puts the parts together, and takes them apart in order.

use std::sync::Arc;
use std::time::Duration;

use countersign_identity::{SpiffeIdError, TrustDomain};
use countersign_policy::world::MeshSettings;
use countersign_runtime::client::{self, ClientError};
use countersign_runtime::http::{self, HttpError};
use countersign_runtime::lease::{Elector, Place};
use countersign_runtime::process::{self, ProcessError};
use kube::Client;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::api::Writer;
use crate::engine::{Engine, NOT_READ};
use crate::events::Recorder;
use crate::jwks::Fetcher;
use crate::kinds::Source;
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::watch::{Signal, follow};
use crate::work::Tools;

/// How many signals may wait for the loop.
const SIGNALS: usize = 1024;
/// Streaming lists are on by default from this minor version of Kubernetes 1.
const STREAMING_SINCE: u32 = 34;
/// How long to wait before asking again an API server that did not answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why the operator ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The trust domain is none.
    #[error("--trust-domain: {0}")]
    TrustDomain(#[from] SpiffeIdError),
    /// No client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// No HTTP server.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// No signal handlers.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A part that must not end ended.
    #[error("{0} ended unexpectedly")]
    Ended(&'static str),
}

/// The Lease of the operator's replicas.
fn lease(namespace: &str) -> Place {
    Place {
        namespace: namespace.to_owned(),
        name: "countersign-operator",
        field_manager: "countersign.dev/operator-lease",
    }
}

/// Runs until SIGTERM or SIGINT.
pub async fn run(settings: Settings) -> Result<(), RunError> {
    let trust_domain = settings.trust_domain.parse::<TrustDomain>()?;
    let stop = process::stop_on_signal()?;
    let metrics = Arc::new(Metrics::default());
    let client = client::connect(crate::USER_AGENT).await?;
    let (ready, is_ready) = watch::channel(NOT_READ);
    let endpoint = tokio::spawn(http::serve(settings.listen, metrics.registry(), is_ready, stop.clone()));

    let (elector, leadership) = Elector::new(client.clone(), lease(&settings.namespace), settings.identity.clone());
    let tools = Tools {
        writer: Writer::new(client.clone(), leadership.clone(), Arc::clone(&metrics)),
        recorder: Recorder::new(
            client.clone(),
            leadership.clone(),
            &settings.identity,
            Arc::clone(&metrics),
        ),
        fetcher: Arc::new(Fetcher::default()),
        metrics: Arc::clone(&metrics),
    };
    let (to, signals) = mpsc::channel(SIGNALS);
    let mut watches = start_watches(&client, &metrics, to, &stop).await;
    let resign = CancellationToken::new();
    let election = tokio::spawn(elector.run(resign.clone()));
    let mesh = MeshSettings {
        trust_domain,
        root_namespace: settings.root_namespace.clone(),
    };
    let engine = Engine::new(mesh, tools, ready);

    let result = tokio::select! {
        () = engine.run(signals, leadership, stop.clone()) => Ok(()),
        served = endpoint => Err(served.map_or(RunError::Ended("the HTTP server"), |served| match served {
            Ok(()) => RunError::Ended("the HTTP server"),
            Err(error) => error.into(),
        })),
        Some(_) = watches.join_next() => Err(RunError::Ended("a watch")),
    };
    // Only after the last write is the Lease given back.
    resign.cancel();
    election.await.map_err(|_| RunError::Ended("leader election"))?;
    if stop.is_cancelled() { Ok(()) } else { result }
}

async fn start_watches(
    client: &Client,
    metrics: &Arc<Metrics>,
    to: mpsc::Sender<Signal>,
    stop: &CancellationToken,
) -> JoinSet<()> {
    let streaming = tokio::select! {
        streaming = streams_lists(client) => streaming,
        () = stop.cancelled() => false,
    };
    let mut watches = JoinSet::new();
    for source in Source::all() {
        watches.spawn(follow(
            client.clone(),
            source,
            streaming,
            Arc::clone(metrics),
            to.clone(),
        ));
    }
    watches
}

/// Whether the API server can send a list as a stream, which takes neither side much memory. Waits for the server.
async fn streams_lists(client: &Client) -> bool {
    loop {
        match client.apiserver_version().await {
            Ok(version) => {
                info!(version = version.git_version, "found the API server");
                let minor: String = version.minor.chars().take_while(char::is_ascii_digit).collect();
                return minor.parse::<u32>().is_ok_and(|minor| minor >= STREAMING_SINCE);
            }
            Err(error) => warn!(%error, "the API server cannot be reached yet"),
        }
        sleep(PATIENCE).await;
    }
}
