//! Puts the parts together, and takes them apart in order.

mod bundle;
mod directory;
mod housekeeping;
mod keys;
mod objects;
mod revocations;
mod secrets;
mod serving;
mod status;

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use countersign_identity::{SpiffeIdError, TrustDomain};
use countersign_runtime::client::{self, ClientError};
use countersign_runtime::clock;
use countersign_runtime::http::{self, Readiness};
use countersign_runtime::https::ServeError;
use countersign_runtime::lease::{self, Elector, Leadership};
use countersign_runtime::parts::{Ended, Working};
use countersign_runtime::process::{self, ProcessError};
use countersign_runtime::tls::files::FilesError;
use kube::Client;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::callers::Kube;
use crate::directory::Built;
use crate::flags::Flags;
use crate::limits::{Limits, Rates};
use crate::metrics::Metrics;
use crate::record::Recorder;
use crate::remote::{Guard, Networks, RemoteKeys};
use crate::service::Service;
use crate::store::{Options, Store, StoreError};
use crate::upstream::Upstreams;
use crate::used::Used;

/// How the token service calls itself to the API server.
pub const USER_AGENT: &str = concat!("countersign-tokens/", env!("CARGO_PKG_VERSION"));
/// The field manager of what it writes.
const FIELD_MANAGER: &str = "countersign.dev/tokens";

/// Why the token service ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The trust domain is none.
    #[error("--trust-domain: {0}")]
    TrustDomain(#[from] SpiffeIdError),
    /// The store cannot be used.
    #[error("--store-url: {0}")]
    Store(#[from] StoreError),
    /// There is no certificate to serve with.
    #[error("--tls-certificate: {0}")]
    Certificate(#[from] FilesError),
    /// No client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// No HTTPS server.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// No signal handlers.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A part ended before its time.
    #[error(transparent)]
    Ended(#[from] Ended),
}

/// What the parts share.
struct Parts {
    flags: Flags,
    client: Client,
    trust_domain: TrustDomain,
    service: Arc<Service>,
    /// What became of the users' objects, each time that they change.
    built: watch::Sender<Arc<Built>>,
    ready: watch::Sender<Readiness>,
    leadership: Leadership,
    stop: CancellationToken,
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
///
/// If it cannot begin, or a part of it ends.
pub async fn run(flags: Flags) -> Result<(), RunError> {
    let trust_domain: TrustDomain = flags.trust_domain.parse()?;
    let stop = process::stop_on_signal()?;
    let client = client::connect(USER_AGENT).await?;
    let options = Options {
        connections: flags.store_connections,
        ca: flags.store_ca.clone(),
        ..Options::default()
    };
    let store = Store::open(flags.store_url.reveal(), &options).await?;
    let (elector, leadership) = Elector::new(client.clone(), lease(&flags), flags.identity.clone());
    let mut registry = Registry::default();
    let parts = parts(
        flags,
        client,
        trust_domain,
        store,
        leadership,
        stop.clone(),
        &mut registry,
    );
    let mut working = Working::default();
    serving::start(&parts, &mut working).await?;
    let followed = directory::start(&parts, &mut working);
    keys::start(&parts, followed.issuers.clone(), &mut working);
    status::start(&parts, followed, &mut working);
    revocations::start(&parts, &mut working);
    secrets::start(&parts, &mut working);
    housekeeping::start(&parts, &mut working);
    let listen = parts.flags.metrics_listen;
    let endpoint = tokio::spawn(http::serve(
        listen,
        Arc::new(registry),
        parts.ready.subscribe(),
        stop.clone(),
    ));
    Ok(working.work(endpoint, elector, stop).await?)
}

fn parts(
    flags: Flags,
    client: Client,
    trust_domain: TrustDomain,
    store: Store,
    leadership: Leadership,
    stop: CancellationToken,
    registry: &mut Registry,
) -> Parts {
    let guard = Guard::new(Networks::new(flags.allowed_networks.clone()));
    let service = Service {
        directory: Arc::default(),
        rings: Arc::default(),
        store,
        workloads: Arc::new(Kube::new(client.clone())),
        remote: RemoteKeys::new(guard.clone()),
        upstreams: Upstreams::new(guard, Arc::default()),
        limits: Limits::new(Rates {
            address: flags.requests_per_address,
            client: flags.requests_per_client,
        }),
        recorder: Recorder::register(registry),
        metrics: Metrics::register(registry),
        used: Used::default(),
        clock: Arc::new(now),
        random: Arc::new(SystemRandom::new()),
    };
    Parts {
        flags,
        client,
        trust_domain,
        service: Arc::new(service),
        built: watch::Sender::new(Arc::default()),
        ready: watch::Sender::new(Readiness::Missing("the users' objects were not read yet")),
        leadership,
        stop,
    }
}

/// Whole seconds since 1970.
fn now() -> i64 {
    clock::now().as_second()
}

/// The Lease of the replica that writes.
fn lease(flags: &Flags) -> lease::Place {
    lease::Place {
        namespace: flags.namespace.clone(),
        name: "countersign-tokens",
        field_manager: "countersign.dev/tokens-lease",
    }
}
