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
pub fn plan(owner: &Owner<'_>, desired: &[Object], keep_refusals: bool, observed: &[Observed]) -> Plan {
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
    let unwanted = observed.iter().filter(|there| {
        let wanted = desired
            .iter()
            .any(|object| there.kind == object.kind && there.name == object.name);
        !(wanted || keep_refusals && there.role.is_some_and(Role::refuses))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    const OWNER: Owner<'_> = Owner { name: "p", uid: "u" };

    fn object(role: Role, spec: Value) -> Object {
        Object {
            kind: Kind::AuthorizationPolicy,
            role,
            name: ObjectName::new("shop", role.as_str()),
            annotations: BTreeMap::new(),
            spec,
        }
    }

    fn observed(object: &Object) -> Observed {
        Observed {
            kind: object.kind,
            name: object.name.clone(),
            uid: format!("uid-{}", object.role.as_str()),
            policy_uid: OWNER.uid.into(),
            policy: Some(OWNER.name.to_owned()),
            role: Some(object.role),
            version: None,
            digest: digest(&object.manifest(&OWNER), OWNER.uid),
        }
    }

    #[test]
    fn what_is_as_it_should_be_is_left_alone() {
        let desired = [object(Role::Deny, json!({})), object(Role::Allow, json!({"rules": []}))];
        let there: Vec<_> = desired.iter().map(observed).collect();
        assert!(plan(&OWNER, &desired, false, &there).is_empty());
    }

    #[test]
    fn only_the_difference_is_written_in_the_order_given() {
        let desired = [
            object(Role::Deny, json!({})),
            object(Role::Tokens, json!({})),
            object(Role::Allow, json!({"rules": []})),
        ];
        let there = [
            observed(&object(Role::Allow, json!({"rules": [{}]}))),
            observed(&desired[1]),
        ];
        let plan = plan(&OWNER, &desired, false, &there);
        let writes: Vec<_> = plan
            .writes
            .iter()
            .map(|write| (write.name.name.as_str(), write.replaces.as_deref()))
            .collect();
        assert_eq!(writes, [("deny", None), ("allow", Some("uid-allow"))]);
        assert!(plan.prunes.is_empty());
    }

    #[test]
    fn what_admits_is_removed_before_what_refuses() {
        let there: Vec<_> = Role::ALL
            .into_iter()
            .map(|role| observed(&object(role, json!({}))))
            .collect();
        let mut strange = observed(&object(Role::Deny, json!({})));
        strange.role = None;
        let all: Vec<_> = there.into_iter().chain([strange]).collect();
        let roles = |plan: Plan| plan.prunes.into_iter().map(|object| object.role).collect::<Vec<_>>();
        let reverse = [
            None,
            Some(Role::Allow),
            Some(Role::Tokens),
            Some(Role::Guard),
            Some(Role::Transport),
            Some(Role::Deny),
        ];
        assert_eq!(roles(plan(&OWNER, &[], false, &all)), reverse);
        assert_eq!(
            roles(plan(&OWNER, &[], true, &all)),
            reverse[..2],
            "a policy that is not accepted keeps refusing what it refused"
        );
    }
}
