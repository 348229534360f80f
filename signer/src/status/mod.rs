//! The signer's part of the status of a `ServiceIdentity`.
//!
//! Each replica writes what it has issued itself, with a field manager of its own. The replica that leads adds it up. So no
//! two replicas ever write one field, and what a replica that is gone had written stays until it has expired.
//!
//! What was issued is written at once, and again at the end of a replica: the books are in memory, and what a replica has not
//! written when it is killed is not counted until the workload gets its next certificate.

mod summary;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use countersign_policy::ObjectName;
use countersign_runtime::clock;
use countersign_runtime::lease::Leadership;
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use kube::Client;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::warn;

pub use summary::{SecretState, SecretStates, Summary, summarize};

use crate::books::{Account, BookMetrics, Ledger};
use crate::identities::Identities;
use write::{WriteError, Writer};

/// How often it is added up, and how long the second news of one workload waits for the third.
const PERIOD: Duration = Duration::from_secs(5);
/// How long requests that were under way at the end may take to get into the books.
const LAST_REQUESTS: Duration = Duration::from_secs(1);
/// How many are written at a time.
const AT_ONCE: usize = 8;

/// Writes statuses.
pub struct StatusWriter {
    writer: Writer,
    /// This replica's name.
    replica: String,
    identities: Identities,
    ledger: Arc<Ledger>,
    secrets: SecretStates,
    metrics: BookMetrics,
    leadership: Leadership,
}

impl StatusWriter {
    /// Makes a writer for the replica called `replica`, which should be the name of its Pod.
    pub fn new(
        client: Client,
        replica: String,
        identities: Identities,
        ledger: Arc<Ledger>,
        secrets: SecretStates,
        metrics: BookMetrics,
        leadership: Leadership,
    ) -> Self {
        Self {
            writer: Writer::new(client, &replica),
            replica,
            identities,
            ledger,
            secrets,
            metrics,
            leadership,
        }
    }

    /// Writes until `stop`, and what was issued by then.
    pub async fn run(self, stop: CancellationToken) {
        let mut period = tokio::time::interval(PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = period.tick() => {
                    self.ledger.prune(clock::now());
                    self.ledger.turn();
                    self.metrics.show_live(&self.ledger.live());
                    self.tell_own().await;
                    stop.run_until_cancelled(self.sum_up()).await;
                }
                () = self.ledger.entered() => self.tell_own().await,
            }
        }
        tokio::time::sleep(LAST_REQUESTS).await;
        self.ledger.turn();
        self.tell_own().await;
    }

    /// Writes what this replica has issued.
    async fn tell_own(&self) {
        if !self.identities.complete() {
            return;
        }
        let news = stream::iter(self.ledger.news());
        news.for_each_concurrent(AT_ONCE, |account| self.tell(account)).await;
    }

    async fn tell(&self, account: Account) {
        // A workload whose identity the mesh alone gives has no object to write to.
        let Some(entry) = self.identities.holder(&account.0, &account.1) else {
            return;
        };
        let issued = self.ledger.issued(&account, &self.replica);
        match self.writer.own(entry.name(), &entry.meta.uid, issued.as_ref()).await {
            Ok(()) | Err(WriteError::Gone) => {}
            Err(error) => {
                warn!(identity = %entry.name(), %error, "what was issued cannot be written to the status");
                self.ledger.untold(account);
            }
        }
    }

    /// Adds up what all replicas have issued, where that changed.
    async fn sum_up(&self) {
        if !(self.leadership.holds() && self.identities.complete()) {
            self.metrics.show_soonest(&BTreeMap::new());
            return;
        }
        let now = clock::now();
        let summaries = self.identities.read(|index| {
            let secrets = self.secrets.read();
            let summaries = index.entries().filter(|entry| !entry.meta.deleting);
            summaries
                .map(|entry| summarize(index, entry, secrets.get(entry.name()), now))
                .collect::<Vec<_>>()
        });
        self.metrics.show_soonest(&soonest(&summaries));
        let changed = summaries.into_iter().filter(|summary| summary.differs);
        stream::iter(changed)
            .for_each_concurrent(AT_ONCE, |summary| self.write(summary))
            .await;
    }

    async fn write(&self, summary: Summary) {
        if !self.leadership.holds() {
            return;
        }
        match self.writer.summary(&summary).await {
            Ok(()) | Err(WriteError::Gone) => {}
            Err(error) => warn!(identity = %summary.name, %error, "the status cannot be written"),
        }
    }
}

/// The soonest end among the newest certificates, by namespace.
fn soonest(summaries: &[Summary]) -> BTreeMap<String, Timestamp> {
    let mut soonest = BTreeMap::<String, Timestamp>::new();
    for (ObjectName { namespace, .. }, end) in summaries
        .iter()
        .filter_map(|summary| Some((&summary.name, summary.end()?)))
    {
        let known = soonest.entry(namespace.clone()).or_insert(end);
        *known = end.min(*known);
    }
    soonest
}
