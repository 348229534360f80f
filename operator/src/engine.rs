//! The one loop: takes in what the watches tell, decides what is to be done, and hands it to tasks.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use countersign_policy::world::{MeshSettings, ObjectName};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::events::ready;
use crate::index::Index;
use crate::kinds::Source;
use crate::metrics::Ready;
use crate::queue::{Backoff, Queue};
use crate::store::{Effect, Store};
use crate::watch::Signal;
use crate::work::{Outcome, Tools};
use countersign_runtime::clock;
use countersign_runtime::http::Readiness;
use countersign_runtime::lease::Leadership;

mod ended;
mod start;

/// How many objects are written for at a time.
const CONCURRENCY: usize = 16;
/// How many issuers' keys are fetched at a time.
const FETCHES: usize = 4;
/// How many policies are evaluated before the watches are listened to again.
const BURST: usize = 64;
/// How many signals are taken in before work goes on.
const BATCH: usize = 256;
/// How old keys get before they are fetched again.
const REFRESH: Duration = Duration::from_mins(5);
/// How long the cluster's own garbage collector has to remove what a deleted policy leaves behind.
const GRACE: Duration = Duration::from_secs(2);
/// How often gauges are brought up to date.
const GAUGES: Duration = Duration::from_secs(5);
/// How long work under way may take to end when the process is told to.
const LAST_CALL: Duration = Duration::from_secs(5);

/// What there is to look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key {
    Policy(ObjectName),
    Identity(ObjectName),
    Orphan(String),
}

/// A task under way.
enum Running {
    Work(Key, Instant),
    Fetch(String, Instant),
}

/// Why an operator is not ready.
pub const NOT_READ: Readiness = Readiness::Missing("the cluster has not been read completely yet");

/// The loop and all that it owns.
pub struct Engine {
    store: Store,
    index: Index,
    mesh: MeshSettings,
    tools: Tools,
    work: Queue<Key>,
    fetches: Queue<String>,
    tasks: JoinSet<Outcome>,
    running: HashMap<Id, Running>,
    fetching: usize,
    leading: bool,
    complete: bool,
    ready: watch::Sender<Readiness>,
}

impl Engine {
    /// Makes the loop. `ready` is told when every kind was read once.
    pub fn new(mesh: MeshSettings, tools: Tools, ready: watch::Sender<Readiness>) -> Self {
        Self {
            store: Store::default(),
            index: Index::default(),
            mesh,
            tools,
            work: Queue::new(Backoff {
                first: Duration::from_secs(1),
                most: Duration::from_mins(1),
            }),
            fetches: Queue::new(Backoff {
                first: Duration::from_secs(5),
                most: REFRESH,
            }),
            tasks: JoinSet::new(),
            running: HashMap::new(),
            fetching: 0,
            leading: false,
            complete: false,
            ready,
        }
    }

    /// Runs until `stop`, then lets what is under way end.
    pub async fn run(
        mut self,
        mut signals: mpsc::Receiver<Signal>,
        mut leadership: Leadership,
        stop: CancellationToken,
    ) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut gauges = interval(GAUGES);
        gauges.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (more, timer) = self.dispatch();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = leadership.changed_from(self.leading) => self.lead(leadership.holds()),
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended),
                taken = signals.recv_many(&mut batch, BATCH) => {
                    if taken == 0 {
                        break;
                    }
                    batch.drain(..).for_each(|signal| self.take(signal));
                }
                () = sleep_until(timer.unwrap_or_else(clock::instant)), if timer.is_some() => {}
                _ = gauges.tick() => self.gauges(),
                () = std::future::ready(()), if more => {}
            }
        }
        let drained = timeout(LAST_CALL, async { while self.tasks.join_next().await.is_some() {} }).await;
        info!(completed = drained.is_ok(), "stopped");
    }

    fn active(&self) -> bool {
        self.leading && self.complete
    }

    fn take(&mut self, signal: Signal) {
        let barrier = matches!(signal, Signal::Listed(_) | Signal::NotServed(_));
        let effects = self.store.take(signal);
        self.forget_gone();
        self.follow_up(effects);
        if barrier {
            let complete = self.store.complete();
            if complete != self.complete {
                self.complete = complete;
                self.ready
                    .send_replace(if complete { Readiness::Ready } else { NOT_READ });
                info!(complete, missing = ?self.store.missing(), "the cluster was read");
                self.activate();
            }
            self.gauges();
        }
    }

    /// What is gone is only to be remembered while a task may tell of it as it was.
    fn forget_gone(&mut self) {
        if self.running.is_empty() {
            self.store.forget_gone();
        }
    }

    fn lead(&mut self, leading: bool) {
        self.leading = leading;
        self.tools.metrics.leader.set(i64::from(leading));
        self.activate();
    }

    /// Begins to work, or ceases. Whoever begins looks at everything once.
    fn activate(&mut self) {
        self.tasks = JoinSet::new();
        self.running.clear();
        self.fetching = 0;
        self.work.clear();
        self.fetches.clear();
        if !self.active() {
            return;
        }
        let now = clock::instant();
        info!(policies = self.store.policies.len(), "looks at everything");
        self.store
            .identities
            .keys()
            .cloned()
            .for_each(|name| self.work.mark(Key::Identity(name), now));
        self.store
            .policies
            .keys()
            .cloned()
            .for_each(|name| self.work.mark(Key::Policy(name), now));
        self.store
            .issuers
            .keys()
            .cloned()
            .for_each(|name| self.fetches.mark(name, now));
        self.store
            .orphans()
            .into_iter()
            .for_each(|uid| self.work.later(Key::Orphan(uid), now + GRACE));
    }

    fn follow_up(&mut self, effects: Vec<Effect>) {
        let now = clock::instant();
        let active = self.active();
        for effect in effects {
            match effect {
                Effect::PolicyGone(name) => self.index.remove(&name),
                _ if !active => {}
                Effect::Dependency(dependency) => {
                    for policy in self.index.dependents(&dependency) {
                        self.work.mark(Key::Policy(policy.clone()), now);
                    }
                }
                Effect::Policy(name) => self.work.mark(Key::Policy(name), now),
                Effect::Identity(name) => self.work.mark(Key::Identity(name), now),
                Effect::Issuer(name) => self.fetches.mark(name, now),
                Effect::Orphan(uid) => self.work.later(Key::Orphan(uid), now + GRACE),
            }
        }
    }

    /// Starts what can be started. Returns whether there is more to start at once, and when there will be.
    fn dispatch(&mut self) -> (bool, Option<Instant>) {
        if !self.active() {
            return (false, None);
        }
        let now = clock::instant();
        let timers = [self.work.due(now), self.fetches.due(now)];
        while self.fetching < FETCHES {
            let Some((name, since)) = self.fetches.pull() else {
                break;
            };
            self.start_issuer(name, since);
        }
        for _ in 0..BURST {
            if self.tasks.len() - self.fetching >= CONCURRENCY {
                break;
            }
            let Some((key, since)) = self.work.pull() else { break };
            self.start(key, since);
        }
        let more = !self.work.is_empty() && self.tasks.len() - self.fetching < CONCURRENCY;
        self.tools
            .metrics
            .queue
            .set(i64::try_from(self.work.len() + self.fetches.len()).unwrap_or(i64::MAX));
        (more, timers.into_iter().flatten().min())
    }

    fn gauges(&self) {
        let mut policies = BTreeMap::from([(Ready::True, 0), (Ready::False, 0), (Ready::Unknown, 0)]);
        for tracked in self.store.policies.values() {
            let state = match ready(&tracked.status.conditions).map(|ready| ready.status.as_str()) {
                Some("True") => Ready::True,
                Some("False") => Ready::False,
                _ => Ready::Unknown,
            };
            *policies.entry(state).or_default() += 1;
        }
        for (state, count) in policies {
            self.tools.metrics.policies(state, count);
        }
        for source in Source::all() {
            self.tools.metrics.kind(
                &source.resource().kind,
                self.store.count(source),
                self.store.serves(source),
            );
        }
        self.tools.metrics.ready.set(i64::from(self.complete));
    }
}
