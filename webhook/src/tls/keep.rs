//! Keeps the serving certificate current: the loop around [`Rotation`].

use std::time::Duration;

use countersign_runtime::clock;
use countersign_runtime::http::Readiness;
use countersign_runtime::tls::Current;
use jiff::{SignedDuration, Timestamp};
use prometheus_client::metrics::gauge::Gauge;
use rustls::pki_types::CertificateDer;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::authority::{IssueError, Issued, issue};
use super::publish::{AGAIN, Configurations};
use super::rotation::{Plan, Rotation};

/// One replica's certificates.
pub struct Keeper {
    /// The names that are served.
    pub names: Vec<String>,
    /// What this replica is called.
    pub replica: String,
    /// How long certificates live.
    pub plan: Plan,
    /// Where they are served from.
    pub current: Current,
    /// Told whether the API servers trust what is served.
    pub trusted: watch::Sender<Readiness>,
    /// Told when what is served ends, in seconds since 1970.
    pub ends: Gauge,
}

impl Keeper {
    /// Issues, publishes, serves and renews until `stop`; takes the replica's authorities out of the configurations then.
    pub async fn run(self, mut configurations: Configurations, stop: CancellationToken) -> Result<(), IssueError> {
        // A certificate that cannot be made at the start will not be later: a name may be wrong.
        let mut rotation = Rotation::new(self.plan);
        rotation.take(self.issue(clock::precise())?, clock::precise());
        let mut written = true;
        loop {
            let wait = wait(&rotation, written, clock::precise());
            tokio::select! {
                () = configurations.changed() => {}
                () = sleep(wait) => {}
                () = stop.cancelled() => break,
            }
            let now = clock::precise();
            rotation.saw(now, |issued: &Issued| configurations.trust(&issued.authority));
            if rotation.is_due(now) {
                match self.issue(now) {
                    Ok(issued) => rotation.take(issued, now),
                    Err(error) => error!(%error, "the serving certificate cannot be renewed"),
                }
            }
            if let Some(issued) = rotation.advance(now) {
                info!(ends = %issued.ends, "serves a new certificate");
                self.current.set(issued.served.clone());
                self.ends.set(issued.ends.as_second());
            }
            self.trusted.send_replace(state(&rotation, &configurations, now));
            let own: Vec<CertificateDer<'static>> =
                rotation.published().map(|issued| issued.authority.clone()).collect();
            written = configurations.write(&own, now).await;
            let now = clock::precise();
            rotation.saw(now, |issued: &Issued| configurations.trust(&issued.authority));
        }
        configurations.write(&[], clock::precise()).await;
        Ok(())
    }

    fn issue(&self, now: Timestamp) -> Result<Issued, IssueError> {
        issue(&self.names, &self.replica, now, self.plan.lifetime)
    }
}

fn wait(rotation: &Rotation<Issued>, written: bool, now: Timestamp) -> Duration {
    let wake = rotation
        .wakes()
        .map_or(SignedDuration::from_mins(1), |wake| wake.duration_since(now));
    let wake = Duration::try_from(wake).unwrap_or_default();
    // A renewal that failed is tried again, but not without a pause.
    let wake = wake.max(Duration::from_millis(50));
    if written { wake } else { wake.min(AGAIN) }
}

fn state(rotation: &Rotation<Issued>, configurations: &Configurations, now: Timestamp) -> Readiness {
    if !configurations.are_complete() {
        Readiness::Missing(
            "a ValidatingWebhookConfiguration that --configuration names does not exist, or could not be read yet",
        )
    } else if rotation.is_trusted(now) {
        Readiness::Ready
    } else {
        Readiness::Missing("the webhook's authority is not in its configuration yet")
    }
}
