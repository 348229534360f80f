//! What is to be written for a policy: the difference between what its evaluation asks for and what is there.

use countersign_policy::object::{Kind, Object, Owner, Role};
use countersign_policy::world::ObjectName;
use serde_json::Value;

use crate::digest::{Digest, digest};
use crate::fact::Observed;

/// One write.
#[derive(Clone, Debug)]
pub struct Write {
    /// The kind.
    pub kind: Kind,
    /// The name.
    pub name: ObjectName,
    /// The object as it is to be, complete.
    pub manifest: Value,
    /// The digest that it must have afterwards.
    pub digest: Digest,
    /// The uid of the object that is there now, with something else in it. None if there is none.
    pub replaces: Option<String>,
}

/// All writes for a policy, in their order.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What is created or changed: the deny first.
    pub writes: Vec<Write>,
    /// What is removed after that: the deny last.
    pub prunes: Vec<Observed>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.prunes.is_empty()
    }
}

/// Compares what is desired with what is there.
pub fn plan(owner: &Owner<'_>, desired: &[Object], keep_denies: bool, observed: &[&Observed]) -> Plan {
    let writes = desired.iter().filter_map(|object| {
        let manifest = object.manifest(owner);
        let digest = digest(&manifest, owner.uid);
        let there = observed
            .iter()
            .find(|there| there.kind == object.kind && there.name == object.name);
        match there {
            Some(there) if there.digest == digest => None,
            there => Some(Write {
                kind: object.kind,
                name: object.name.clone(),
                manifest,
                digest,
                replaces: there.map(|there| there.uid.clone()),
            }),
        }
    });
    let unwanted = observed.iter().copied().filter(|there| {
        let wanted = desired
            .iter()
            .any(|object| there.kind == object.kind && there.name == object.name);
        !(wanted || keep_denies && there.role == Some(Role::Deny))
    });
    Plan {
        writes: writes.collect(),
        prunes: in_order_of_removal(unwanted),
    }
}

/// Sorts objects so that what admits goes before what refuses. An object whose role cannot be read goes first: somebody
/// changed it, and it may admit.
pub fn in_order_of_removal<'a>(objects: impl Iterator<Item = &'a Observed>) -> Vec<Observed> {
    let mut objects: Vec<_> = objects.cloned().collect();
    objects.sort_by_key(|object| (object.role.is_some(), std::cmp::Reverse(object.role)));
    objects
}
