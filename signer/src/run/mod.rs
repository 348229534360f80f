//! Puts the parts together, and takes them apart in order.

mod authority;
mod federation;
mod serving;
mod workloads;

use std::sync::Arc;

use countersign_identity::{Bundle, SpiffeIdError, TrustDomain};
use countersign_runtime::client::{self, ClientError};
use countersign_runtime::http::{self, Readiness};
use countersign_runtime::https::ServeError;
use countersign_runtime::lease::{self, Elector, Leadership};
use countersign_runtime::parts::{Ended, Working};
use countersign_runtime::process::{self, ProcessError};
use kube::Client;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::authority::AuthorityMetrics;
use crate::authority::keep::UNREAD;
use crate::books::{BookMetrics, Ledger};
use crate::federation::FederationMetrics;
use crate::flags::Flags;
use crate::identities::Identities;
use crate::issue::{Current, IssueMetrics, Issuer};
use crate::istio::settings::SettingsError;
use crate::jwt::JwtIssuer;

/// How the signer calls itself to the API server.
pub const USER_AGENT: &str = concat!("countersign-signer/", env!("CARGO_PKG_VERSION"));

/// Why the signer ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The trust domain, or an identity in it, is none.
    #[error("--trust-domain: {0}")]
    TrustDomain(#[from] SpiffeIdError),
    /// The settings of Istio's CA API cannot be used.
    #[error("--istio-…: {0}")]
    Istio(#[from] SettingsError),
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

/// What the parts of a signer share.
struct Parts {
    flags: Flags,
    client: Client,
    trust_domain: TrustDomain,
    /// The one gate that certificates go through, the books behind it, and what it signs with.
    issuer: Issuer,
    /// The same for tokens.
    tokens: JwtIssuer,
    ledger: Arc<Ledger>,
    current: Current,
    identities: Identities,
    /// The roots of the own trust domain; none before they were read.
    roots: watch::Sender<Option<Arc<Bundle>>>,
    /// Whether certificates can be signed.
    ready: watch::Sender<Readiness>,
    /// Whether this replica writes what one replica must write.
    leadership: Leadership,
    authority_metrics: AuthorityMetrics,
    book_metrics: BookMetrics,
    federation_metrics: FederationMetrics,
    stop: CancellationToken,
}

/// Runs until SIGTERM or SIGINT.
pub async fn run(flags: Flags) -> Result<(), RunError> {
    let trust_domain = flags.trust_domain()?;
    let stop = process::stop_on_signal()?;
    let client = client::connect(USER_AGENT).await?;
    let (elector, leadership) = Elector::new(client.clone(), lease(&flags), flags.identity.clone());
    let mut registry = Registry::default();
    let listen = flags.metrics_listen;
    let parts = parts(flags, client, trust_domain, leadership, stop.clone(), &mut registry);
    let mut working = Working::default();
    let follower = federation::follower(&parts);
    serving::start(&parts, follower.bundles(), &mut working).await?;
    authority::start(&parts, follower.foreign(), &mut working);
    federation::start(&parts, follower, &mut working);
    workloads::start(&parts, &mut working);
    let registry = Arc::new(registry);
    let endpoint = tokio::spawn(http::serve(listen, registry, parts.ready.subscribe(), stop.clone()));
    Ok(working.work(endpoint, elector, stop).await?)
}

fn parts(
    flags: Flags,
    client: Client,
    trust_domain: TrustDomain,
    leadership: Leadership,
    stop: CancellationToken,
    registry: &mut Registry,
) -> Parts {
    let issue_metrics = Arc::new(IssueMetrics::default());
    issue_metrics.register(registry);
    let book_metrics = BookMetrics::default();
    book_metrics.register(registry);
    let current = Current::default();
    let ledger = Arc::new(Ledger::default());
    Parts {
        tokens: JwtIssuer::new(Arc::clone(&issue_metrics)),
        issuer: Issuer::new(current.clone(), issue_metrics, Arc::clone(&ledger) as _),
        ledger,
        current,
        identities: Identities::new(trust_domain.clone()),
        roots: watch::Sender::new(None),
        ready: watch::Sender::new(UNREAD),
        leadership,
        authority_metrics: AuthorityMetrics::register(registry),
        federation_metrics: FederationMetrics::register(registry),
        book_metrics,
        flags,
        client,
        trust_domain,
        stop,
    }
}

/// The Lease of the replica that writes.
fn lease(flags: &Flags) -> lease::Place {
    lease::Place {
        namespace: flags.namespace.clone(),
        name: "countersign-signer",
        field_manager: "countersign.dev/signer-lease",
    }
}
