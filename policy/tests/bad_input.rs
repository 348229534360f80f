//! Bad input gets problems that name fields; nothing panics, and nothing is read as wider than it was written.
#![allow(clippy::unwrap_used, clippy::too_many_lines, reason = "tests want to fail at once")]

use countersign_policy::{MapWorld, MeshSettings, ObjectName, evaluate, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Any JSON, with the schema's own words for keys often enough to get deep.
fn any_json() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "targetRefs",
        "selector",
        "matchLabels",
        "sensitivity",
        "mode",
        "credentials",
        "mutualTls",
        "jwt",
        "issuer",
        "audiences",
        "from",
        "header",
        "name",
        "prefix",
        "rules",
        "operations",
        "methods",
        "paths",
        "exact",
        "template",
        "callers",
        "serviceIdentity",
        "client",
        "id",
        "claims",
        "require",
        "values",
        "anyAuthenticated",
        "scopes",
        "unauthenticated",
        "rateLimit",
        "requests",
        "per",
        "waive",
        "kind",
        "group",
        "Service",
        "Public",
        "/v1/{id}",
        "*",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        words.clone().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(words.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn anything_is_read_and_evaluated(spec in any_json()) {
        let name = ObjectName::new("shop", "p");
        let parsed = parse::policy(name.clone(), &spec);
        if let Err(problems) = &parsed.policy {
            prop_assert!(!problems.is_empty());
            prop_assert!(problems.iter().all(|problem| problem.field.starts_with("spec")), "{problems:?}");
        }
        let mut world = MapWorld::default();
        world.policies.insert(name.clone(), parsed);
        let mesh = MeshSettings { trust_domain: "cluster.local".parse().unwrap(), root_namespace: "istio-system".to_owned() };
        prop_assert!(evaluate(&name, &world, &mesh).is_some());
    }

    #[test]
    fn normalising_twice_changes_nothing(target in "/[a-c/.%;\\\\2eEfF?]{0,24}") {
        if let Some(path) = countersign_policy::decide::path::normalise(&target) {
            prop_assert_eq!(countersign_policy::decide::path::normalise(&path), Some(path.clone()), "{}", target);
            prop_assert!(!path.contains("//") && !path.contains("/../") && !path.contains("/./"), "{path}");
        }
    }
}

#[test]
fn each_mistake_is_named_with_its_field() {
    let good = json!({
        "targetRefs": [{ "kind": "Service", "name": "payments" }],
        "sensitivity": "Public",
        "credentials": { "mutualTls": {}, "jwt": [{ "issuer": "corp", "audiences": ["payments"] }] },
        "rules": [{ "name": "a", "operations": [{ "paths": [{ "exact": "/v1" }] }],
                    "callers": [{ "client": { "issuer": "corp", "id": "x" } }], "scopes": ["s"] }],
    });
    let name = ObjectName::new("shop", "p");
    assert!(parse::policy(name.clone(), &good).policy.is_ok());
    for (pointer, value, field) in [
        ("/sensitivity", json!("Secret"), "spec.sensitivity"),
        ("/mode", json!("Off"), "spec.mode"),
        ("/apiKeys", json!({}), "spec.apiKeys"),
        ("/credentials/dpop", json!({}), "spec.credentials.dpop"),
        (
            "/credentials/jwt/0/maxLifetime",
            json!("5m"),
            "spec.credentials.jwt[0].maxLifetime",
        ),
        (
            "/credentials/jwt/0/audiences",
            json!([]),
            "spec.credentials.jwt[0].audiences",
        ),
        (
            "/credentials/jwt/0/audiences/0",
            json!("pay*"),
            "spec.credentials.jwt[0].audiences[0]",
        ),
        (
            "/credentials/jwt/0/from",
            json!({ "header": { "name": "a b" } }),
            "spec.credentials.jwt[0].from.header.name",
        ),
        (
            "/credentials/jwt/0/from",
            json!({ "header": { "name": "X-T", "prefix": "a\tb" } }),
            "spec.credentials.jwt[0].from.header.prefix",
        ),
        (
            "/credentials/jwt/0/from",
            json!({ "query": "t" }),
            "spec.credentials.jwt[0].from.query",
        ),
        ("/targetRefs/0/kind", json!("Pod"), "spec.targetRefs[0]"),
        (
            "/targetRefs/0/namespace",
            json!("other"),
            "spec.targetRefs[0].namespace",
        ),
        (
            "/rules/0/operations/0/paths/0/exact",
            json!("v1"),
            "spec.rules[0].operations[0].paths[0].exact",
        ),
        (
            "/rules/0/operations/0/paths/0/exact",
            json!("/v1/%2f"),
            "spec.rules[0].operations[0].paths[0].exact",
        ),
        (
            "/rules/0/operations/0/paths/0/exact",
            json!("/v1/../a"),
            "spec.rules[0].operations[0].paths[0].exact",
        ),
        (
            "/rules/0/operations/0/paths/0/regex",
            json!(".*"),
            "spec.rules[0].operations[0].paths[0].regex",
        ),
        (
            "/rules/0/operations/0/methods",
            json!(["get"]),
            "spec.rules[0].operations[0].methods[0]",
        ),
        (
            "/rules/0/callers/0/client/issuer",
            json!("other"),
            "spec.rules[0].callers[0].client.issuer",
        ),
        (
            "/rules/0/callers/0/client/id",
            json!("*"),
            "spec.rules[0].callers[0].client.id",
        ),
        ("/rules/0/callers/0", json!({}), "spec.rules[0].callers[0]"),
        ("/rules/0/callers", json!([]), "spec.rules[0].callers"),
        ("/rules/0/scopes/0", json!("*"), "spec.rules[0].scopes[0]"),
        ("/rules/0/scopes/0", json!("a b"), "spec.rules[0].scopes[0]"),
        (
            "/rules/0/rateLimit",
            json!({ "requests": 5, "per": "soon" }),
            "spec.rules[0].rateLimit.per",
        ),
        ("/rules/0/unauthenticated", json!(true), "spec.rules[0].rateLimit"),
    ] {
        let mut spec = good.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = spec.pointer_mut(parent).unwrap();
        match key.parse::<usize>() {
            Ok(index) => parent[index] = value,
            Err(_) => parent[key] = value,
        }
        let problems = parse::policy(name.clone(), &spec).policy.expect_err(pointer);
        assert!(
            problems.iter().any(|problem| problem.field == field),
            "{pointer}: {problems:?}"
        );
    }
}
