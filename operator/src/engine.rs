//! The one loop: takes in what the watches tell, decides what is to be done, and hands it to tasks.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use countersign_crds::ApiAuthPolicyStatus;
use countersign_policy::Report;
use countersign_policy::conditions::{self, Applied, KeyFetch};
use countersign_policy::object::{Kind, Owner};
use countersign_policy::world::{MeshSettings, ObjectName};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::api::WriteError;
use crate::clock;
use crate::events::ready;
use crate::index::Index;
use crate::jwks::Wanted;
use crate::kinds::Source;
use crate::lease::Leadership;
use crate::metrics::{Failure, Ready};
use crate::owned::Trust;
use crate::plan::{Plan, plan};
use crate::queue::{Backoff, Queue};
use crate::store::{Effect, Store, Tracked};
use crate::watch::Signal;
use crate::work::{Change, IssuerJob, Outcome, PolicyJob, Tools, remove_orphans, restate_identity};

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
    ready: watch::Sender<bool>,
}

impl Engine {
    /// Makes the loop. `ready` is told when every kind was read once.
    pub fn new(mesh: MeshSettings, tools: Tools, ready: watch::Sender<bool>) -> Self {
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
        self.follow_up(effects);
        if barrier {
            let complete = self.store.complete();
            if complete != self.complete {
                self.complete = complete;
                self.ready.send_replace(complete);
                info!(complete, missing = ?self.store.missing(), "the cluster was read");
                self.activate();
            }
            self.gauges();
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

    fn start(&mut self, key: Key, since: Instant) {
        let task = match &key {
            Key::Policy(name) => self.policy_task(name),
            Key::Identity(name) => self.identity_task(name),
            Key::Orphan(uid) => self.orphan_task(uid),
        };
        match task {
            Some(id) => {
                self.running.insert(id, Running::Work(key, since));
            }
            None => self.work.done(&key, clock::instant()),
        }
    }

    /// Evaluates a policy, and starts a task if its objects or its status are not as they should be.
    fn policy_task(&mut self, name: &ObjectName) -> Option<Id> {
        let Some(tracked) = self.store.policies.get(name) else {
            self.index.remove(name);
            return None;
        };
        if tracked.meta.deleting {
            // Its objects go when it goes, and until then it protects.
            return None;
        }
        let evaluation = countersign_policy::evaluate(name, &self.store.world, &self.mesh)?;
        self.index.set(name, evaluation.dependencies);
        let owner = Owner {
            name: &name.name,
            uid: &tracked.meta.uid,
        };
        let observed = self.store.owned.of(&tracked.meta.uid);
        let plan = plan(&owner, &evaluation.desired, evaluation.keep_denies, observed);
        if plan.is_empty() && settled(tracked, &evaluation.report) {
            return None;
        }
        let job = PolicyJob {
            name: name.clone(),
            meta: tracked.meta.clone(),
            report: evaluation.report,
            not_served: self.not_served(&plan),
            plan,
            previous: tracked.status.clone(),
            retry: self.work.failures(&Key::Policy(name.clone())) > 0,
        };
        Some(self.tasks.spawn(job.run(self.tools.clone())).id())
    }

    fn not_served(&self, plan: &Plan) -> Vec<Kind> {
        let mut kinds: Vec<_> = plan.writes.iter().map(|write| write.kind).collect();
        kinds.retain(|kind| !self.store.serves_kind(*kind));
        kinds
    }

    fn identity_task(&mut self, name: &ObjectName) -> Option<Id> {
        let tracked = self.store.identities.get(name)?;
        let parsed = self.store.world.service_identities.get(name)?;
        let meta = tracked.meta.clone();
        let status = conditions::identity_status(parsed, &self.mesh, meta.generation, &tracked.status, clock::now());
        if status == tracked.status || meta.deleting {
            return None;
        }
        Some(
            self.tasks
                .spawn(restate_identity(self.tools.clone(), name.clone(), meta, status))
                .id(),
        )
    }

    fn orphan_task(&mut self, uid: &str) -> Option<Id> {
        if self.store.policy_of(uid).is_some() {
            return None;
        }
        let objects: Vec<_> = self.store.owned.of(uid).to_vec();
        if objects.is_empty() {
            return None;
        }
        Some(
            self.tasks
                .spawn(remove_orphans(self.tools.clone(), uid.to_owned(), objects))
                .id(),
        )
    }

    fn start_issuer(&mut self, name: String, since: Instant) {
        match self.issuer_task(&name) {
            Some(id) => {
                self.fetching += 1;
                self.running.insert(id, Running::Fetch(name, since));
            }
            None => self.fetches.done(&name, clock::instant()),
        }
    }

    fn issuer_task(&mut self, name: &str) -> Option<Id> {
        let tracked = self.store.issuers.get(name)?;
        let issuer = self.store.world.token_issuers.get(name)?;
        if tracked.meta.deleting {
            return None;
        }
        let wanted = issuer.fetch().map(|source| Wanted {
            uri: source.uri.to_owned(),
            ca_bundle: source.ca_bundle.map(str::to_owned),
        });
        if wanted.is_none() {
            let generation = tracked.meta.generation;
            let status =
                conditions::issuer_status(issuer, &KeyFetch::NotNeeded, generation, &tracked.status, clock::now());
            if status == tracked.status {
                return None;
            }
        }
        let job = IssuerJob {
            name: name.to_owned(),
            meta: tracked.meta.clone(),
            issuer: issuer.clone(),
            wanted,
            previous: tracked.status.clone(),
        };
        Some(self.tasks.spawn(job.run(self.tools.clone())).id())
    }

    fn ended(&mut self, ended: Result<(Id, Outcome), JoinError>) {
        let (id, outcome) = match ended {
            Ok(ended) => ended,
            Err(failed) => {
                self.tools.metrics.failed(Failure::Panic);
                error!(error = %failed, "a task panicked");
                (
                    failed.id(),
                    Outcome {
                        error: Some(WriteError::Panicked),
                        ..Outcome::default()
                    },
                )
            }
        };
        match self.running.remove(&id) {
            Some(Running::Work(key, since)) => self.work_ended(&key, since, outcome),
            Some(Running::Fetch(name, since)) => self.fetch_ended(name, since, outcome),
            // It was started before leadership was lost.
            None => {}
        }
    }

    fn work_ended(&mut self, key: &Key, since: Instant, outcome: Outcome) {
        let own = match key {
            Key::Policy(name) => Some(Effect::Policy(name.clone())),
            Key::Identity(name) => Some(Effect::Identity(name.clone())),
            Key::Orphan(_) => None,
        };
        self.remember(&outcome, own.as_ref());
        let now = clock::instant();
        self.tools.metrics.reconcile.observe((now - since).as_secs_f64());
        match outcome.error {
            None => self.work.done(key, now),
            Some(error) => {
                self.complain(&error);
                debug!(?key, %error, "to be tried again");
                self.work.failed(key, now);
            }
        }
    }

    fn fetch_ended(&mut self, name: String, since: Instant, outcome: Outcome) {
        self.fetching -= 1;
        self.remember(&outcome, Some(&Effect::Issuer(name.clone())));
        let now = clock::instant();
        self.tools.metrics.reconcile.observe((now - since).as_secs_f64());
        if let Some(error) = &outcome.error {
            self.complain(error);
        }
        match (outcome.error, outcome.fetched) {
            (None, Some(true)) => {
                self.fetches.done(&name, now);
                self.fetches.later(name, now + REFRESH);
            }
            (None, None) => self.fetches.done(&name, now),
            (Some(_), _) | (_, Some(false)) => self.fetches.failed(&name, now),
        }
    }

    fn complain(&self, error: &WriteError) {
        self.tools.metrics.failed(error.failure());
        match error {
            WriteError::Raced(_) | WriteError::NotLeader => debug!(%error, "not written"),
            _ => warn!(%error, "not written"),
        }
    }

    /// Takes in what a task did, before the watches tell. `own` is what it was for: that it changed is no news.
    fn remember(&mut self, outcome: &Outcome, own: Option<&Effect>) {
        let mut effects = Vec::new();
        for change in &outcome.changes {
            let uids = match change {
                Change::Wrote(observed) => self.store.owned.see(observed.clone(), Trust::Newer),
                Change::Deleted(observed) => self
                    .store
                    .owned
                    .forget(&(observed.kind, observed.name.clone()), None)
                    .into_iter()
                    .collect(),
            };
            effects.extend(self.store.owners_changed(uids));
        }
        if let Some((name, fact)) = outcome.restated.clone() {
            effects.extend(self.store.see(name, fact, Trust::Newer));
        }
        effects.retain(|effect| Some(effect) != own && !matches!(effect, Effect::Orphan(_)));
        self.follow_up(effects);
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

/// Whether a policy of which everything is written has the status that says so.
fn settled(tracked: &Tracked<ApiAuthPolicyStatus>, report: &Report) -> bool {
    let generation = tracked.meta.generation;
    tracked.status == conditions::policy_status(report, &Applied::Current, generation, &tracked.status, clock::now())
}
