//! What is done in which order, against a cluster that refuses some of it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use countersign_policy::object::{Kind, Object, Owner};
use serde_json::json;

use super::*;
use crate::digest::digest;
use crate::plan::plan;

const OWNER: Owner<'_> = Owner { name: "p", uid: "u" };

/// Notes what it is asked for, and refuses all that is done to some objects.
struct Fake {
    stored: Vec<Object>,
    refuses: Vec<&'static str>,
    log: Mutex<Vec<String>>,
}

impl Fake {
    fn note(&self, name: &ObjectName, done: &str) -> Result<(), WriteError> {
        let refused = self.refuses.contains(&name.name.as_str());
        let mark = if refused { " refused" } else { "" };
        self.log.lock().expect("not poisoned").push(format!("{done}{mark}"));
        if refused {
            return Err(WriteError::Refused {
                what: name.name.clone(),
                message: String::new(),
            });
        }
        Ok(())
    }
}

impl Cluster for Fake {
    async fn write(&self, write: &Write) -> Result<Observed, WriteError> {
        let rules = write.manifest["spec"].get("rules");
        let rules = rules.map(|rules| format!("={rules}")).unwrap_or_default();
        self.note(&write.name, &format!("{}{rules}", write.name.name))?;
        let object = self.stored.first().expect("there is one");
        Ok(observed(object))
    }

    async fn stored(&self, write: &Write) -> Result<Option<Value>, WriteError> {
        let stored = self.stored.iter().find(|object| object.name == write.name);
        Ok(stored.map(|object| object.manifest(&OWNER)))
    }

    async fn delete(&self, object: &Observed) -> Result<(), WriteError> {
        self.note(&object.name, &format!("-{}", object.name.name))
    }
}

fn object(role: Role, at: &str, spec: Value) -> Object {
    Object {
        kind: Kind::AuthorizationPolicy,
        role,
        name: ObjectName::new("shop", format!("{}-{at}", role.as_str())),
        annotations: BTreeMap::new(),
        spec,
    }
}

fn deny(at: &str) -> Object {
    object(Role::Deny, at, json!({}))
}

fn guard(at: &str, what: &str) -> Object {
    object(Role::Guard, at, json!({ "guard": what }))
}

fn tokens(at: &str) -> Object {
    object(Role::Tokens, at, json!({}))
}

fn allow(at: &str, rules: &[u8]) -> Object {
    object(Role::Allow, at, json!({ "rules": rules }))
}

fn observed(object: &Object) -> Observed {
    Observed {
        kind: object.kind,
        name: object.name.clone(),
        uid: "1".into(),
        policy_uid: OWNER.uid.into(),
        policy: Some(OWNER.name.to_owned()),
        role: Some(object.role),
        version: None,
        digest: digest(&object.manifest(&OWNER), OWNER.uid),
    }
}

/// What is done to get from one policy to another, and what failed.
async fn steps(before: Vec<Object>, after: &[Object], refuses: &[&'static str]) -> (Vec<String>, Option<String>) {
    steps_of(false, before, after, refuses).await
}

async fn steps_of(
    rejected: bool,
    before: Vec<Object>,
    after: &[Object],
    refuses: &[&'static str],
) -> (Vec<String>, Option<String>) {
    let there: Vec<_> = before.iter().map(observed).collect();
    let plan = plan(&OWNER, "shop", after, rejected, &there);
    let fake = Fake {
        stored: before,
        refuses: refuses.to_vec(),
        log: Mutex::default(),
    };
    let mut changes = Vec::new();
    let error = apply(&plan, OWNER.uid, &fake, &mut changes).await.err();
    let log = fake.log.into_inner().expect("not poisoned");
    let failures = log.iter().filter(|step| step.ends_with("refused")).count();
    assert_eq!(changes.len(), log.len() - failures, "what was done is told");
    let what = error.map(|error| match error {
        WriteError::Refused { what, .. } => what,
        other => other.to_string(),
    });
    (log, what)
}

#[tokio::test]
async fn what_admits_nothing_any_more_goes_before_its_guard_changes() {
    let before = vec![deny("a"), guard("a", "tokens"), tokens("a"), allow("a", &[1])];
    let (log, error) = steps(before, &[deny("a"), guard("a", "paths")], &[]).await;
    assert_eq!(log, ["-allow-a", "guard-a", "-tokens-a"]);
    assert_eq!(error, None);
}

#[tokio::test]
async fn a_policy_that_moves_leaves_no_gap() {
    let before = vec![deny("a"), guard("a", "x"), allow("a", &[1])];
    let after = [deny("b"), guard("b", "x"), allow("b", &[1])];
    let (log, _) = steps(before, &after, &[]).await;
    assert_eq!(
        log,
        ["deny-b", "-allow-a", "guard-b", "allow-b=[1]", "-guard-a", "-deny-a"]
    );
}

#[tokio::test]
async fn what_is_no_longer_admitted_is_refused_although_another_write_fails() {
    let before = vec![deny("a"), guard("a", "x"), allow("a", &[1, 2])];
    let after = [
        deny("a"),
        deny("b"),
        guard("b", "x"),
        guard("c", "x"),
        allow("a", &[2, 3]),
        allow("b", &[2, 3]),
    ];
    let (log, error) = steps(before, &after, &["guard-b"]).await;
    assert_eq!(log, ["deny-b", "allow-a=[2]", "guard-b refused", "guard-c"]);
    assert_eq!(error.as_deref(), Some("guard-b"), "and nothing is removed that refuses");
}

#[tokio::test]
async fn the_first_failure_is_told_and_other_denies_are_written() {
    let before = vec![deny("z"), allow("z", &[1])];
    let after = [deny("a"), deny("b"), guard("b", "x"), allow("b", &[1])];
    let (log, error) = steps(before, &after, &["deny-a", "guard-b"]).await;
    assert_eq!(log, ["deny-a refused", "deny-b", "-allow-z", "guard-b refused"]);
    assert_eq!(error.as_deref(), Some("deny-a"));
}

#[tokio::test]
async fn a_rejected_policy_admits_nothing_although_a_deny_elsewhere_fails() {
    let before = vec![deny("a"), guard("a", "x"), allow("a", &[1])];
    let (log, error) = steps_of(true, before, &[deny("b")], &["deny-b"]).await;
    assert_eq!(log, ["deny-b refused", "-allow-a"]);
    assert_eq!(error.as_deref(), Some("deny-b"));
}

#[tokio::test]
async fn what_admits_stays_where_nothing_else_refuses() {
    let before = vec![allow("a", &[1]), guard("a", "x")];
    let (log, _) = steps(before, &[deny("a"), guard("a", "y")], &["deny-a"]).await;
    assert_eq!(log, ["deny-a refused"]);
}

#[tokio::test]
async fn a_guard_stays_while_the_old_rules_do() {
    let before = vec![deny("a"), guard("a", "x"), allow("a", &[1])];
    let after = [
        deny("a"),
        object(Role::Transport, "a", json!({})),
        guard("a", "y"),
        allow("a", &[2]),
    ];
    let (log, _) = steps(before, &after, &["allow-a"]).await;
    assert_eq!(log, ["allow-a=[] refused", "transport-a"]);
}

#[tokio::test]
async fn what_is_narrowed_to_what_it_is_to_be_is_written_once() {
    let before = vec![deny("a"), guard("a", "x"), allow("a", &[1, 2])];
    let (log, _) = steps(before, &[deny("a"), guard("a", "y"), allow("a", &[2])], &[]).await;
    assert_eq!(log, ["allow-a=[2]", "guard-a"]);
}

#[tokio::test]
async fn a_single_change_is_written_once() {
    let before = vec![deny("a"), allow("a", &[1])];
    let (log, _) = steps(before, &[deny("a"), allow("a", &[2])], &[]).await;
    assert_eq!(log, ["allow-a=[2]"]);
}
