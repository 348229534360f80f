use jiff::SignedDuration;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::*;
use crate::refusal::Reason;

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn roots() -> Vec<CertificateDer<'static>> {
    vec![CertificateDer::from(vec![1, 2, 3])]
}

fn index(specs: &[(&str, Value)]) -> Index {
    let mut index = Index::new("example.org".parse().unwrap());
    for (at, (name, spec)) in specs.iter().enumerate() {
        let metadata = json!({
            "namespace": "shop", "name": name, "uid": format!("{name}-uid"),
            "creationTimestamp": (now() + SignedDuration::from_secs(i64::try_from(at).unwrap())).to_string(),
        });
        let object = json!({"metadata": metadata, "spec": spec});
        index.insert(Entry::read(&serde_json::from_value::<DynamicObject>(object).unwrap()));
    }
    index.listed(|_| true);
    index
}

fn spec() -> Value {
    json!({"serviceAccountName": "api", "delivery": ["Secret"], "secretName": "tls"})
}

fn tls() -> ObjectName {
    ObjectName::new("shop", "tls")
}

fn wanted_of(index: &Index) -> Wanted {
    match plan(index, &Scope::All, &BTreeMap::new(), &roots(), now()).pop() {
        Some(Step::Make(wanted, None)) => wanted,
        other => panic!("{other:?}"),
    }
}

fn there(wanted: &Wanted) -> BTreeMap<ObjectName, Seen> {
    let seen = Seen {
        uid: "secret-uid".into(),
        owner: wanted.uid.clone(),
        digest: wanted.digest.clone(),
        refresh_at: now() + SignedDuration::from_hours(1),
    };
    [(wanted.secret.clone(), seen)].into()
}

#[test]
fn one_is_made_kept_and_made_anew_when_it_is_due() {
    let index = index(&[("one", spec())]);
    let wanted = wanted_of(&index);
    assert_eq!((&wanted.secret, wanted.uid.as_str()), (&tls(), "one-uid"));
    let seen = there(&wanted);
    assert_eq!(
        plan(&index, &Scope::All, &seen, &roots(), now()),
        [Step::Keep(wanted.clone())]
    );
    let due = now() + SignedDuration::from_hours(1);
    let again = [Step::Make(wanted, Some(seen[&tls()].clone()))];
    assert_eq!(plan(&index, &Scope::All, &seen, &roots(), due), again);
}

#[test]
fn other_roots_or_another_profile_make_it_anew() {
    let first = index(&[("one", spec())]);
    let seen = there(&wanted_of(&first));
    let more = [roots(), vec![CertificateDer::from(vec![4])]].concat();
    assert!(matches!(
        plan(&first, &Scope::All, &seen, &more, now())[..],
        [Step::Make(_, Some(_))]
    ));
    for change in [
        json!({"duration": "2h"}),
        json!({"usages": ["ClientAuth"]}),
        json!({"keyAlgorithm": "ED25519"}),
    ] {
        let mut spec = spec();
        spec["certificate"] = change;
        let changed = index(&[("one", spec)]);
        assert!(matches!(
            plan(&changed, &Scope::All, &seen, &roots(), now())[..],
            [Step::Make(_, Some(_))]
        ));
    }
}

#[test]
fn what_is_anothers_is_left_alone() {
    let index = index(&[("one", spec())]);
    let wanted = wanted_of(&index);
    for owner in ["", "another"] {
        let mut seen = there(&wanted);
        seen.get_mut(&tls()).unwrap().owner = owner.into();
        let steps = plan(&index, &Scope::All, &seen, &roots(), now());
        assert_eq!(steps, [Step::NotOwned(wanted.clone())], "and it is not deleted");
    }
}

#[test]
fn what_nobody_wants_is_deleted() {
    let first = index(&[("one", spec())]);
    let seen = there(&wanted_of(&first));
    let delete = [Step::Delete(tls(), seen[&tls()].clone())];
    let without = index(&[("one", json!({"serviceAccountName": "api"}))]);
    assert_eq!(plan(&without, &Scope::All, &seen, &roots(), now()), delete);
    assert_eq!(plan(&index(&[]), &Scope::All, &seen, &roots(), now()), delete);
    let mut renamed = spec();
    renamed["secretName"] = json!("other");
    let steps = plan(&index(&[("one", renamed)]), &Scope::All, &seen, &roots(), now());
    assert!(matches!(&steps[..], [Step::Make(_, None), last] if *last == delete[0]));
    // Another holds the service account.
    let lost = index(&[("old", json!({"serviceAccountName": "api"})), ("one", spec())]);
    assert_eq!(plan(&lost, &Scope::All, &seen, &roots(), now()), delete);
}

#[test]
fn a_mistake_takes_no_key_away() {
    let seen = there(&wanted_of(&index(&[("one", spec())])));
    let mut wrong = spec();
    wrong["typo"] = json!(1);
    let steps = plan(&index(&[("one", wrong)]), &Scope::All, &seen, &roots(), now());
    assert!(matches!(&steps[..], [Step::Refused(_, refusal)] if refusal.reason == Reason::InvalidServiceIdentity));
}

#[test]
fn metadata_says_whose_it_is() {
    let metadata = |value: Value| serde_json::from_value::<ObjectMeta>(value).unwrap();
    assert_eq!(Seen::of(&metadata(json!({"labels": {"a": "b"}}))), None);
    let seen = Seen::of(&metadata(json!({
        "uid": "s", "labels": {IDENTITY_LABEL: "one"},
        "annotations": {DIGEST_ANNOTATION: "d", REFRESH_ANNOTATION: "2026-11-24T12:00:00Z"},
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x", "controller": false},
            {"apiVersion": "countersign.dev/v1alpha1", "kind": "ServiceIdentity", "name": "one", "uid": "one-uid", "controller": true},
        ],
    })));
    let expected = Seen {
        uid: "s".into(),
        owner: "one-uid".into(),
        digest: "d".into(),
        refresh_at: now(),
    };
    assert_eq!(seen, Some(expected));
}

#[test]
fn where_the_signer_may_not_write_nothing_is_made_and_nothing_deleted() {
    let index = index(&[("one", spec())]);
    let seen = there(&wanted_of(&index));
    let scope: Scope = "other".parse().unwrap();
    match &plan(&index, &scope, &seen, &roots(), now())[..] {
        [Step::Refused(name, refusal)] => {
            assert_eq!(name, &ObjectName::new("shop", "one"));
            assert_eq!(refusal.reason, Reason::NamespaceNotAllowed);
        }
        other => panic!("{other:?}"),
    }
}
