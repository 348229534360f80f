//! Objects that are gone.

use countersign_policy::object::Kind;
use countersign_policy::world::{Dependency, ObjectName};

use super::{Effect, Store};
use crate::fact::Version;
use crate::kinds::Source;

impl Store {
    /// Forgets an object that is gone as of a write. Returns what that changes.
    pub(super) fn forget(&mut self, source: Source, name: &ObjectName, version: Version) -> Vec<Effect> {
        let gone =
            |was: bool, dependency: Dependency| was.then_some(Effect::Dependency(dependency)).into_iter().collect();
        match source {
            Source::Policies => self.forget_policy(name),
            Source::Identities => {
                if self.identities.remove(name).is_none() {
                    return Vec::new();
                }
                let mut effects: Vec<_> = self.identity_changed(name, None).into_iter().collect();
                effects.push(Effect::Dependency(Dependency::ServiceIdentity(name.clone())));
                effects
            }
            Source::Issuers => {
                self.issuers.remove(&name.name);
                gone(
                    self.world.token_issuers.remove(&name.name).is_some(),
                    Dependency::TokenIssuer(name.name.clone()),
                )
            }
            Source::Namespaces => {
                self.ending.remove(&name.name);
                gone(
                    self.world.namespaces.remove(&name.name).is_some(),
                    Dependency::Namespace(name.name.clone()),
                )
            }
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
