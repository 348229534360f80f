//! Who holds what several identities name.

use super::*;

/// A `ServiceIdentity` of service account `web`, made at `second`.
fn identity(named: &str, second: i64, version: u64) -> Signal {
    identity_with(named, &json!({"serviceAccountName": "web"}), second, version)
}

fn identity_with(named: &str, spec: &serde_json::Value, second: i64, version: u64) -> Signal {
    let object = json!({
        "apiVersion": "countersign.dev/v1alpha1", "kind": "ServiceIdentity",
        "metadata": {
            "name": named, "namespace": "shop", "uid": named, "generation": 1, "resourceVersion": version.to_string(),
            "creationTimestamp": jiff::Timestamp::from_second(second).unwrap().to_string(),
        },
        "spec": spec,
    });
    let fact = crate::fact::of_object(Source::Identities, &serde_json::from_value(object).unwrap());
    Signal::Seen(Source::Identities, name(named), Box::new(fact.unwrap()))
}

/// The status of an identity, as the operator would write it now.
fn status(store: &Store, of: &str) -> ServiceIdentityStatus {
    let parsed = &store.world.service_identities[&name(of)];
    let mesh = countersign_policy::MeshSettings {
        trust_domain: "cluster.local".parse().unwrap(),
        root_namespace: "istio-system".to_owned(),
    };
    let previous = ServiceIdentityStatus::default();
    let now = jiff::Timestamp::UNIX_EPOCH;
    countersign_policy::conditions::identity_status(parsed, &store.holders, &mesh, 1, &previous, now)
}

/// The reason of `Ready` and its message.
fn ready(store: &Store, of: &str) -> (String, String) {
    let ready = status(store, of).conditions.into_iter().next().unwrap();
    assert_eq!(ready.status == "True", ready.reason == "Ready");
    (ready.reason, ready.message)
}

#[test]
fn the_older_identity_holds_and_the_newer_is_ready_once_it_is_gone() {
    let identity_changed = |of: &str| Effect::Identity(name(of));
    let mut store = after([identity("new", 9, 1)]);
    assert_eq!(ready(&store, "new").0, "Ready");

    // What is older may be seen later: the operator has just started.
    let effects = store.take(identity("old", 5, 2));
    assert!(
        effects.contains(&identity_changed("new")) && effects.contains(&identity_changed("old")),
        "{effects:?}"
    );
    let (reason, message) = ready(&store, "new");
    assert_eq!(reason, "Conflicted");
    assert!(
        message.contains("`shop/old`") && message.contains("delete one of the two"),
        "{message}"
    );
    let spiffe_ids = ["new", "old"].map(|of| status(&store, of).spiffe_id.is_some());
    assert_eq!(spiffe_ids, [false, true], "certificates are as the older one says");
    assert_eq!(ready(&store, "old").0, "Ready");

    let effects = store.take(identity("newest", 10, 3));
    assert!(
        !effects.contains(&identity_changed("new")),
        "nothing is different for it: {effects:?}"
    );

    let effects = store.take(Signal::Gone(Source::Identities, name("old"), Some(4)));
    assert!(
        effects.contains(&identity_changed("new")) && effects.contains(&identity_changed("newest")),
        "{effects:?}"
    );
    assert_eq!(
        (ready(&store, "new").0, ready(&store, "newest").0),
        ("Ready".to_owned(), "Conflicted".to_owned())
    );
}

#[test]
fn a_service_in_consul_has_one_name_and_who_lost_it_keeps_its_certificates() {
    let in_consul = |named: &str, second| {
        let spec = json!({"serviceAccountName": named, "mesh": {"consulService": "checkout"}});
        identity_with(named, &spec, second, second.unsigned_abs())
    };
    let mut store = after([in_consul("new", 9)]);
    let effects = store.take(in_consul("old", 5));
    assert!(effects.contains(&Effect::Identity(name("new"))), "{effects:?}");
    let (reason, message) = ready(&store, "new");
    assert_eq!(reason, "Conflicted");
    assert!(
        message.contains("`shop/old`") && message.contains("spec.mesh.consulService"),
        "{message}"
    );
    let new = status(&store, "new");
    assert_eq!(new.spiffe_id.as_deref(), Some("spiffe://cluster.local/ns/shop/sa/new"));
    assert_eq!(new.mesh_principals.unwrap().consul, None);
    assert_eq!(
        status(&store, "old").mesh_principals.unwrap().consul.as_deref(),
        Some("checkout")
    );

    let effects = store.take(Signal::Gone(Source::Identities, name("old"), Some(10)));
    assert!(effects.contains(&Effect::Identity(name("new"))), "{effects:?}");
    assert_eq!(ready(&store, "new").0, "Ready");
}
