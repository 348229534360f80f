//! The cluster as the operator knows it: [`MapWorld`] for the policies' meaning, and beside it what reporting and
//! comparing need. One loop owns it, so there are no locks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use countersign_crds::{ApiAuthPolicyStatus, ServiceIdentityStatus, TokenIssuerStatus};
use countersign_policy::Holders;
use countersign_policy::object::Kind;
use countersign_policy::world::{Dependency, MapWorld, ObjectName};

use crate::fact::{Fact, Meta, Observed, Version};
use crate::kinds::Source;
use crate::owned::{Owned, Trust};
use crate::watch::Signal;

mod forget;
mod see;
#[cfg(test)]
mod tests;

/// What a change means for the work to be done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Something that policies look at is different.
    Dependency(Dependency),
    /// A policy, its status or its objects are different.
    Policy(ObjectName),
    /// A policy is gone.
    PolicyGone(ObjectName),
    /// A `ServiceIdentity` or its status is different.
    Identity(ObjectName),
    /// A `TokenIssuer` or its status is different.
    Issuer(String),
    /// There are objects of a policy that does not exist, by uid.
    Orphan(String),
}

/// An object of one of Countersign's own kinds.
#[derive(Clone, Debug, Default)]
pub struct Tracked<S> {
    /// What every object has.
    pub meta: Meta,
    /// Its status as it is.
    pub status: S,
}

/// The cluster as the operator knows it.
#[derive(Debug, Default)]
pub struct Store {
    /// What policies are evaluated against.
    pub world: MapWorld,
    /// The policies.
    pub policies: BTreeMap<ObjectName, Tracked<ApiAuthPolicyStatus>>,
    /// The identities.
    pub identities: BTreeMap<ObjectName, Tracked<ServiceIdentityStatus>>,
    /// The issuers.
    pub issuers: BTreeMap<String, Tracked<TokenIssuerStatus>>,
    /// Which identity holds which service account.
    pub holders: Holders,
    /// The objects of the mesh that Countersign wrote.
    pub owned: Owned,
    uids: HashMap<String, ObjectName>,
    /// What went since [`Store::forget_gone`], and as of which write.
    gone: HashMap<(Source, ObjectName), Version>,
    /// Namespaces that are being deleted.
    ending: BTreeSet<String>,
    /// What a list under way has not named yet.
    unconfirmed: BTreeMap<Source, BTreeSet<ObjectName>>,
    listed: BTreeSet<Source>,
    not_served: BTreeSet<Source>,
}

impl Store {
    /// Takes in what a watch tells. Returns what it changes.
    pub fn take(&mut self, signal: Signal) -> Vec<Effect> {
        match signal {
            Signal::Listing(source) => {
                self.unconfirmed
                    .insert(source, self.names(source).into_iter().collect());
                Vec::new()
            }
            Signal::Seen(source, name, fact) => {
                let trust = match self.unconfirmed.get_mut(&source) {
                    Some(unconfirmed) => {
                        unconfirmed.remove(&name);
                        Trust::Whatever
                    }
                    None => Trust::Newer,
                };
                if !self.gone.is_empty() {
                    // Whatever is told of it late is older than this.
                    self.gone.remove(&(source, name.clone()));
                }
                self.see(name, *fact, trust)
            }
            Signal::Gone(source, name, version) => self.lose(source, &name, version),
            Signal::Listed(source) => {
                self.listed.insert(source);
                let arrived = self.not_served.remove(&source);
                let vanished = self.unconfirmed.remove(&source).unwrap_or_default();
                let mut effects: Vec<_> = vanished.iter().flat_map(|name| self.lose(source, name, None)).collect();
                if arrived && matches!(source, Source::Owned(_)) {
                    // What could not be written for want of this kind can be now.
                    effects.extend(self.policies.keys().cloned().map(Effect::Policy));
                }
                effects
            }
            Signal::NotServed(source) => {
                self.unconfirmed.remove(&source);
                if !source.optional() {
                    // Most likely the chart's CRDs are not installed yet. Nothing is concluded from that.
                    self.listed.remove(&source);
                    return Vec::new();
                }
                self.listed.insert(source);
                self.not_served.insert(source);
                self.names(source)
                    .iter()
                    .flat_map(|name| self.lose(source, name, None))
                    .collect()
            }
        }
    }

    /// Takes in an object as a task left it. The watch may have told since that it is gone, and would not tell again: then
    /// only what was written later counts.
    pub fn learn(&mut self, name: ObjectName, fact: Fact) -> Vec<Effect> {
        let (source, version) = match &fact {
            Fact::Policy(meta, ..) => (Source::Policies, meta.version),
            Fact::Identity(meta, ..) => (Source::Identities, meta.version),
            Fact::Issuer(meta, ..) => (Source::Issuers, meta.version),
            Fact::Owned(observed) => (Source::Owned(observed.kind), observed.version),
            // Tasks write nothing else.
            _ => return Vec::new(),
        };
        let key = (source, name);
        if let Some(gone) = self.gone.get(&key)
            && (gone.is_none() || version <= *gone)
        {
            return Vec::new();
        }
        self.see(key.1, fact, Trust::Newer)
    }

    /// Takes in that a task deleted an object.
    pub fn unlearn(&mut self, deleted: &Observed) -> Vec<Effect> {
        let key = (deleted.kind, deleted.name.clone());
        let known = self.owned.get(&key);
        if known.is_none_or(|known| known.uid != deleted.uid) {
            // Another one has its name by now.
            return Vec::new();
        }
        let uid = self.owned.forget(&key, None);
        self.owners_changed(uid)
    }

    /// No task is under way, so none will tell of what is gone.
    pub fn forget_gone(&mut self) {
        self.gone.clear();
    }

    fn lose(&mut self, source: Source, name: &ObjectName, version: Version) -> Vec<Effect> {
        if matches!(
            source,
            Source::Policies | Source::Identities | Source::Issuers | Source::Owned(_)
        ) {
            self.gone.insert((source, name.clone()), version);
        }
        self.forget(source, name, version)
    }

    /// Whether every kind was read completely once, so that what is not in the store does not exist.
    pub fn complete(&self) -> bool {
        Source::all().all(|source| self.listed.contains(&source))
    }

    /// The kinds that were not read completely yet.
    pub fn missing(&self) -> Vec<Source> {
        Source::all().filter(|source| !self.listed.contains(source)).collect()
    }

    /// Whether the cluster serves a kind.
    pub fn serves(&self, source: Source) -> bool {
        !self.not_served.contains(&source)
    }

    /// Whether the cluster serves a kind of the mesh.
    pub fn serves_kind(&self, kind: Kind) -> bool {
        self.serves(Source::Owned(kind))
    }

    /// Whether a namespace is being deleted. Nothing can be created in it, and what is in it goes by itself.
    pub fn ends(&self, namespace: &str) -> bool {
        self.ending.contains(namespace)
    }

    /// The policy with a uid.
    pub fn policy_of(&self, uid: &str) -> Option<&ObjectName> {
        self.uids.get(uid)
    }

    /// The policies that do not exist and yet have objects, by uid.
    pub fn orphans(&self) -> Vec<String> {
        self.owned
            .policies()
            .filter(|uid| !self.uids.contains_key(*uid))
            .map(str::to_owned)
            .collect()
    }

    /// How many objects of a kind there are.
    pub fn count(&self, source: Source) -> usize {
        match source {
            Source::Policies => self.policies.len(),
            Source::Identities => self.identities.len(),
            Source::Issuers => self.issuers.len(),
            Source::Namespaces => self.world.namespaces.len(),
            Source::Pods => self.world.pods.len(),
            Source::Services => self.world.services.len(),
            Source::Gateways => self.world.gateways.len(),
            Source::HttpRoutes => self.world.http_routes.len(),
            Source::Owned(kind) => self.owned.all(kind).count(),
        }
    }

    /// What a change of some objects of the mesh, by the uids of their policies, means.
    pub fn owners_changed(&self, uids: impl IntoIterator<Item = Arc<str>>) -> Vec<Effect> {
        uids.into_iter()
            .map(|uid| match self.uids.get(uid.as_ref()) {
                Some(name) => Effect::Policy(name.clone()),
                None => Effect::Orphan(uid.to_string()),
            })
            .collect()
    }

    fn names(&self, source: Source) -> Vec<ObjectName> {
        let cluster = |names: Vec<&String>| {
            names
                .into_iter()
                .map(|name| ObjectName::new("", name.as_str()))
                .collect()
        };
        match source {
            Source::Policies => self.policies.keys().cloned().collect(),
            Source::Identities => self.identities.keys().cloned().collect(),
            Source::Issuers => cluster(self.issuers.keys().collect()),
            Source::Namespaces => cluster(self.world.namespaces.keys().collect()),
            Source::Pods => self.world.pods.keys().cloned().collect(),
            Source::Services => self.world.services.keys().cloned().collect(),
            Source::Gateways => self.world.gateways.keys().cloned().collect(),
            Source::HttpRoutes => self.world.http_routes.keys().cloned().collect(),
            Source::Owned(kind) => self.owned.all(kind).map(|observed| observed.name.clone()).collect(),
        }
    }
}
