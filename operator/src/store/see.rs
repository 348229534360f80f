//! Objects as they are now.

use std::collections::{BTreeMap, BTreeSet};

use countersign_crds::{ApiAuthPolicyStatus, ServiceIdentityStatus, TokenIssuerStatus};
use countersign_policy::holders::{Held, named};
use countersign_policy::parse::{ParsedIdentity, ParsedIssuer, ParsedPolicy};
use countersign_policy::world::{Dependency, ObjectName};

use super::{Effect, Store, Tracked};
use crate::fact::{Fact, Meta, Observed};
use crate::owned::Trust;

/// What is new about an object of one of Countersign's own kinds.
struct News {
    /// What it says.
    spec: bool,
    /// What is said of it.
    status: bool,
}

impl News {
    /// Compares an object with what is known of it. None if what is known is newer. `parsed` is what was known of its spec,
    /// and what it says now: in a cluster restored from a backup, another spec may have the same generation.
    fn of<S: PartialEq, P: PartialEq>(
        known: Option<&Tracked<S>>,
        meta: &Meta,
        status: &S,
        parsed: (Option<&P>, &P),
        trust: Trust,
    ) -> Option<Self> {
        let Some(known) = known else {
            return Some(Self {
                spec: true,
                status: true,
            });
        };
        let before = &known.meta;
        if trust.refuses(meta.version, before.version) {
            return None;
        }
        let spec = before.uid != meta.uid
            || before.generation != meta.generation
            || before.deleting != meta.deleting
            || trust == Trust::Whatever && parsed.0 != Some(parsed.1);
        Some(Self {
            spec,
            status: known.status != *status,
        })
    }
}

impl Store {
    /// Takes in an object as it is. Returns what it changes.
    pub fn see(&mut self, name: ObjectName, fact: Fact, trust: Trust) -> Vec<Effect> {
        let world = &mut self.world;
        let changed = match fact {
            Fact::Policy(meta, parsed, status) => return self.see_policy(name, meta, *parsed, *status, trust),
            Fact::Identity(meta, parsed, status) => return self.see_identity(name, meta, *parsed, *status, trust),
            Fact::Issuer(meta, parsed, status) => return self.see_issuer(name.name, meta, *parsed, *status, trust),
            Fact::Owned(observed) => return self.see_owned(*observed, trust),
            Fact::Namespace(facts, ending) => {
                if ending {
                    self.ending.insert(name.name.clone());
                } else {
                    self.ending.remove(&name.name);
                }
                put(&mut world.namespaces, &name.name, facts).then_some(Dependency::Namespace(name.name))
            }
            Fact::Pod(facts) => put(&mut world.pods, &name, facts).then_some(Dependency::Pods(name.namespace)),
            Fact::Service(facts) => put(&mut world.services, &name, facts).then_some(Dependency::Service(name)),
            Fact::Gateway(facts) => put(&mut world.gateways, &name, facts).then_some(Dependency::Gateway(name)),
            Fact::HttpRoute(facts) => put(&mut world.http_routes, &name, facts).then_some(Dependency::HttpRoute(name)),
        };
        changed.map(Effect::Dependency).into_iter().collect()
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
        let both = (self.world.policies.get(&name), &parsed);
        let Some(news) = News::of(known, &meta, &status, both, trust) else {
            return Vec::new();
        };
        let mut effects = Vec::new();
        if let Some(former) = known.map(|known| known.meta.uid.clone()).filter(|uid| *uid != meta.uid) {
            self.uids.remove(&former);
            if self.owned.any(&former) {
                effects.push(Effect::Orphan(former));
            }
        }
        self.uids.insert(meta.uid.clone(), name.clone());
        self.policies.insert(name.clone(), Tracked { meta, status });
        if news.spec {
            self.world.policies.insert(name.clone(), parsed);
            effects.push(Effect::Dependency(Dependency::Policies(name.namespace.clone())));
        }
        if news.spec || news.status {
            effects.push(Effect::Policy(name));
        }
        effects
    }

    fn see_identity(
        &mut self,
        name: ObjectName,
        meta: Meta,
        parsed: ParsedIdentity,
        status: ServiceIdentityStatus,
        trust: Trust,
    ) -> Vec<Effect> {
        let both = (self.world.service_identities.get(&name), &parsed);
        let Some(news) = News::of(self.identities.get(&name), &meta, &status, both, trust) else {
            return Vec::new();
        };
        self.identities.insert(name.clone(), Tracked { meta, status });
        let mut effects = Vec::new();
        if news.spec {
            effects.extend(self.identity_changed(&name, Some(parsed)));
            effects.push(Effect::Dependency(Dependency::ServiceIdentity(name.clone())));
        }
        if news.spec || news.status {
            effects.push(Effect::Identity(name));
        }
        effects
    }

    /// Takes in what an identity says now, or that it is gone. Returns those who name something that has another holder
    /// by that: the new holder is ready, and what the others say of it is different.
    pub(super) fn identity_changed(&mut self, name: &ObjectName, now: Option<ParsedIdentity>) -> BTreeSet<Effect> {
        let before = self.world.service_identities.remove(name);
        let concerned: BTreeSet<Held> = [&before, &now].into_iter().flatten().flat_map(named).collect();
        let held_by: Vec<_> = concerned.iter().map(|held| self.holders.of(held).cloned()).collect();
        if let Some(before) = before {
            self.holders.remove(&before);
        }
        if let Some(now) = now {
            self.holders.add(&now);
            self.world.service_identities.insert(name.clone(), now);
        }
        let passed_on = concerned
            .iter()
            .zip(held_by)
            .filter(|(held, before)| self.holders.of(held) != before.as_ref());
        passed_on
            .flat_map(|(held, _)| self.holders.claimants(held))
            .filter(|claimant| *claimant != name)
            .cloned()
            .map(Effect::Identity)
            .collect()
    }

    fn see_issuer(
        &mut self,
        name: String,
        meta: Meta,
        parsed: ParsedIssuer,
        status: TokenIssuerStatus,
        trust: Trust,
    ) -> Vec<Effect> {
        let known = self.issuers.get(&name);
        let both = (self.world.token_issuers.get(&name), &parsed);
        let Some(news) = News::of(known, &meta, &status, both, trust) else {
            return Vec::new();
        };
        // The keys that were fetched or made are in the status, and policies depend on them. When a managed issuer's keys
        // turn and who uses it is told there too, and changes no policy.
        let keys = |status: &TokenIssuerStatus| {
            let TokenIssuerStatus {
                jwks, jwks_uri, issuer, ..
            } = status;
            (jwks.clone(), jwks_uri.clone(), issuer.clone(), status.keys.is_empty())
        };
        let rekeyed = known.is_none_or(|known| keys(&known.status) != keys(&status));
        self.issuers.insert(name.clone(), Tracked { meta, status });
        let mut effects = Vec::new();
        if news.spec || rekeyed {
            self.world.token_issuers.insert(name.clone(), parsed);
            effects.push(Effect::Dependency(Dependency::TokenIssuer(name.clone())));
        }
        if news.spec || news.status {
            effects.push(Effect::Issuer(name));
        }
        effects
    }

    fn see_owned(&mut self, observed: Observed, trust: Trust) -> Vec<Effect> {
        let namespace = observed.name.namespace.clone();
        let hint = observed.policy.clone().map(|policy| ObjectName::new(namespace, policy));
        let uids = self.owned.see(observed, trust);
        let hint = hint.filter(|hint| !uids.is_empty() && self.policies.contains_key(hint));
        let mut effects = self.owners_changed(uids);
        effects.extend(hint.map(Effect::Policy));
        effects
    }
}

/// Puts facts into a map. Returns whether they are new.
fn put<K: Ord + Clone, V: PartialEq>(map: &mut BTreeMap<K, V>, name: &K, facts: V) -> bool {
    if map.get(name) == Some(&facts) {
        return false;
    }
    map.insert(name.clone(), facts);
    true
}
