//! Puts the parts together, and takes them apart in order.

use std::sync::Arc;

use countersign_identity::{Bundle, SpiffeIdError, TrustDomain};
use countersign_runtime::client::{self, ClientError};
use countersign_runtime::http::{self, HttpError};
use countersign_runtime::lease::{self, Elector, Leadership};
use countersign_runtime::process::{self, ProcessError};
use kube::Client;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::authority::AuthorityMetrics;
use crate::authority::follow::{self, Object};
use crate::authority::keep::{Keeper, UNREAD};
use crate::authority::lead::{Inputs, Leader, Place};
use crate::authority::store::{self, Reading};
use crate::bundle::{Publication, Publisher};
use crate::flags::Flags;
use crate::issue::{Books, Current, IssueMetrics, Issuer, Record};

/// How the signer calls itself to the API server.
pub const USER_AGENT: &str = concat!("countersign-signer/", env!("CARGO_PKG_VERSION"));

/// Why the signer ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The trust domain is none.
    #[error("--trust-domain: {0}")]
    TrustDomain(#[from] SpiffeIdError),
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

/// What the parts of a signer share.
#[derive(Clone)]
pub struct Parts {
    /// The API server.
    pub client: Client,
    /// The trust domain.
    pub trust_domain: TrustDomain,
    /// The one gate that certificates go through.
    pub issuer: Issuer,
    /// What certificates are signed with.
    pub current: Current,
    /// The roots of the own trust domain; none before they were read.
    pub roots: watch::Receiver<Option<Arc<Bundle>>>,
    /// Whether this replica writes what one replica must write.
    pub leadership: Leadership,
    /// Cancelled when all is to end.
    pub stop: CancellationToken,
}

/// Keeps no books.
struct NoBooks;

impl Books for NoBooks {
    fn enter(&self, _: Record) {}
}

/// Runs until SIGTERM or SIGINT.
pub async fn run(flags: Flags) -> Result<(), RunError> {
    let trust_domain: TrustDomain = flags.trust_domain.parse()?;
    let stop = process::stop_on_signal()?;
    let client = client::connect(USER_AGENT).await?;
    let mut registry = Registry::default();
    let metrics = AuthorityMetrics::register(&mut registry);
    let issue_metrics = Arc::new(IssueMetrics::default());
    issue_metrics.register(&mut registry);
    let (elector, leadership) = Elector::new(client.clone(), lease(&flags), flags.identity.clone());
    let current = Current::default();
    let (roots, own_roots) = watch::channel(None);
    let parts = Parts {
        client: client.clone(),
        trust_domain: trust_domain.clone(),
        issuer: Issuer::new(current.clone(), issue_metrics, Arc::new(NoBooks)),
        current,
        roots: own_roots,
        leadership,
        stop: stop.clone(),
    };
    let (ready, is_ready) = watch::channel(UNREAD);
    let place = Place {
        client,
        namespace: flags.namespace.clone(),
        trust_domain,
    };
    let mut working = JoinSet::new();
    let readings = follow_store(&place, &mut working);
    let keeper = Keeper {
        readings: readings.clone(),
        current: parts.current.clone(),
        roots,
        ready,
        metrics: metrics.clone(),
    };
    working.spawn(keeper.run());
    lead(&parts, &place, readings, &metrics, &mut working);
    let mut endpoint = tokio::spawn(http::serve(
        flags.metrics_listen,
        Arc::new(registry),
        is_ready,
        stop.clone(),
    ));
    let resign = CancellationToken::new();
    let election = tokio::spawn(elector.run(resign.clone()));

    let result = tokio::select! {
        () = stop.cancelled() => Ok(()),
        served = &mut endpoint => Err(match served {
            Ok(Err(error)) => error.into(),
            _ => RunError::Ended("the HTTP server"),
        }),
        _ = working.join_next() => Err(RunError::Ended("a part")),
    };
    stop.cancel();
    // Only after the last write is the Lease given back.
    working.shutdown().await;
    resign.cancel();
    let _ = election.await;
    result
}

/// The Lease of the replica that writes.
fn lease(flags: &Flags) -> lease::Place {
    lease::Place {
        namespace: flags.namespace.clone(),
        name: "countersign-signer",
        field_manager: "countersign.dev/signer-lease",
    }
}

fn follow_store(place: &Place, working: &mut JoinSet<()>) -> watch::Receiver<Reading> {
    let (to, readings) = watch::channel(Reading::Unread);
    working.spawn(store::follow(
        place.client.clone(),
        place.namespace.clone(),
        place.trust_domain.clone(),
        to,
    ));
    readings
}

/// Starts what keeps the authority and publishes its roots, while this replica leads.
fn lead(
    parts: &Parts,
    place: &Place,
    readings: watch::Receiver<Reading>,
    metrics: &AuthorityMetrics,
    working: &mut JoinSet<()>,
) {
    let (to, object) = watch::channel(Object::Unread);
    working.spawn(follow::object(place.client.clone(), to));
    let (publication, told) = watch::channel(Publication::default());
    let publisher = Publisher {
        client: place.client.clone(),
        trust_domain: place.trust_domain.clone(),
        roots: parts.roots.clone(),
        leadership: parts.leadership.clone(),
        publication,
        metrics: metrics.clone(),
    };
    working.spawn(publisher.run(parts.stop.clone()));
    let inputs = Inputs {
        object,
        readings,
        publication: told,
    };
    let leader = Leader::new(place, parts.leadership.clone(), inputs, metrics.clone());
    working.spawn(leader.run(parts.stop.clone()));
}
