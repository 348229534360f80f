//! Puts the parts together, and takes them apart in order.

use std::sync::Arc;
use std::time::Duration;

use countersign_identity::SpiffeIdError;
use countersign_policy::MeshSettings;
use countersign_runtime::client::{self, ClientError};
use countersign_runtime::events::Publisher;
use countersign_runtime::http::{self, HttpError, Readiness};
use countersign_runtime::https::{Limits, ServeError, Server};
use countersign_runtime::lease::{self, Elector};
use countersign_runtime::process::{self, ProcessError};
use countersign_runtime::tls::Current;
use jiff::SignedDuration;
use kube::Client;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::answer::State;
use crate::audit::{Audit, AuditMetrics};
use crate::cluster::Cluster;
use crate::fingerprint_key::{self, KeyError};
use crate::flags::Flags;
use crate::handler::router;
use crate::judge::Judge;
use crate::metrics::Metrics;
use crate::own::{self, Own, OwnSettings, Reader};
use crate::readiness;
use crate::settings::{Settings, SettingsError, UnknownIssuer};
use crate::tls::authority::IssueError;
use crate::tls::keep::Keeper;
use crate::tls::publish::{Configurations, Place};
use crate::tls::rotation::Plan;
use crate::watch::{namespaces, waivers};

/// How the webhook calls itself to the API server.
pub const USER_AGENT: &str = concat!("countersign-webhook/", env!("CARGO_PKG_VERSION"));
/// The controller that events come from.
const CONTROLLER: &str = "countersign.dev/webhook";
/// How long a new authority is published before its certificate is served: API servers learn of it by a watch.
const SETTLE: SignedDuration = SignedDuration::from_secs(3);
/// How long the webhook goes on after it was told to stop: until nobody sends it requests any more.
const LINGER: Duration = Duration::from_secs(5);

/// An API server keeps a few connections, by HTTP/1.1, and lets go of one that lay idle for 90 seconds, as all that is written in Go
/// does: it must be the one that closes, since a request that meets a closed connection is refused.
pub const LIMITS: Limits = Limits {
    connections: 512,
    streams: 250,
    head: Duration::from_secs(100),
    age: None,
};
const _: () = assert!(LIMITS.head.as_secs() > 90, "the API server is the one that closes");

/// Why the webhook ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The settings cannot be used.
    #[error("--settings: {0}")]
    Settings(#[from] SettingsError),
    /// The trust domain is none.
    #[error("--trust-domain: {0}")]
    TrustDomain(#[from] SpiffeIdError),
    /// The key of fingerprints cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// No HTTP server for health and metrics.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// No HTTPS server.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// No certificate.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// No signal handlers.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A part that must not end ended.
    #[error("{0} ended unexpectedly")]
    Ended(&'static str),
}

/// Runs until SIGTERM or SIGINT.
pub async fn run(flags: Flags) -> Result<(), RunError> {
    let settings = flags
        .settings
        .as_deref()
        .map(Settings::read)
        .transpose()?
        .unwrap_or_default();
    let stop = process::stop_on_signal()?;
    let client = client::connect(USER_AGENT).await?;
    let key = match (&flags.fingerprint_key_file, &flags.fingerprint_key_secret) {
        (Some(file), _) => fingerprint_key::from_file(file)?,
        (None, secret) => {
            let secret = secret.as_deref().unwrap_or_default();
            fingerprint_key::from_secret(client.clone(), &flags.namespace, secret).await?
        }
    };
    let (own, made) = Own::new(own_settings(&flags, &settings)?);
    let mut registry = Registry::with_prefix("countersign");
    let state = Arc::new(State {
        judge: Judge::new(&settings, key, &flags.namespace),
        own,
        cluster: Cluster::default(),
        metrics: Metrics::register(&mut registry),
    });
    let current = Current::default();
    let server = Server::bind(flags.listen, &current, LIMITS).await?;

    let (mut watches, mut parts) = follow(&client, &state, &flags.namespace);
    let events = Publisher::new(client.clone(), CONTROLLER, &flags.identity);
    watches.spawn(own::tell(events.clone(), made));
    let (elector, leadership) = Elector::new(client.clone(), lease(&flags), flags.identity.clone());
    let audit = Audit {
        client: client.clone(),
        state: Arc::clone(&state),
        events,
        metrics: AuditMetrics::register(&mut registry),
        leadership,
        scans: flags.audit,
        secrets: flags.audit_secrets,
    };
    watches.spawn(audit.run());
    let electing = tokio::spawn(elector.run(stop.clone()));
    let reader = Reader::new(client.clone());
    let (trusted, is_trusted) = watch::channel(Readiness::Missing("the webhook's configuration was not read yet"));
    parts.push(is_trusted);
    let retire = CancellationToken::new();
    let mut keeper = keep(&flags, client, current, trusted, &state, &retire);
    let ready = readiness::all(parts, stop.clone());
    let mut endpoint = tokio::spawn(http::serve(
        flags.metrics_listen,
        Arc::new(registry),
        ready,
        retire.clone(),
    ));
    let drain = CancellationToken::new();
    let mut serving = tokio::spawn(server.run(router(state, reader), drain.clone()));

    let result = tokio::select! {
        () = stop.cancelled() => Ok(()),
        kept = &mut keeper => Err(ended(kept, "the renewal of certificates")),
        health = &mut endpoint => Err(ended(health, "the HTTP server")),
        _ = &mut serving => Err(RunError::Ended("the HTTPS server")),
        _ = watches.join_next() => Err(RunError::Ended("a watch")),
    };
    if result.is_ok() {
        sleep(LINGER).await;
        let _ = electing.await;
        drain.cancel();
        let _ = serving.await;
        // Only when nothing is served any more does the authority go.
        retire.cancel();
        let _ = keeper.await;
    }
    result
}

/// The Lease of the replica that does the audit.
fn lease(flags: &Flags) -> lease::Place {
    lease::Place {
        namespace: flags.namespace.clone(),
        name: "countersign-webhook",
        field_manager: "countersign.dev/webhook-lease",
    }
}

fn own_settings(flags: &Flags, settings: &Settings) -> Result<OwnSettings, SpiffeIdError> {
    Ok(OwnSettings {
        mesh: MeshSettings {
            trust_domain: flags.trust_domain.parse()?,
            root_namespace: flags.root_namespace.clone(),
        },
        refuse_unknown_issuer: settings.own_kinds.unknown_issuer == UnknownIssuer::Deny,
        longest_waiver: settings.waivers.max_duration,
    })
}

fn ended<E: Into<RunError>>(joined: Result<Result<(), E>, tokio::task::JoinError>, what: &'static str) -> RunError {
    match joined {
        Ok(Err(error)) => error.into(),
        _ => RunError::Ended(what),
    }
}

/// Starts what follows the cluster, and gives what tells whether it was read.
fn follow(client: &Client, state: &Arc<State>, namespace: &str) -> (JoinSet<()>, Vec<watch::Receiver<Readiness>>) {
    let mut watches = JoinSet::new();
    let (caps, caps_read) = watch::channel(Readiness::Missing("the namespaces have not been read yet"));
    watches.spawn(namespaces(client.clone(), Arc::clone(state), caps));
    let (exceptions, exceptions_read) =
        watch::channel(Readiness::Missing("the CredentialWaivers have not been read yet"));
    watches.spawn(waivers(
        client.clone(),
        Arc::clone(state),
        namespace.to_owned(),
        exceptions,
    ));
    (watches, vec![caps_read, exceptions_read])
}

fn keep(
    flags: &Flags,
    client: Client,
    current: Current,
    trusted: watch::Sender<Readiness>,
    state: &State,
    stop: &CancellationToken,
) -> JoinHandle<Result<(), IssueError>> {
    let place = Place {
        configurations: flags.configurations.clone(),
        namespace: flags.namespace.clone(),
        service: flags.service.clone(),
        replica: flags.identity.clone(),
    };
    let keeper = Keeper {
        names: flags.names(),
        replica: flags.identity.clone(),
        plan: Plan {
            lifetime: SignedDuration::try_from(flags.certificate_lifetime).unwrap_or(SignedDuration::MAX),
            settle: SETTLE,
        },
        current,
        trusted,
        ends: state.metrics.certificate_ends.clone(),
    };
    tokio::spawn(keeper.run(Configurations::follow(client, place), stop.clone()))
}
