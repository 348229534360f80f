//! The audit of what is there already. One of the replicas does it.
//!
//! ```text
//! kinds → follow → book → report → write      Reports, by namespace
//!         (scan)     └──────────→ waivers     the status of waivers
//! ```
//!
//! Every kind that can hold a credential is read once and then watched, so that only what changes is scanned again. Of what
//! is read nothing is kept but findings. A cluster at rest sees no writes.

mod allowance;
mod book;
mod flush;
mod follow;
mod kinds;
mod metrics;
mod object;
mod report;
#[cfg(test)]
mod testing;
mod waivers;
mod write;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use countersign_runtime::clock;
use countersign_runtime::events::{EventType, Happening, Publisher};
use countersign_runtime::lease::Leadership;
use countersign_scan::{Action, ObjectId};
use futures::FutureExt as _;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{error, info, warn};

use crate::answer::State;
use crate::cluster::Caps;
use allowance::Allowance;
use book::{Book, News};
use flush::Flush;
use follow::{Followers, Told};
use kinds::{Kind, KindId, Served};
pub use metrics::AuditMetrics;
use write::{Reports, WriteError};

/// How often what changed is written.
const FLUSH: Duration = Duration::from_secs(2);
/// How often the API server is asked what it serves.
const DISCOVERY: Duration = Duration::from_mins(1);
/// How soon after a CRD changed it is asked.
const DISCOVERY_SOON: Duration = Duration::from_secs(3);
/// How long to wait before another try.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much that is told may wait.
const WAITING: usize = 256;

/// What the audit works with.
pub struct Audit {
    /// The client.
    pub client: Client,
    /// What requests are judged by.
    pub state: Arc<State>,
    /// Tells of what is found.
    pub events: Publisher,
    /// What is counted.
    pub metrics: AuditMetrics,
    /// Whether this replica does the audit.
    pub leadership: Leadership,
    /// Whether what is there is scanned. If not, only the status of waivers is kept.
    pub scans: bool,
    /// Whether Secrets are scanned too.
    pub secrets: bool,
}

impl Audit {
    /// Audits whenever this replica leads, for as long as it is polled.
    pub async fn run(self) {
        let mut leadership = self.leadership.clone();
        loop {
            leadership.changed_from(false).await;
            tokio::select! {
                () = leadership.changed_from(true) => info!("another replica does the audit"),
                () = self.lead() => {}
            }
            self.metrics.reset();
        }
    }

    async fn lead(&self) {
        loop {
            // A bug here must not end what answers requests.
            match AssertUnwindSafe(self.audit()).catch_unwind().await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => warn!(%error, "the audit begins anew"),
                Err(_) => error!("the audit panicked, and begins anew"),
            }
            sleep(PATIENCE).await;
        }
    }

    async fn audit(&self) -> Result<(), WriteError> {
        let served = self.served().await?;
        let (reports, marks) = Reports::read(self.client.clone()).await?;
        let (to, from) = channel(WAITING);
        let followers = Followers::new(
            self.client.clone(),
            Arc::clone(&self.state),
            self.metrics.clone(),
            self.scans,
        );
        let mut round = Round {
            audit: self,
            followers: Arc::new(followers),
            tasks: HashMap::new(),
            to,
            book: Book::new(marks),
            flush: Flush::new(reports),
            allowance: Allowance::new(clock::instant()),
        };
        round.follow(served);
        round.run(from).await
    }

    async fn served(&self) -> Result<Served, WriteError> {
        let mut served = write::call(kinds::discover(&self.client)).await?;
        let read = |kind: &KindId| match (self.scans, self.secrets) {
            (false, _) => *kind == waivers::kind(),
            (true, secrets) => secrets || !kind.is_secrets(),
        };
        served.kinds.retain(|kind| read(&kind.id()));
        Ok(served)
    }
}

/// The audit while this replica leads.
struct Round<'a> {
    audit: &'a Audit,
    followers: Arc<Followers>,
    tasks: HashMap<KindId, AbortHandle>,
    to: Sender<Told>,
    book: Book,
    flush: Flush,
    allowance: Allowance,
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        self.tasks.values().for_each(AbortHandle::abort);
    }
}

impl Round<'_> {
    async fn run(&mut self, mut from: Receiver<Told>) -> Result<(), WriteError> {
        let mut tick = interval(FLUSH);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut discovery = clock::instant() + DISCOVERY;
        loop {
            tokio::select! {
                told = from.recv() => {
                    let Some(told) = told else { return Ok(()) };
                    if self.book.is_complete() && is_of_a_crd(&told) {
                        discovery = discovery.min(clock::instant() + DISCOVERY_SOON);
                    }
                    self.take(told);
                }
                _ = tick.tick() => {
                    if clock::instant() >= discovery {
                        discovery = clock::instant() + DISCOVERY;
                        // What was served last is followed until the API server answers again.
                        match self.audit.served().await {
                            Ok(served) => self.follow(served),
                            Err(error) => warn!(%error, "the API server does not say what it serves"),
                        }
                        self.flush.check().await;
                    }
                    self.flush.run(self.audit, &mut self.book).await;
                }
            }
        }
    }

    /// Follows what is served now, and nothing else.
    fn follow(&mut self, served: Served) {
        self.flush.installed(served.reports, self.audit.scans);
        let gone: Vec<KindId> = self
            .tasks
            .keys()
            .filter(|id| !served.kinds.iter().any(|kind| kind.id() == **id))
            .cloned()
            .collect();
        for id in gone {
            if let Some(task) = self.tasks.remove(&id) {
                task.abort();
            }
            self.book.close(&id);
        }
        for kind in served.kinds {
            if self.tasks.contains_key(&kind.id()) {
                continue;
            }
            self.book.open(&kind);
            let id = kind.id();
            let followers = Arc::clone(&self.followers);
            let task = tokio::spawn(followers.follow(kind, self.to.clone()));
            self.tasks.insert(id, task.abort_handle());
        }
        self.audit
            .metrics
            .kinds
            .set(i64::try_from(self.book.kinds()).unwrap_or(i64::MAX));
    }

    fn take(&mut self, told: Told) {
        self.flush.waivers.take(&told);
        let now = clock::now().as_second();
        if let Some(news) = self.book.take(told, now) {
            self.announce(&news, now);
        }
    }

    /// Tells of findings that would not get in today, once.
    fn announce(&mut self, news: &News, now: i64) {
        let Some(kind) = self.book.kind(&news.kind) else { return };
        let id = object_id(kind, &news.object);
        let judge = &self.audit.state.judge;
        let waivers = self.audit.state.cluster.waivers();
        let is_secret = is_secret(kind);
        let weighed = judge.weigh(&id, is_secret, news.findings.clone(), Caps::default(), &waivers, now);
        let denied: Vec<_> = weighed
            .iter()
            .filter(|weighed| weighed.action == Action::Deny)
            .collect();
        let Some(first) = denied.first() else { return };
        if !self.allowance.take(clock::instant()) {
            self.audit.metrics.silenced.inc();
            return;
        }
        let note = match denied.len() {
            1 => first.finding.to_string(),
            count => format!("{count} credentials, the first: {}", first.finding),
        };
        let about = ObjectReference {
            api_version: Some(kind.resource.api_version.clone()),
            kind: Some(kind.resource.kind.clone()),
            namespace: kind.namespaced.then(|| news.object.namespace.clone()),
            name: Some(news.object.name.clone()),
            uid: self.book.uid(&news.kind, &news.object),
            ..ObjectReference::default()
        };
        let events = self.audit.events.clone();
        let found = Happening {
            event_type: EventType::Warning,
            about,
            reason: "CredentialFound".to_owned(),
            action: "Audit",
            note,
        };
        tokio::spawn(async move { events.publish(found).await });
    }
}

fn object_id<'a>(kind: &'a Kind, name: &'a follow::Name) -> ObjectId<'a> {
    ObjectId {
        group: &kind.resource.group,
        kind: &kind.resource.kind,
        namespace: &name.namespace,
        name: &name.name,
    }
}

fn is_secret(kind: &Kind) -> bool {
    kind.resource.group.is_empty() && kind.resource.plural == "secrets"
}

/// Whether the API server may serve something else from now on.
fn is_of_a_crd(told: &Told) -> bool {
    match told {
        Told::Seen(kind, ..) | Told::Gone(kind, _) => {
            kind.group == "apiextensions.k8s.io" && kind.plural == "customresourcedefinitions"
        }
        _ => false,
    }
}
