//! What a relist, a deletion or a new owner means.

mod identities;

use countersign_policy::parse;
use countersign_policy::world::{NamespaceFacts, PodFacts, ServiceFacts};
use serde_json::json;

use super::*;
use crate::fact::{Fact, Observed};

fn name(name: &str) -> ObjectName {
    ObjectName::new("shop", name)
}

fn service(service: &str) -> Signal {
    Signal::Seen(
        Source::Services,
        name(service),
        Box::new(Fact::Service(ServiceFacts::default())),
    )
}

fn policy(uid: &str, generation: i64, version: u64) -> Signal {
    let meta = Meta {
        uid: uid.into(),
        generation,
        version: Some(version),
        deleting: false,
    };
    let parsed = Box::new(parse::policy(name("p"), &json!({})));
    Signal::Seen(
        Source::Policies,
        name("p"),
        Box::new(Fact::Policy(meta, parsed, Box::default())),
    )
}

fn object(policy_uid: &str, version: u64) -> Signal {
    let observed = Observed {
        kind: Kind::AuthorizationPolicy,
        name: name("a"),
        uid: "1".into(),
        policy_uid: policy_uid.into(),
        policy: Some("p".into()),
        role: None,
        version: Some(version),
        digest: [0; 16],
    };
    Signal::Seen(
        Source::Owned(observed.kind),
        observed.name.clone(),
        Box::new(Fact::Owned(Box::new(observed))),
    )
}

fn after(signals: impl IntoIterator<Item = Signal>) -> Store {
    let mut store = Store::default();
    signals.into_iter().for_each(|signal| drop(store.take(signal)));
    store
}

fn service_changed(service: &str) -> Effect {
    Effect::Dependency(Dependency::Service(name(service)))
}

#[test]
fn a_list_tells_what_was_deleted_while_nobody_watched() {
    let mut store = after([
        Signal::Listing(Source::Services),
        service("a"),
        service("b"),
        Signal::Listed(Source::Services),
    ]);
    assert_eq!(store.take(Signal::Listing(Source::Services)), []);
    assert_eq!(store.take(service("b")), [], "it is as it was");
    assert!(
        store.world.services.contains_key(&name("a")),
        "nothing is concluded from half a list"
    );
    assert_eq!(store.take(Signal::Listed(Source::Services)), [service_changed("a")]);
    assert!(!store.world.services.contains_key(&name("a")));
}

#[test]
fn a_list_that_broke_off_deletes_nothing() {
    let mut store = after([
        service("a"),
        service("b"),
        Signal::Listing(Source::Services),
        service("a"),
    ]);
    assert_eq!(store.take(Signal::Listing(Source::Services)), []);
    store.take(service("a"));
    store.take(service("b"));
    assert_eq!(store.take(Signal::Listed(Source::Services)), []);
}

#[test]
fn nothing_is_complete_before_everything_is() {
    let mut store = Store::default();
    for source in Source::all() {
        assert!(!store.complete());
        store.take(Signal::Listed(source));
    }
    assert!(store.complete());
    store.take(Signal::NotServed(Source::Gateways));
    assert!(
        store.complete() && !store.serves(Source::Gateways),
        "a cluster can do without gateways"
    );
    store.take(Signal::NotServed(Source::Policies));
    assert!(!store.complete(), "but not without policies");
}

#[test]
fn a_status_changes_nobody_else() {
    let mut store = after([policy("u", 1, 1)]);
    assert_eq!(store.take(policy("u", 1, 2)), []);
    let changed = [
        Effect::Dependency(Dependency::Policies("shop".into())),
        Effect::Policy(name("p")),
    ];
    assert_eq!(store.take(policy("u", 2, 3)), changed);
    assert_eq!(store.take(policy("u", 1, 2)), [], "older than what is known");
}

#[test]
fn what_a_deleted_policy_leaves_is_an_orphan() {
    let mut store = after([policy("u", 1, 1), object("u", 2)]);
    let effects = store.take(Signal::Gone(Source::Policies, name("p"), Some(3)));
    assert!(effects.contains(&Effect::Orphan("u".into())) && effects.contains(&Effect::PolicyGone(name("p"))));
    assert_eq!(store.orphans(), ["u"]);

    // A new policy of the name waits for the old one's objects to go.
    store.take(policy("v", 1, 4));
    assert_eq!(store.orphans(), ["u"]);
    let gone = Signal::Gone(Source::Owned(Kind::AuthorizationPolicy), name("a"), Some(5));
    assert!(store.take(gone).contains(&Effect::Policy(name("p"))));
    assert_eq!(store.orphans(), [""; 0]);
}

#[test]
fn a_policy_that_took_the_place_of_another_is_another() {
    let mut store = after([policy("u", 1, 1), object("u", 2)]);
    let effects = store.take(policy("v", 1, 3));
    assert!(effects.contains(&Effect::Orphan("u".into())) && effects.contains(&Effect::Policy(name("p"))));
    assert_eq!((store.policy_of("u"), store.policy_of("v")), (None, Some(&name("p"))));
}

#[test]
fn a_pod_that_only_restarted_is_no_change() {
    let pod = |facts: PodFacts| Signal::Seen(Source::Pods, name("pod"), Box::new(Fact::Pod(facts)));
    let mut store = after([pod(PodFacts::default())]);
    assert_eq!(store.take(pod(PodFacts::default())), []);
    let injected = PodFacts {
        in_mesh: true,
        ..PodFacts::default()
    };
    assert_eq!(
        store.take(pod(injected)),
        [Effect::Dependency(Dependency::Pods("shop".into()))]
    );
}

#[test]
fn a_namespace_on_its_way_out_is_known_for_one() {
    let shop = |ending| {
        Signal::Seen(
            Source::Namespaces,
            ObjectName::new("", "shop"),
            Box::new(Fact::Namespace(NamespaceFacts::default(), ending)),
        )
    };
    let mut store = after([shop(false)]);
    assert!(!store.ends("shop"));
    assert_eq!(store.take(shop(true)), [], "its policies protect as before");
    assert!(store.ends("shop"));
    store.take(Signal::Gone(Source::Namespaces, ObjectName::new("", "shop"), None));
    assert!(!store.ends("shop"));
}

/// What a signal tells, as a task tells it.
fn told(signal: Signal) -> (ObjectName, Fact) {
    match signal {
        Signal::Seen(_, name, fact) => (name, *fact),
        other => panic!("{other:?} is not seen"),
    }
}

#[test]
fn what_a_task_tells_late_does_not_bring_back_what_is_gone() {
    let mut store = after([policy("u", 1, 1), object("u", 2)]);
    let owned = Source::Owned(Kind::AuthorizationPolicy);
    store.take(Signal::Gone(Source::Policies, name("p"), Some(5)));
    store.take(Signal::Gone(owned, name("a"), Some(6)));
    for late in [policy("u", 1, 3), object("u", 4)] {
        let (name, fact) = told(late);
        assert_eq!(store.learn(name, fact), []);
    }
    assert!(store.policies.is_empty() && !store.owned.any("u"));

    let (written, anew) = told(object("u", 7));
    assert_ne!(store.learn(written, anew), [], "written after the other was gone");
    assert!(store.owned.any("u"));
}

#[test]
fn what_a_list_no_longer_names_is_not_brought_back_either() {
    let owned = Source::Owned(Kind::AuthorizationPolicy);
    let mut store = after([object("u", 2), Signal::Listing(owned), Signal::Listed(owned)]);
    let (late, fact) = told(object("u", 4));
    assert_eq!(store.learn(late.clone(), fact.clone()), []);
    store.take(object("u", 5));
    assert_eq!(store.learn(late.clone(), fact.clone()), [], "older than what is known");
    store.take(Signal::Gone(owned, late.clone(), Some(6)));
    store.forget_gone();
    assert_ne!(store.learn(late, fact), [], "once no task of that time is under way");
}

#[test]
fn what_took_the_name_of_what_a_task_deleted_stays() {
    let mut store = after([object("u", 2)]);
    let Some(mut deleted) = store.owned.of("u").first().cloned() else {
        panic!("it is known");
    };
    deleted.uid = "another".to_owned();
    assert_eq!(store.unlearn(&deleted), []);
    assert!(store.owned.any("u"));
    deleted.uid = "1".to_owned();
    assert_eq!(store.unlearn(&deleted), [Effect::Orphan("u".into())]);
    assert!(!store.owned.any("u"));
}

#[test]
fn a_cluster_restored_from_a_backup_may_say_something_else_in_the_same_generation() {
    let mut store = after([policy("u", 2, 9)]);
    let other = || {
        let Signal::Seen(source, name, mut fact) = policy("u", 2, 5) else {
            panic!("it is seen");
        };
        if let Fact::Policy(_, parsed, _) = fact.as_mut() {
            **parsed = parse::policy(name.clone(), &json!({ "mode": "DryRun" }));
        }
        Signal::Seen(source, name, fact)
    };
    assert_eq!(store.take(other()), [], "a watch only tells what is newer");
    store.take(Signal::Listing(Source::Policies));
    let changed = [
        Effect::Dependency(Dependency::Policies("shop".into())),
        Effect::Policy(name("p")),
    ];
    assert_eq!(store.take(other()), changed);
    assert_eq!(store.take(other()), [], "the same again");
}

/// A managed issuer with a status.
fn managed(status: &serde_json::Value, version: u64) -> Signal {
    let spec = json!({"managed": {"issuer": "https://tokens.example", "audiences": [{"audience": "a"}]}});
    issuer(&spec, status, version)
}

fn issuer(spec: &serde_json::Value, status: &serde_json::Value, version: u64) -> Signal {
    let object = json!({
        "apiVersion": "countersign.dev/v1alpha1", "kind": "TokenIssuer",
        "metadata": {"name": "i", "uid": "1", "generation": 1, "resourceVersion": version.to_string()},
        "spec": spec, "status": status,
    });
    let object = serde_json::from_value(object).unwrap();
    let fact = crate::fact::of_object(Source::Issuers, &object).unwrap();
    Signal::Seen(Source::Issuers, ObjectName::new("", "i"), Box::new(fact))
}

#[test]
fn policies_follow_the_keys_of_a_managed_issuer_and_nothing_else_of_its_status() {
    let keys = Effect::Dependency(Dependency::TokenIssuer("i".to_owned()));
    let own = Effect::Issuer("i".to_owned());
    let signing = json!([{"kid": "k1", "algorithm": "ES256", "state": "Signing"}]);
    let mut status = json!({"issuer": "https://tokens.example", "jwks": "a", "keys": signing});
    let mut store = after([managed(&json!({}), 1)]);
    assert_eq!(store.take(managed(&status, 2)), [keys.clone(), own.clone()]);
    status["clients"] = json!(7);
    status["keys"][0]["signsUntil"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(store.take(managed(&status, 3)), std::slice::from_ref(&own));
    status["jwks"] = json!("b");
    assert_eq!(store.take(managed(&status, 4)), [keys.clone(), own.clone()]);
    status["issuer"] = json!("https://other.example");
    assert_eq!(store.take(managed(&status, 5)), [keys, own]);
}

#[test]
fn what_the_token_service_left_in_a_status_is_not_the_operators_matter() {
    let spec = json!({"external": {"issuer": "https://a", "jwksUri": "https://a", "maxTokenLifetime": "1m"}});
    let condition = |name: &str| {
        json!({
            "type": name, "status": "True", "reason": "A", "message": "", "lastTransitionTime": "1970-01-01T00:00:00Z",
        })
    };
    let left = json!({
        "issuer": "https://a", "clients": 3, "keys": [{"kid": "k1", "algorithm": "ES256", "state": "Signing"}],
        "conditions": [condition("DiscoveryReachable"), condition("Ready")],
    });
    let store = after([issuer(&spec, &left, 1)]);
    let status = &store.issuers["i"].status;
    assert_eq!((status.keys.len(), status.clients), (0, None));
    let names: Vec<&str> = status
        .conditions
        .iter()
        .map(|condition| condition.type_.as_str())
        .collect();
    assert_eq!(names, ["Ready"]);
}
