//! What is to be written for a policy: the difference between what its evaluation asks for and what is there.

use countersign_policy::object::{Kind, Object, Owner, Role};
use countersign_policy::world::ObjectName;
use serde_json::Value;

use crate::digest::{Digest, digest, digest_of};
use crate::fact::Observed;

/// One write.
#[derive(Clone, Debug)]
pub struct Write {
    /// The kind.
    pub kind: Kind,
    /// What it does for its policy.
    pub role: Role,
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

    /// What admits and changes together with anything else. Objects are written one by one, so that the old rules would
    /// meet the new guard, and admit what neither the old policy nor the new one does; and if another write fails, they
    /// would hold for as long as it does. These are to be [`narrowed`] before anything else but a deny is written.
    pub fn to_be_narrowed(&self) -> impl Iterator<Item = &Write> {
        let several = self.writes.len() > 1;
        let allows = self.writes.iter().filter(|write| write.role == Role::Allow);
        allows.filter(move |write| several && write.replaces.is_some())
    }

    /// Whether both how tokens are guarded and where they are read from change. In between, no token is to be relied on.
    fn tokens_in_doubt(&self) -> bool {
        self.replaces(Role::Guard) && self.replaces(Role::Tokens)
    }

    fn replaces(&self, role: Role) -> bool {
        let mut writes = self.writes.iter();
        writes.any(|write| write.role == role && write.replaces.is_some())
    }
}

/// What admits, with only those of its rules that both `stored` and the new object have. None if it would stay as it is.
pub fn narrowed(plan: &Plan, write: &Write, stored: &Value, owner_uid: &str) -> Option<Write> {
    let rules = |object: &Value| object["spec"]["rules"].as_array().cloned().unwrap_or_default();
    let (before, after) = (rules(stored), rules(&write.manifest));
    // What was not in force as it is to be (a dry run) may have admitted nothing: none of its rules stays.
    let in_force = apart_from_rules(stored, owner_uid) == apart_from_rules(&write.manifest, owner_uid);
    let in_doubt = |rule: &Value| plan.tokens_in_doubt() && rule.get("when").is_some();
    let stays = |rule: &&Value| in_force && after.contains(rule) && !in_doubt(rule);
    let both: Vec<_> = before.iter().filter(stays).cloned().collect();
    if both.len() == before.len() {
        return None;
    }
    let mut manifest = write.manifest.clone();
    manifest["spec"]["rules"] = Value::Array(both);
    Some(Write {
        digest: digest(&manifest, owner_uid),
        manifest,
        ..write.clone()
    })
}

/// The digest of all that gives an object its meaning but for its rules.
fn apart_from_rules(object: &Value, owner_uid: &str) -> Digest {
    let mut spec = object["spec"].clone();
    if let Some(spec) = spec.as_object_mut() {
        spec.remove("rules");
    }
    digest_of(&spec, &object["metadata"], owner_uid)
}

/// Whether an object admits. One whose role cannot be read may: somebody changed it.
pub fn admits(object: &Observed) -> bool {
    object.role.is_none_or(|role| role == Role::Allow)
}

/// Compares what is desired with what is there. A policy has all its objects in its own namespace: one elsewhere that names
/// it as its owner is somebody else's.
pub fn plan(
    owner: &Owner<'_>,
    namespace: &str,
    desired: &[Object],
    keep_refusals: bool,
    observed: &[Observed],
) -> Plan {
    let observed: Vec<_> = observed
        .iter()
        .filter(|there| there.name.namespace == namespace)
        .collect();
    let write = |object: &Object, always: bool| {
        let manifest = object.manifest(owner);
        let digest = digest(&manifest, owner.uid);
        let there = observed
            .iter()
            .find(|there| there.kind == object.kind && there.name == object.name);
        match there {
            Some(there) if there.digest == digest && !always => None,
            there => Some(Write {
                kind: object.kind,
                role: object.role,
                name: object.name.clone(),
                manifest,
                digest,
                replaces: there.map(|there| there.uid.clone()),
            }),
        }
    };
    let writes = desired.iter().filter_map(|object| write(object, false)).collect();
    let unwanted = observed.iter().copied().filter(|there| {
        let wanted = desired
            .iter()
            .any(|object| there.kind == object.kind && there.name == object.name);
        !(wanted || keep_refusals && there.role.is_some_and(Role::refuses))
    });
    let mut plan = Plan {
        writes,
        prunes: in_order_of_removal(unwanted),
    };
    if plan.tokens_in_doubt() {
        // Also rules that stay as they are must not hold in between.
        plan.writes.retain(|write| write.role != Role::Allow);
        let allows = desired.iter().filter(|object| object.role == Role::Allow);
        plan.writes.extend(allows.filter_map(|object| write(object, true)));
    }
    plan
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
        assert!(plan(&OWNER, "shop", &desired, false, &there).is_empty());
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
        let plan = plan(&OWNER, "shop", &desired, false, &there);
        let writes: Vec<_> = plan
            .writes
            .iter()
            .map(|write| (write.name.name.as_str(), write.replaces.as_deref()))
            .collect();
        assert_eq!(writes, [("deny", None), ("allow", Some("uid-allow"))]);
        assert!(plan.prunes.is_empty());
    }

    /// The names of rules that a changed policy keeps while it is being applied, if they are not those that it had.
    fn kept(before: [Value; 3], after: [Value; 3]) -> Option<Vec<String>> {
        let objects = |specs: [Value; 3]| {
            let roles = [Role::Guard, Role::Tokens, Role::Allow];
            roles.into_iter().zip(specs).map(|(role, spec)| object(role, spec))
        };
        let (before, after): (Vec<_>, Vec<_>) = (objects(before).collect(), objects(after).collect());
        let there: Vec<_> = before.iter().map(observed).collect();
        let plan = plan(&OWNER, "shop", &after, false, &there);
        let stored = before[2].manifest(&OWNER);
        let mut narrow = plan.to_be_narrowed();
        let write = narrowed(&plan, narrow.next()?, &stored, OWNER.uid)?;
        let rules = write.manifest["spec"]["rules"].as_array()?.iter();
        Some(rules.map(ToString::to_string).collect())
    }

    #[test]
    fn old_rules_do_not_meet_a_new_guard() {
        let rules = |rules: &[&str]| json!({ "rules": rules });
        let guard = |name: &str| json!({ "guard": name });
        let tokens = |name: &str| json!({ "tokens": name });
        let one = |allow: Value| [guard("a"), tokens("a"), allow];
        let two = |allow: Value| [guard("b"), tokens("a"), allow];
        assert_eq!(
            kept(one(rules(&["x", "y"])), two(rules(&["y", "z"]))),
            Some(vec!["\"y\"".to_owned()])
        );
        assert_eq!(kept(one(rules(&["x"])), two(rules(&["x", "z"]))), None, "it only grows");
        assert_eq!(kept(one(rules(&["x"])), two(rules(&["x"]))), None, "it stays");
        assert_eq!(
            kept(one(rules(&["x"])), one(rules(&["y"]))),
            None,
            "nothing that it relies on"
        );
        assert_eq!(
            kept(one(rules(&["x"])), two(json!({}))),
            Some(Vec::new()),
            "nothing is left"
        );
    }

    #[test]
    fn no_token_is_relied_on_while_its_guard_and_its_place_change() {
        let rules = || json!({ "rules": [{ "when": [] }, { "from": [] }] });
        let before = [json!({ "guard": 1 }), json!({ "tokens": 1 }), rules()];
        let after = [json!({ "guard": 2 }), json!({ "tokens": 2 }), rules()];
        assert_eq!(kept(before, after), Some(vec![r#"{"from":[]}"#.to_owned()]));
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
        let last_first = Role::ALL.into_iter().rev().map(Some);
        let reverse: Vec<_> = [None].into_iter().chain(last_first).collect();
        assert_eq!(roles(plan(&OWNER, "shop", &[], false, &all)), reverse);
        let opening: Vec<_> = reverse
            .into_iter()
            .filter(|role| !role.is_some_and(Role::refuses))
            .collect();
        assert_eq!(
            roles(plan(&OWNER, "shop", &[], true, &all)),
            opening,
            "a policy that is not accepted keeps refusing what it refused"
        );
    }

    #[test]
    fn what_names_the_policy_in_another_namespace_is_not_its() {
        let desired = [object(Role::Deny, json!({}))];
        let mut elsewhere = [observed(&desired[0]), observed(&object(Role::Allow, json!({})))];
        for object in &mut elsewhere {
            object.name.namespace = "bank".to_owned();
        }
        let plan = plan(&OWNER, "shop", &desired, false, &elsewhere);
        assert!(plan.prunes.is_empty());
        let writes: Vec<_> = plan.writes.iter().map(|write| write.replaces.as_deref()).collect();
        assert_eq!(writes, [None]);
    }

    #[test]
    fn rules_that_were_not_in_force_are_not_put_in_force_before_their_guard() {
        let allow = object(Role::Allow, json!({ "rules": ["x"] }));
        let mut dry = allow.clone();
        dry.annotations.insert("istio.io/dry-run".to_owned(), "true".to_owned());
        let desired = [object(Role::Guard, json!({})), allow];
        let plan = plan(&OWNER, "shop", &desired, false, &[observed(&dry)]);
        let write = plan.to_be_narrowed().next().expect("it is not as it is to be");
        let narrowed = narrowed(&plan, write, &dry.manifest(&OWNER), OWNER.uid).expect("it has a rule");
        assert_eq!(narrowed.manifest["spec"]["rules"], json!([]));
    }
}
