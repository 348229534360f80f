//! Which policies look at what: so that a change costs only the policies that it concerns.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use countersign_policy::world::{Dependency, ObjectName};

/// From a dependency to the policies that have it, and back.
#[derive(Debug, Default)]
pub struct Index {
    dependents: HashMap<Arc<Dependency>, BTreeSet<Arc<ObjectName>>>,
    dependencies: HashMap<Arc<ObjectName>, BTreeSet<Arc<Dependency>>>,
}

impl Index {
    /// Says what a policy looks at now, in place of what was said before.
    pub fn set(&mut self, policy: &ObjectName, now: BTreeSet<Dependency>) {
        let (policy, before) = match self.dependencies.remove_entry(policy) {
            Some(known) => known,
            None => (Arc::new(policy.clone()), BTreeSet::new()),
        };
        for dropped in before.iter().filter(|dependency| !now.contains(dependency.as_ref())) {
            self.drop_dependent(dropped, &policy);
        }
        let kept = now
            .into_iter()
            .map(|dependency| self.add_dependent(dependency, &policy))
            .collect();
        self.dependencies.insert(policy, kept);
    }

    /// Forgets a policy.
    pub fn remove(&mut self, policy: &ObjectName) {
        let Some((policy, before)) = self.dependencies.remove_entry(policy) else {
            return;
        };
        for dependency in &before {
            self.drop_dependent(dependency, &policy);
        }
    }

    /// The policies that look at something.
    pub fn dependents(&self, dependency: &Dependency) -> impl Iterator<Item = &ObjectName> {
        self.dependents.get(dependency).into_iter().flatten().map(AsRef::as_ref)
    }

    fn add_dependent(&mut self, dependency: Dependency, policy: &Arc<ObjectName>) -> Arc<Dependency> {
        let (shared, mut policies) = match self.dependents.remove_entry(&dependency) {
            Some(known) => known,
            None => (Arc::new(dependency), BTreeSet::new()),
        };
        policies.insert(Arc::clone(policy));
        self.dependents.insert(Arc::clone(&shared), policies);
        shared
    }

    fn drop_dependent(&mut self, dependency: &Dependency, policy: &ObjectName) {
        if let Some(policies) = self.dependents.get_mut(dependency) {
            policies.remove(policy);
            if policies.is_empty() {
                self.dependents.remove(dependency);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(name: &str) -> ObjectName {
        ObjectName::new("shop", name)
    }

    fn service(name: &str) -> Dependency {
        Dependency::Service(policy(name))
    }

    fn dependents(index: &Index, dependency: &Dependency) -> Vec<String> {
        index.dependents(dependency).map(|name| name.name.clone()).collect()
    }

    #[test]
    fn says_who_looks_at_what_now() {
        let mut index = Index::default();
        index.set(&policy("a"), BTreeSet::from([service("x"), service("y")]));
        index.set(&policy("b"), BTreeSet::from([service("y")]));
        assert_eq!(dependents(&index, &service("x")), ["a"]);
        assert_eq!(dependents(&index, &service("y")), ["a", "b"]);

        index.set(&policy("a"), BTreeSet::from([service("z")]));
        assert_eq!(dependents(&index, &service("x")), [""; 0]);
        assert_eq!(dependents(&index, &service("y")), ["b"]);
        assert_eq!(dependents(&index, &service("z")), ["a"]);
    }

    #[test]
    fn keeps_nothing_of_what_nobody_looks_at() {
        let mut index = Index::default();
        index.set(
            &policy("a"),
            BTreeSet::from([service("x"), Dependency::Pods("shop".into())]),
        );
        index.remove(&policy("a"));
        index.remove(&policy("never-seen"));
        assert!(index.dependents.is_empty() && index.dependencies.is_empty());
    }
}
