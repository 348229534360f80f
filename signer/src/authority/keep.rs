//! What every replica does with what is kept: it signs with it, and knows the roots.

use std::sync::Arc;
use std::time::Duration;

use countersign_identity::Bundle;
use countersign_runtime::clock;
use countersign_runtime::http::Readiness;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{error, info};

use super::metrics::AuthorityMetrics;
use super::store::{Reading, SECRET};
use crate::issue::Current;

/// How often the clock is looked at.
const PERIOD: Duration = Duration::from_secs(30);

/// What a replica sets by what is kept.
pub struct Keeper {
    /// The Secret with the authority.
    pub readings: watch::Receiver<Reading>,
    /// What certificates are signed with.
    pub current: Current,
    /// The roots of the own trust domain; none before they were read.
    pub roots: watch::Sender<Option<Arc<Bundle>>>,
    /// Whether certificates can be signed.
    pub ready: watch::Sender<Readiness>,
    /// What Prometheus is told.
    pub metrics: AuthorityMetrics,
}

/// What a replica is while nothing was read.
pub const UNREAD: Readiness = Readiness::Missing("the certificate authority was not read yet");

impl Keeper {
    /// Follows what is kept, for as long as it is polled.
    pub async fn run(mut self) {
        loop {
            let reading = self.readings.borrow_and_update().clone();
            self.take(&reading);
            tokio::select! {
                changed = self.readings.changed() => if changed.is_err() { return },
                // Time passes too: an intermediate ends, a phase is over.
                () = sleep(PERIOD) => {}
            }
        }
    }

    fn take(&self, reading: &Reading) {
        let ready = match reading {
            Reading::Unread => return,
            Reading::Missing => {
                self.current.set(None);
                Readiness::Missing("there is no certificate authority: see the status of the CertificateAuthority")
            }
            Reading::Unreadable(why) => {
                error!(%why, "the Secret {SECRET} cannot be used: no certificate is signed, and it is not written over");
                self.current.set(None);
                Readiness::Missing(
                    "the Secret with the certificate authority cannot be used: see the status of the CertificateAuthority",
                )
            }
            Reading::Read(version) => self.sign_with(&version.kept),
        };
        self.ready.send_replace(ready);
    }

    fn sign_with(&self, kept: &super::Kept) -> Readiness {
        let now = clock::now();
        self.metrics.show(kept.state(), now);
        let bundle = Arc::new(kept.bundle());
        self.roots.send_if_modified(|roots| {
            let differs = roots.as_ref() != Some(&bundle);
            if differs {
                *roots = Some(bundle);
            }
            differs
        });
        let authority = kept.authority();
        let before = self.current.get().map(|before| before.serial().to_owned());
        let ready = match &authority {
            Some(authority) if authority.ends() <= now => {
                Readiness::Missing("the intermediate has ended: see the status of the CertificateAuthority")
            }
            Some(authority) => {
                if before.as_deref() != Some(authority.serial()) {
                    info!(serial = authority.serial(), ends = %authority.ends(), "signs with an intermediate");
                }
                Readiness::Ready
            }
            None => Readiness::Missing("there is no intermediate yet: see the status of the CertificateAuthority"),
        };
        self.current.set(authority.map(Arc::new));
        ready
    }
}
