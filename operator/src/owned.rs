//! The objects of the mesh that Countersign wrote, as they are now.

use std::collections::{BTreeMap, HashMap};

use countersign_policy::object::Kind;
use countersign_policy::world::ObjectName;

use crate::fact::{Observed, Version};

/// Names one object of the mesh.
pub type Key = (Kind, ObjectName);

/// All of them, by object and by policy.
#[derive(Debug, Default)]
pub struct Owned {
    owners: HashMap<Key, String>,
    by_policy: HashMap<String, BTreeMap<Key, Observed>>,
}

impl Owned {
    /// Takes in an object as it was seen. Returns whose object changed by it: of one policy, or of two if it changed
    /// hands.
    pub fn see(&mut self, observed: Observed, trust: Trust) -> Vec<String> {
        let key = (observed.kind, observed.name.clone());
        let known = self.get(&key);
        if known.is_some_and(|known| trust.refuses(observed.version, known.version)) {
            return Vec::new();
        }
        if known.is_some_and(|known| same(known, &observed)) {
            // Only the version is newer.
            self.put(key, observed);
            return Vec::new();
        }
        let before = self
            .take(&key)
            .map(|known| known.policy_uid)
            .filter(|uid| *uid != observed.policy_uid);
        let now = observed.policy_uid.clone();
        self.put(key, observed);
        before.into_iter().chain([now]).collect()
    }

    /// Forgets an object that is gone as of a write. Returns whose it was.
    pub fn forget(&mut self, key: &Key, version: Version) -> Option<String> {
        if self.get(key).is_some_and(|known| older(version, known.version)) {
            return None;
        }
        self.take(key).map(|known| known.policy_uid)
    }

    /// The objects of a policy.
    pub fn of(&self, policy_uid: &str) -> impl Iterator<Item = &Observed> {
        self.by_policy.get(policy_uid).into_iter().flat_map(BTreeMap::values)
    }

    /// Whether a policy has objects.
    pub fn any(&self, policy_uid: &str) -> bool {
        self.by_policy.contains_key(policy_uid)
    }

    /// The policies that have objects, by uid, whether they exist or not.
    pub fn policies(&self) -> impl Iterator<Item = &str> {
        self.by_policy.keys().map(String::as_str)
    }

    /// The names of all objects of a kind.
    pub fn names(&self, kind: Kind) -> Vec<ObjectName> {
        self.owners
            .keys()
            .filter(|(of, _)| *of == kind)
            .map(|(_, name)| name.clone())
            .collect()
    }

    /// How many objects of a kind there are.
    pub fn count(&self, kind: Kind) -> usize {
        self.owners.keys().filter(|(of, _)| *of == kind).count()
    }

    /// One object.
    pub fn get(&self, key: &Key) -> Option<&Observed> {
        self.by_policy.get(self.owners.get(key)?)?.get(key)
    }

    fn put(&mut self, key: Key, observed: Observed) {
        self.owners.insert(key.clone(), observed.policy_uid.clone());
        self.by_policy
            .entry(observed.policy_uid.clone())
            .or_default()
            .insert(key, observed);
    }

    fn take(&mut self, key: &Key) -> Option<Observed> {
        let uid = self.owners.remove(key)?;
        let objects = self.by_policy.get_mut(&uid)?;
        let observed = objects.remove(key);
        if objects.is_empty() {
            self.by_policy.remove(&uid);
        }
        observed
    }
}

/// Which versions of an object are taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Those that are not older than what is known: after a write, the watch still tells what was before it.
    Newer,
    /// All: a list is what there is, also after the cluster was restored from a backup and counts from an older version.
    Whatever,
}

impl Trust {
    /// Whether a version is to be ignored, given the version that is known.
    pub fn refuses(self, version: Version, known: Version) -> bool {
        self == Self::Newer && older(version, known)
    }
}

/// Whether a version is known to be older than another. Versions that cannot be compared are taken as they come.
fn older(version: Version, than: Version) -> bool {
    matches!((version, than), (Some(version), Some(than)) if version < than)
}

fn same(known: &Observed, seen: &Observed) -> bool {
    known.uid == seen.uid && known.digest == seen.digest && known.policy_uid == seen.policy_uid
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(policy: &str, version: u64, digest: u8) -> Observed {
        Observed {
            kind: Kind::AuthorizationPolicy,
            name: ObjectName::new("shop", "a"),
            uid: "1".into(),
            policy_uid: policy.into(),
            policy: None,
            role: None,
            version: Some(version),
            digest: [digest; 16],
        }
    }

    fn key() -> Key {
        (Kind::AuthorizationPolicy, ObjectName::new("shop", "a"))
    }

    #[test]
    fn tells_whose_object_changed() {
        let mut owned = Owned::default();
        assert_eq!(owned.see(observed("p", 1, 1), Trust::Newer), ["p"]);
        assert_eq!(owned.see(observed("p", 2, 1), Trust::Newer), [""; 0], "the same again");
        assert_eq!(owned.see(observed("p", 3, 2), Trust::Newer), ["p"]);
        assert_eq!(owned.see(observed("q", 4, 2), Trust::Newer), ["p", "q"]);
        assert_eq!(owned.forget(&key(), Some(5)).as_deref(), Some("q"));
        assert!(owned.owners.is_empty() && owned.by_policy.is_empty());
    }

    #[test]
    fn what_is_older_than_a_write_is_ignored() {
        let mut owned = Owned::default();
        owned.see(observed("p", 7, 2), Trust::Newer);
        assert_eq!(owned.see(observed("p", 6, 1), Trust::Newer), [""; 0]);
        assert_eq!(owned.forget(&key(), Some(5)), None, "deleted, and then written anew");
        assert_eq!(
            owned.see(observed("p", 5, 1), Trust::Whatever),
            ["p"],
            "unless a list says so"
        );
        owned.see(observed("p", 7, 2), Trust::Newer);
        assert_eq!(owned.of("p").next().map(|observed| observed.digest), Some([2; 16]));
    }
}
