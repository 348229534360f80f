//! The cluster as the operator knows it: [`MapWorld`] for the policies' meaning, and beside it what reporting and
//! comparing need. One loop owns it, so there are no locks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use countersign_crds::{ApiAuthPolicyStatus, ServiceIdentityStatus, TokenIssuerStatus};
use countersign_policy::object::Kind;
use countersign_policy::parse::ParsedPolicy;
use countersign_policy::world::{Dependency, MapWorld, ObjectName};

use crate::fact::{Fact, Meta, Version};
use crate::kinds::Source;
use crate::owned::{Owned, Trust};
use crate::watch::Signal;

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
    /// The objects of the mesh that Countersign wrote.
    pub owned: Owned,
    uids: HashMap<String, ObjectName>,
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
            Signal::Seen(source, name, fact) => match self.unconfirmed.get_mut(&source) {
                Some(unconfirmed) => {
                    unconfirmed.remove(&name);
                    self.see(name, *fact, Trust::Whatever)
                }
                None => self.see(name, *fact, Trust::Newer),
            },
            Signal::Gone(source, name, version) => self.forget(source, &name, version),
            Signal::Listed(source) => {
                self.listed.insert(source);
                let arrived = self.not_served.remove(&source);
                let vanished = self.unconfirmed.remove(&source).unwrap_or_default();
                let mut effects: Vec<_> = vanished
                    .iter()
                    .flat_map(|name| self.forget(source, name, None))
                    .collect();
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
                    .flat_map(|name| self.forget(source, name, None))
                    .collect()
            }
        }
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

    /// Takes in an object as it is. Returns what it changes.
    pub fn see(&mut self, name: ObjectName, fact: Fact, trust: Trust) -> Vec<Effect> {
        let changed = |different: bool, dependency: Dependency| {
            if different {
                vec![Effect::Dependency(dependency)]
            } else {
                Vec::new()
            }
        };
        match fact {
            Fact::Policy(meta, parsed, status) => self.see_policy(name, meta, *parsed, *status, trust),
            Fact::Identity(meta, parsed, status) => {
                let known = self.identities.get(&name);
                if known.is_some_and(|known| trust.refuses(meta.version, known.meta.version)) {
                    return Vec::new();
                }
                let respec = known.is_none_or(|known| changed_spec(&known.meta, &meta));
                let restated = known.is_none_or(|known| known.status != *status);
                self.identities.insert(name.clone(), Tracked { meta, status: *status });
                let mut effects = Vec::new();
                if respec {
                    self.world.service_identities.insert(name.clone(), *parsed);
                    effects.push(Effect::Dependency(Dependency::ServiceIdentity(name.clone())));
                }
                if respec || restated {
                    effects.push(Effect::Identity(name));
                }
                effects
            }
            Fact::Issuer(meta, parsed, status) => {
                let known = self.issuers.get(&name.name);
                if known.is_some_and(|known| trust.refuses(meta.version, known.meta.version)) {
                    return Vec::new();
                }
                let respec = known.is_none_or(|known| changed_spec(&known.meta, &meta));
                let rekeyed = known
                    .is_none_or(|known| known.status.jwks != status.jwks || known.status.jwks_uri != status.jwks_uri);
                let restated = known.is_none_or(|known| known.status != *status);
                self.issuers
                    .insert(name.name.clone(), Tracked { meta, status: *status });
                let mut effects = Vec::new();
                if respec || rekeyed {
                    self.world.token_issuers.insert(name.name.clone(), *parsed);
                    effects.push(Effect::Dependency(Dependency::TokenIssuer(name.name.clone())));
                }
                if respec || restated {
                    effects.push(Effect::Issuer(name.name));
                }
                effects
            }
            Fact::Namespace(facts) => {
                let known = self.world.namespaces.insert(name.name.clone(), facts.clone());
                changed(known != Some(facts), Dependency::Namespace(name.name))
            }
            Fact::Pod(facts) => {
                let known = self.world.pods.insert(name.clone(), facts.clone());
                changed(known != Some(facts), Dependency::Pods(name.namespace))
            }
            Fact::Service(facts) => {
                let known = self.world.services.insert(name.clone(), facts.clone());
                changed(known != Some(facts), Dependency::Service(name))
            }
            Fact::Gateway(facts) => {
                let known = self.world.gateways.insert(name.clone(), facts.clone());
                changed(known != Some(facts), Dependency::Gateway(name))
            }
            Fact::HttpRoute(facts) => {
                let known = self.world.http_routes.insert(name.clone(), facts.clone());
                changed(known != Some(facts), Dependency::HttpRoute(name))
            }
            Fact::Owned(observed) => {
                let hint = observed
                    .policy
                    .as_ref()
                    .map(|policy| ObjectName::new(name.namespace.clone(), policy.clone()));
                let uids = self.owned.see(*observed, trust);
                let hint = hint.filter(|hint| !uids.is_empty() && self.policies.contains_key(hint));
                let mut effects = self.owners_changed(uids);
                effects.extend(hint.map(Effect::Policy));
                effects
            }
        }
    }

    fn see_policy(
        &mut self,
        name: ObjectName,
        meta: Meta,
        parsed: ParsedPolicy,
        status: ApiAuthPolicyStatus,
        trust: Trust,
    ) -> Vec<Effect> {
        let known = self.policies.get(&name);
        if known.is_some_and(|known| trust.refuses(meta.version, known.meta.version)) {
            return Vec::new();
        }
        let respec = known.is_none_or(|known| changed_spec(&known.meta, &meta));
        let restated = known.is_none_or(|known| known.status != status);
        let mut effects = Vec::new();
        if let Some(former) = known.map(|known| known.meta.uid.clone()).filter(|uid| *uid != meta.uid) {
            self.uids.remove(&former);
            if self.owned.any(&former) {
                effects.push(Effect::Orphan(former));
            }
        }
        self.uids.insert(meta.uid.clone(), name.clone());
        self.policies.insert(name.clone(), Tracked { meta, status });
        if respec {
            self.world.policies.insert(name.clone(), parsed);
            effects.push(Effect::Dependency(Dependency::Policies(name.namespace.clone())));
        }
        if respec || restated {
            effects.push(Effect::Policy(name));
        }
        effects
    }

    fn forget(&mut self, source: Source, name: &ObjectName, version: Version) -> Vec<Effect> {
        let gone =
            |was: bool, dependency: Dependency| was.then_some(Effect::Dependency(dependency)).into_iter().collect();
        match source {
            Source::Policies => self.forget_policy(name),
            Source::Identities => {
                self.identities.remove(name);
                gone(
                    self.world.service_identities.remove(name).is_some(),
                    Dependency::ServiceIdentity(name.clone()),
                )
            }
            Source::Issuers => {
                self.issuers.remove(&name.name);
                gone(
                    self.world.token_issuers.remove(&name.name).is_some(),
                    Dependency::TokenIssuer(name.name.clone()),
                )
            }
            Source::Namespaces => gone(
                self.world.namespaces.remove(&name.name).is_some(),
                Dependency::Namespace(name.name.clone()),
            ),
            Source::Pods => gone(
                self.world.pods.remove(name).is_some(),
                Dependency::Pods(name.namespace.clone()),
            ),
            Source::Services => gone(
                self.world.services.remove(name).is_some(),
                Dependency::Service(name.clone()),
            ),
            Source::Gateways => gone(
                self.world.gateways.remove(name).is_some(),
                Dependency::Gateway(name.clone()),
            ),
            Source::HttpRoutes => gone(
                self.world.http_routes.remove(name).is_some(),
                Dependency::HttpRoute(name.clone()),
            ),
            Source::Owned(kind) => self.forget_owned(kind, name, version),
        }
    }

    fn forget_policy(&mut self, name: &ObjectName) -> Vec<Effect> {
        let Some(gone) = self.policies.remove(name) else {
            return Vec::new();
        };
        self.world.policies.remove(name);
        self.uids.remove(&gone.meta.uid);
        let mut effects = vec![
            Effect::PolicyGone(name.clone()),
            Effect::Dependency(Dependency::Policies(name.namespace.clone())),
        ];
        if self.owned.any(&gone.meta.uid) {
            effects.push(Effect::Orphan(gone.meta.uid));
        }
        effects
    }

    fn forget_owned(&mut self, kind: Kind, name: &ObjectName, version: Version) -> Vec<Effect> {
        let hint = self
            .owned
            .get(&(kind, name.clone()))
            .and_then(|observed| observed.policy.clone());
        let hint = hint.map(|policy| ObjectName::new(name.namespace.clone(), policy));
        let uid = self.owned.forget(&(kind, name.clone()), version);
        let hint = hint.filter(|hint| uid.is_some() && self.policies.contains_key(hint));
        // The name is free now: a policy of the same name as the one that had it may have waited for that.
        let mut effects = self.owners_changed(uid);
        effects.extend(hint.map(Effect::Policy));
        effects
    }
}

fn changed_spec(known: &Meta, seen: &Meta) -> bool {
    known.uid != seen.uid || known.generation != seen.generation || known.deleting != seen.deleting
}

#[cfg(test)]
mod tests {
    use countersign_policy::parse;
    use countersign_policy::world::{PodFacts, ServiceFacts};
    use serde_json::json;

    use super::*;
    use crate::fact::Observed;

    fn name(name: &str) -> ObjectName {
        ObjectName::new("shop", name)
    }

    fn service(service: &str) -> Signal {
        Signal::Seen(
            Source::Services,
            name(service),
            Box::new(Fact::Service(ServiceFacts::default())),
        )
    }

    fn policy(uid: &str, generation: i64, version: u64) -> Signal {
        let meta = Meta {
            uid: uid.into(),
            generation,
            version: Some(version),
            deleting: false,
        };
        let parsed = Box::new(parse::policy(name("p"), &json!({})));
        Signal::Seen(
            Source::Policies,
            name("p"),
            Box::new(Fact::Policy(meta, parsed, Box::default())),
        )
    }

    fn object(policy_uid: &str, version: u64) -> Signal {
        let observed = Observed {
            kind: Kind::AuthorizationPolicy,
            name: name("a"),
            uid: "1".into(),
            policy_uid: policy_uid.into(),
            policy: Some("p".into()),
            role: None,
            version: Some(version),
            digest: [0; 16],
        };
        Signal::Seen(
            Source::Owned(observed.kind),
            observed.name.clone(),
            Box::new(Fact::Owned(Box::new(observed))),
        )
    }

    fn after(signals: impl IntoIterator<Item = Signal>) -> Store {
        let mut store = Store::default();
        signals.into_iter().for_each(|signal| drop(store.take(signal)));
        store
    }

    fn service_changed(service: &str) -> Effect {
        Effect::Dependency(Dependency::Service(name(service)))
    }

    #[test]
    fn a_list_tells_what_was_deleted_while_nobody_watched() {
        let mut store = after([
            Signal::Listing(Source::Services),
            service("a"),
            service("b"),
            Signal::Listed(Source::Services),
        ]);
        assert_eq!(store.take(Signal::Listing(Source::Services)), []);
        assert_eq!(store.take(service("b")), [], "it is as it was");
        assert!(
            store.world.services.contains_key(&name("a")),
            "nothing is concluded from half a list"
        );
        assert_eq!(store.take(Signal::Listed(Source::Services)), [service_changed("a")]);
        assert!(!store.world.services.contains_key(&name("a")));
    }

    #[test]
    fn a_list_that_broke_off_deletes_nothing() {
        let mut store = after([
            service("a"),
            service("b"),
            Signal::Listing(Source::Services),
            service("a"),
        ]);
        assert_eq!(store.take(Signal::Listing(Source::Services)), []);
        store.take(service("a"));
        store.take(service("b"));
        assert_eq!(store.take(Signal::Listed(Source::Services)), []);
    }

    #[test]
    fn nothing_is_complete_before_everything_is() {
        let mut store = Store::default();
        for source in Source::all() {
            assert!(!store.complete());
            store.take(Signal::Listed(source));
        }
        assert!(store.complete());
        store.take(Signal::NotServed(Source::Gateways));
        assert!(
            store.complete() && !store.serves(Source::Gateways),
            "a cluster can do without gateways"
        );
        store.take(Signal::NotServed(Source::Policies));
        assert!(!store.complete(), "but not without policies");
    }

    #[test]
    fn a_status_changes_nobody_else() {
        let mut store = after([policy("u", 1, 1)]);
        assert_eq!(store.take(policy("u", 1, 2)), []);
        let changed = [
            Effect::Dependency(Dependency::Policies("shop".into())),
            Effect::Policy(name("p")),
        ];
        assert_eq!(store.take(policy("u", 2, 3)), changed);
        assert_eq!(store.take(policy("u", 1, 2)), [], "older than what is known");
    }

    #[test]
    fn what_a_deleted_policy_leaves_is_an_orphan() {
        let mut store = after([policy("u", 1, 1), object("u", 2)]);
        let effects = store.take(Signal::Gone(Source::Policies, name("p"), Some(3)));
        assert!(effects.contains(&Effect::Orphan("u".into())) && effects.contains(&Effect::PolicyGone(name("p"))));
        assert_eq!(store.orphans(), ["u"]);

        // A new policy of the name waits for the old one's objects to go.
        store.take(policy("v", 1, 4));
        assert_eq!(store.orphans(), ["u"]);
        let gone = Signal::Gone(Source::Owned(Kind::AuthorizationPolicy), name("a"), Some(5));
        assert!(store.take(gone).contains(&Effect::Policy(name("p"))));
        assert_eq!(store.orphans(), [""; 0]);
    }

    #[test]
    fn a_policy_that_took_the_place_of_another_is_another() {
        let mut store = after([policy("u", 1, 1), object("u", 2)]);
        let effects = store.take(policy("v", 1, 3));
        assert!(effects.contains(&Effect::Orphan("u".into())) && effects.contains(&Effect::Policy(name("p"))));
        assert_eq!((store.policy_of("u"), store.policy_of("v")), (None, Some(&name("p"))));
    }

    #[test]
    fn a_pod_that_only_restarted_is_no_change() {
        let pod = |facts: PodFacts| Signal::Seen(Source::Pods, name("pod"), Box::new(Fact::Pod(facts)));
        let mut store = after([pod(PodFacts::default())]);
        assert_eq!(store.take(pod(PodFacts::default())), []);
        let injected = PodFacts {
            in_mesh: true,
            ..PodFacts::default()
        };
        assert_eq!(
            store.take(pod(injected)),
            [Effect::Dependency(Dependency::Pods("shop".into()))]
        );
    }
}
