//! The objects of the mesh that Countersign wrote, as they are now.

use std::collections::HashMap;
use std::sync::Arc;

use countersign_policy::object::Kind;
use countersign_policy::world::ObjectName;
use sha2::{Digest as _, Sha256};

use crate::fact::{Observed, Version};

/// Names one object of the mesh.
pub type Key = (Kind, ObjectName);

/// All of them, by object and by policy.
///
/// There are several for each policy, so this is most of what the operator remembers. A policy's objects are few: a list
/// takes a fraction of what a tree would. The way from an object to its policy goes by a hash of the name.
#[derive(Debug, Default)]
pub struct Owned {
    owners: HashMap<u128, Arc<str>>,
    by_policy: HashMap<Arc<str>, Vec<Observed>>,
}

impl Owned {
    /// Takes in an object as it was seen. Returns whose object changed by it: of one policy, or of two if it changed
    /// hands.
    pub fn see(&mut self, observed: Observed, trust: Trust) -> Vec<Arc<str>> {
        let key = (observed.kind, observed.name.clone());
        let Some(known) = self.get_mut(&key) else {
            return vec![self.put(&key, observed)];
        };
        if trust.refuses(observed.version, known.version) {
            return Vec::new();
        }
        if same(known, &observed) {
            known.version = observed.version;
            return Vec::new();
        }
        let before = self.take(&key).map(|known| known.policy_uid);
        let now = self.put(&key, observed);
        before
            .filter(|uid| *uid != now)
            .into_iter()
            .chain([Arc::clone(&now)])
            .collect()
    }

    /// Forgets an object that is gone as of a write. Returns whose it was.
    pub fn forget(&mut self, key: &Key, version: Version) -> Option<Arc<str>> {
        if self.get(key).is_some_and(|known| older(version, known.version)) {
            return None;
        }
        self.take(key).map(|known| known.policy_uid)
    }

    /// The objects of a policy.
    pub fn of(&self, policy_uid: &str) -> &[Observed] {
        self.by_policy.get(policy_uid).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a policy has objects.
    pub fn any(&self, policy_uid: &str) -> bool {
        self.by_policy.contains_key(policy_uid)
    }

    /// The policies that have objects, by uid, whether they exist or not.
    pub fn policies(&self) -> impl Iterator<Item = &str> {
        self.by_policy.keys().map(AsRef::as_ref)
    }

    /// All objects of a kind.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = &Observed> {
        self.by_policy
            .values()
            .flatten()
            .filter(move |observed| observed.kind == kind)
    }

    /// One object.
    pub fn get(&self, key: &Key) -> Option<&Observed> {
        let objects = self.by_policy.get(self.owners.get(&address(key))?)?;
        objects.iter().find(|observed| is(observed, key))
    }

    fn get_mut(&mut self, key: &Key) -> Option<&mut Observed> {
        let objects = self.by_policy.get_mut(self.owners.get(&address(key))?)?;
        objects.iter_mut().find(|observed| is(observed, key))
    }

    fn put(&mut self, key: &Key, mut observed: Observed) -> Arc<str> {
        // All objects of a policy share one copy of its uid.
        let uid = match self.by_policy.get_key_value(&observed.policy_uid) {
            Some((shared, _)) => Arc::clone(shared),
            None => Arc::clone(&observed.policy_uid),
        };
        observed.policy_uid = Arc::clone(&uid);
        self.owners.insert(address(key), Arc::clone(&uid));
        self.by_policy.entry(Arc::clone(&uid)).or_default().push(observed);
        uid
    }

    fn take(&mut self, key: &Key) -> Option<Observed> {
        let uid = self.owners.remove(&address(key))?;
        let objects = self.by_policy.get_mut(&uid)?;
        let at = objects.iter().position(|observed| is(observed, key))?;
        let observed = objects.swap_remove(at);
        if objects.is_empty() {
            self.by_policy.remove(&uid);
        }
        Some(observed)
    }
}

fn is(observed: &Observed, (kind, name): &Key) -> bool {
    observed.kind == *kind && observed.name == *name
}

/// The first half of a SHA-256 of the name. A slash is in no name, so different names are different texts.
fn address((kind, name): &Key) -> u128 {
    let mut half = [0; 16];
    half.copy_from_slice(&Sha256::digest(format!("{}/{name}", kind.name()))[..16]);
    u128::from_le_bytes(half)
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

    fn texts(uids: &[Arc<str>]) -> Vec<String> {
        uids.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn tells_whose_object_changed() {
        let mut owned = Owned::default();
        assert_eq!(texts(&owned.see(observed("p", 1, 1), Trust::Newer)), ["p"]);
        assert_eq!(
            texts(&owned.see(observed("p", 2, 1), Trust::Newer)),
            [""; 0],
            "the same again"
        );
        assert_eq!(texts(&owned.see(observed("p", 3, 2), Trust::Newer)), ["p"]);
        assert_eq!(texts(&owned.see(observed("q", 4, 2), Trust::Newer)), ["p", "q"]);
        assert_eq!(owned.forget(&key(), Some(5)).as_deref(), Some("q"));
        assert!(owned.owners.is_empty() && owned.by_policy.is_empty());
    }

    #[test]
    fn what_is_older_than_a_write_is_ignored() {
        let mut owned = Owned::default();
        owned.see(observed("p", 7, 2), Trust::Newer);
        assert_eq!(texts(&owned.see(observed("p", 6, 1), Trust::Newer)), [""; 0]);
        assert_eq!(owned.forget(&key(), Some(5)), None, "deleted, and then written anew");
        assert_eq!(
            texts(&owned.see(observed("p", 5, 1), Trust::Whatever)),
            ["p"],
            "unless a list says so"
        );
        owned.see(observed("p", 7, 2), Trust::Newer);
        assert_eq!(owned.of("p").first().map(|observed| observed.digest), Some([2; 16]));
    }
}
