//! Decides whether a key needs work, and starts the task that does it.

use countersign_crds::ApiAuthPolicyStatus;
use countersign_policy::Report;
use countersign_policy::conditions::{self, Applied, KeyFetch};
use countersign_policy::object::{Kind, Owner};
use countersign_policy::world::ObjectName;
use tokio::task::Id;
use tokio::time::Instant;

use super::{Engine, Key, Running};
use crate::jwks::Wanted;
use crate::plan::{Plan, plan};
use crate::store::Tracked;
use crate::work::{IssuerJob, PolicyJob, remove_orphans, restate_identity};
use countersign_runtime::clock;

impl Engine {
    /// Looks at a key, and starts what it needs.
    pub(super) fn start(&mut self, key: Key, since: Instant) {
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
        if tracked.meta.deleting || self.store.ends(&name.namespace) {
            // Its objects go when it goes, and until then they protect.
            return None;
        }
        let evaluation = countersign_policy::evaluate(name, &self.store.world, &self.mesh)?;
        self.index.set(name, evaluation.dependencies);
        let owner = Owner {
            name: &name.name,
            uid: &tracked.meta.uid,
        };
        let observed = self.store.owned.of(&tracked.meta.uid);
        let plan = plan(
            &owner,
            &name.namespace,
            &evaluation.desired,
            evaluation.keep_refusals,
            observed,
        );
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
        let status = conditions::identity_status(
            parsed,
            &self.store.holders,
            &self.mesh,
            meta.generation,
            &tracked.status,
            clock::now(),
        );
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

    /// Looks at an issuer, and starts what it needs.
    pub(super) fn start_issuer(&mut self, name: String, since: Instant) {
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
}

/// Whether a policy of which everything is written has the status that says so.
fn settled(tracked: &Tracked<ApiAuthPolicyStatus>, report: &Report) -> bool {
    let generation = tracked.meta.generation;
    tracked.status == conditions::policy_status(report, &Applied::Current, generation, &tracked.status, clock::now())
}
