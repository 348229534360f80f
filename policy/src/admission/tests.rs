mod tokens;

use std::collections::BTreeMap;

use countersign_identity::testing::SigningKey;
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::world::{GatewayFacts, NamespaceFacts, ServiceFacts};

fn name(name: &str) -> ObjectName {
    ObjectName::new("shop", name)
}

/// Namespace `shop` with two Services, a Gateway, a `ServiceIdentity` `web` and a `TokenIssuer` `corp` of ten minutes.
fn shop() -> MapWorld {
    let mut world = MapWorld::default();
    world.namespaces.insert("shop".to_owned(), NamespaceFacts::default());
    for service in ["payments", "orders"] {
        let facts = ServiceFacts {
            selector: BTreeMap::from([("app".to_owned(), service.to_owned())]),
            waypoint: None,
        };
        world.services.insert(name(service), facts);
    }
    world.gateways.insert(
        name("edge"),
        GatewayFacts {
            class: "istio".to_owned(),
        },
    );
    world.gateways.insert(
        name("other"),
        GatewayFacts {
            class: "nginx".to_owned(),
        },
    );
    let identity = parse::service_identity(
        name("web"),
        &json!({"serviceAccountName": "web"}),
        Timestamp::UNIX_EPOCH,
    );
    world.service_identities.insert(name("web"), identity);
    let issuer = issuer("10m");
    let parsed = parse::token_issuer("corp", &issuer["spec"], &Value::Null);
    world.token_issuers.insert("corp".to_owned(), parsed);
    world
}

fn issuer(longest: &str) -> Value {
    let key = SigningKey::generate("k1", jsonwebtoken::Algorithm::ES256);
    let jwks = SigningKey::jwks(&[&key]);
    json!({"spec": {"external": {"issuer": "https://corp.example", "jwks": jwks, "maxTokenLifetime": longest}}})
}

/// A policy that admits `web` to Service `payments`, changed as `change` says.
fn policy(change: impl FnOnce(&mut Value)) -> Value {
    let mut spec = json!({
        "targetRefs": [{"kind": "Service", "name": "payments"}],
        "credentials": {"mutualTls": {}},
        "rules": [{"name": "web", "callers": [{"serviceIdentity": {"name": "web"}}]}],
    });
    change(&mut spec);
    json!({ "spec": spec })
}

/// A policy that admits holders of corp's tokens to Service `payments`.
fn by_token(issuer: &str) -> Value {
    policy(|spec| {
        spec["credentials"] = json!({"jwt": [{"issuer": issuer, "audiences": ["payments"]}]});
        spec["rules"] = json!([{
            "name": "corp", "scopes": ["pay"],
            "callers": [{"claims": {"issuer": issuer, "require": [{"name": "team", "values": ["a"]}]}}],
        }]);
    })
}

fn judged(kind: Kind, of: &str, old: Option<&Value>, new: Option<&Value>, world: &MapWorld) -> Verdict {
    let mesh = MeshSettings {
        trust_domain: "cluster.local".parse().unwrap(),
        root_namespace: "istio-system".to_owned(),
    };
    let name = match kind {
        Kind::TokenIssuer | Kind::TokenRevocation => ObjectName::new("", of),
        _ => name(of),
    };
    let change = Change { kind, name, old, new };
    let settings = Settings {
        mesh: &mesh,
        refuse_unknown_issuer: true,
        now: 0,
    };
    judge(&change, world, settings)
}

fn created(object: &Value) -> Verdict {
    judged(Kind::ApiAuthPolicy, "p", None, Some(object), &shop())
}

/// The world with a policy in it.
fn with_policy(mut world: MapWorld, of: &str, object: &Value) -> MapWorld {
    world
        .policies
        .insert(name(of), parse::policy(name(of), &object["spec"]));
    world
}

#[track_caller]
fn one(messages: &[String], named: &[&str]) {
    let [message] = messages else {
        panic!("{messages:?} is not one message");
    };
    for part in named {
        assert!(message.contains(part), "`{message}` does not say `{part}`");
    }
}

#[test]
fn a_sound_policy_passes_in_silence() {
    assert_eq!(created(&policy(|_| ())), Verdict::default());
    assert_eq!(created(&by_token("corp")), Verdict::default());
}

#[rstest]
#[case::typo(&|spec: &mut Value| spec["rules"][0]["scope"] = json!(["a"]), &["spec.rules[0]", "scope"])]
#[case::a_target_elsewhere(
    &|spec: &mut Value| spec["targetRefs"][0]["namespace"] = json!("bank"),
    &["spec.targetRefs[0]", "namespace"]
)]
#[case::weaker_than_its_tier(
    &|spec: &mut Value| { *spec = by_token("corp")["spec"].take(); spec["rules"][0]["scopes"] = json!([]); },
    &["spec.rules[0].scopes", "Sensitive"]
)]
#[case::foreign_gateway(
    &|spec: &mut Value| spec["targetRefs"] =
        json!([{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "other"}]),
    &["nginx"]
)]
#[case::unknown_issuer(
    &|spec: &mut Value| *spec = by_token("corpp")["spec"].take(),
    &["corpp", "apply the TokenIssuer first"]
)]
fn what_the_operator_would_not_accept_is_refused(#[case] change: &dyn Fn(&mut Value), #[case] named: &[&str]) {
    let verdict = created(&policy(change));
    one(&verdict.refusals, named);
}

#[test]
fn what_may_still_come_is_warned_of() {
    let no_target = created(&policy(|spec| spec["targetRefs"][0]["name"] = json!("later")));
    assert_eq!(no_target.refusals, Vec::<String>::new());
    one(&no_target.warnings, &["`later` does not exist", "denies all until"]);
    let no_identity = created(&policy(|spec| {
        spec["rules"][0]["callers"][0]["serviceIdentity"]["name"] = json!("nobody");
    }));
    assert_eq!(no_identity.refusals, Vec::<String>::new());
    one(&no_identity.warnings, &["nobody"]);
}

#[test]
fn a_missing_target_does_not_hide_a_weakness() {
    let weak = policy(|spec| {
        *spec = by_token("corp")["spec"].take();
        spec["rules"][0]["scopes"] = json!([]);
        spec["targetRefs"][0]["name"] = json!("later");
    });
    let verdict = created(&weak);
    one(&verdict.refusals, &["spec.rules[0].scopes"]);
    one(&verdict.warnings, &["`later`"]);
}

#[test]
fn an_unknown_issuer_can_be_let_in_with_a_warning() {
    let mesh = MeshSettings {
        trust_domain: "cluster.local".parse().unwrap(),
        root_namespace: "istio-system".to_owned(),
    };
    let new = by_token("later");
    let change = Change {
        kind: Kind::ApiAuthPolicy,
        name: name("p"),
        old: None,
        new: Some(&new),
    };
    let settings = Settings {
        mesh: &mesh,
        refuse_unknown_issuer: false,
        now: 0,
    };
    let verdict = judge(&change, &shop(), settings);
    assert_eq!(verdict.refusals, Vec::<String>::new());
    one(&verdict.warnings, &["TokenIssuer `later`"]);
}

#[test]
fn a_floor_of_the_namespace_holds() {
    let mut world = shop();
    let facts = NamespaceFacts {
        minimum_sensitivity: Some("Critical".to_owned()),
        ..NamespaceFacts::default()
    };
    world.namespaces.insert("shop".to_owned(), facts);
    let verdict = judged(Kind::ApiAuthPolicy, "p", None, Some(&policy(|_| ())), &world);
    one(&verdict.refusals, &["floor", "Critical"]);
}

#[test]
fn an_unchanged_spec_passes_whatever_it_says() {
    let broken = policy(|spec| spec["rules"][0]["scope"] = json!(["a"]));
    let mut labelled = broken.clone();
    labelled["metadata"] = json!({"finalizers": []});
    let verdict = judged(Kind::ApiAuthPolicy, "p", Some(&broken), Some(&labelled), &shop());
    assert_eq!(verdict, Verdict::default());
}

#[test]
fn deleting_the_last_policy_of_a_target_is_warned_of() {
    let old = policy(|_| ());
    let alone = with_policy(shop(), "p", &old);
    let verdict = judged(Kind::ApiAuthPolicy, "p", Some(&old), None, &alone);
    assert_eq!(verdict.refusals, Vec::<String>::new());
    one(&verdict.warnings, &["opens Service/payments"]);

    let other = policy(|spec| {
        spec["targetRefs"] = json!([{"kind": "Service", "name": "orders"}, {"kind": "Service", "name": "payments"}]);
    });
    let both = with_policy(alone.clone(), "q", &other);
    assert_eq!(
        judged(Kind::ApiAuthPolicy, "p", Some(&old), None, &both),
        Verdict::default()
    );

    let recording = policy(|spec| spec["mode"] = json!("DryRun"));
    let with_recording = with_policy(alone, "q", &recording);
    let verdict = judged(Kind::ApiAuthPolicy, "p", Some(&old), None, &with_recording);
    one(&verdict.warnings, &["opens Service/payments"]);
}

#[rstest]
#[case::dry_run(&|spec: &mut Value| spec["mode"] = json!("DryRun"), &["opens Service/payments"])]
#[case::another_target(
    &|spec: &mut Value| spec["targetRefs"][0]["name"] = json!("orders"),
    &["opens Service/payments"]
)]
fn an_update_that_opens_a_target_is_warned_of(#[case] change: &dyn Fn(&mut Value), #[case] named: &[&str]) {
    let old = policy(|_| ());
    let world = with_policy(shop(), "p", &old);
    let verdict = judged(Kind::ApiAuthPolicy, "p", Some(&old), Some(&policy(change)), &world);
    assert_eq!(verdict.refusals, Vec::<String>::new());
    one(&verdict.warnings, named);
}

#[test]
fn a_stricter_policy_that_breaks_another_is_warned_of() {
    let world = with_policy(shop(), "tokens", &by_token("corp"));
    let strict = policy(|spec| spec["sensitivity"] = json!("Critical"));
    let verdict = judged(Kind::ApiAuthPolicy, "strict", None, Some(&strict), &world);
    assert_eq!(verdict.refusals, Vec::<String>::new());
    one(
        &verdict.warnings,
        &["`shop/tokens` will no longer be accepted", "Critical"],
    );
}

#[test]
fn what_policies_still_name_is_not_deleted_in_silence() {
    let world = with_policy(
        with_policy(shop(), "certs", &policy(|_| ())),
        "tokens",
        &by_token("corp"),
    );
    let issuer = issuer("10m");
    let verdict = judged(Kind::TokenIssuer, "corp", Some(&issuer), None, &world);
    assert_eq!(verdict.refusals, Vec::<String>::new());
    one(&verdict.warnings, &["`shop/tokens` will no longer be accepted", "corp"]);

    let identity = json!({"spec": {"serviceAccountName": "web"}});
    let verdict = judged(Kind::ServiceIdentity, "web", Some(&identity), None, &world);
    assert_eq!(verdict.refusals, Vec::<String>::new());
    one(&verdict.warnings, &["`shop/certs` will admit less", "web"]);
}

#[test]
fn an_issuer_of_longer_tokens_is_warned_of_where_a_tier_allows_less() {
    let world = with_policy(shop(), "tokens", &by_token("corp"));
    let old = issuer("10m");
    let verdict = judged(Kind::TokenIssuer, "corp", Some(&old), Some(&issuer("2h")), &world);
    assert_eq!(verdict.refusals, Vec::<String>::new());
    one(
        &verdict.warnings,
        &["`shop/tokens` will no longer be accepted", "7200 s"],
    );
}

#[test]
fn many_broken_policies_are_counted() {
    let mut world = shop();
    for at in 0..9 {
        world = with_policy(world, &format!("tokens-{at}"), &by_token("corp"));
    }
    let verdict = judged(Kind::TokenIssuer, "corp", Some(&issuer("10m")), None, &world);
    assert_eq!(verdict.warnings.len(), 6);
    assert_eq!(verdict.warnings[5], "and 4 more like these");
}

#[rstest]
#[case::issuer_typo(Kind::TokenIssuer, json!({"external": {"isuer": "https://a"}}), "isuer")]
#[case::issuer_without_keys(
    Kind::TokenIssuer,
    json!({"external": {"issuer": "https://a", "maxTokenLifetime": "5m"}}),
    "exactly one of jwksUri and jwks"
)]
#[case::identity_typo(Kind::ServiceIdentity, json!({"serviceAcountName": "web"}), "serviceAcountName")]
fn the_other_kinds_are_read_too(#[case] kind: Kind, #[case] spec: Value, #[case] named: &str) {
    let verdict = judged(kind, "x", None, Some(&json!({ "spec": spec })), &shop());
    one(&verdict.refusals, &[named]);
}

#[rstest]
#[case::path_of_another_namespace(json!({"serviceAccountName": "a", "spiffePath": "/ns/bank/a"}), "spec.spiffePath")]
#[case::name_of_another_namespace(
    json!({"serviceAccountName": "a", "certificate": {"dnsNames": ["a.bank.svc"]}}),
    "spec.certificate.dnsNames[0]"
)]
#[case::secret_name_without_secret(json!({"serviceAccountName": "a", "secretName": "a-tls"}), "spec.secretName")]
fn an_identity_that_would_not_be_ready_is_refused(#[case] spec: Value, #[case] field: &str) {
    let verdict = judged(
        Kind::ServiceIdentity,
        "x",
        None,
        Some(&json!({ "spec": spec })),
        &shop(),
    );
    one(&verdict.refusals, &[field]);
    assert_eq!(verdict.warnings, Vec::<String>::new());
}

#[test]
fn all_that_is_wrong_with_an_identity_is_told() {
    let object = json!({"spec": {"serviceAccountName": "a", "spiffePath": "/ns/bank/a", "secretName": "a-tls"}});
    let verdict = judged(Kind::ServiceIdentity, "x", None, Some(&object), &shop());
    assert_eq!(verdict.refusals.len(), 2, "{verdict:?}");
}

#[test]
fn a_service_in_consul_that_another_holds_is_warned_of() {
    let spec = |account: &str| json!({"serviceAccountName": account, "mesh": {"consulService": "checkout"}});
    let mut world = shop();
    let other = ObjectName::new("bank", "teller");
    let parsed = parse::service_identity(other.clone(), &spec("teller"), Timestamp::UNIX_EPOCH);
    world.service_identities.insert(other, parsed);
    let object = json!({"spec": spec("api")});
    let verdict = judged(Kind::ServiceIdentity, "api", None, Some(&object), &world);
    assert_eq!(verdict.refusals, Vec::<String>::new());
    one(&verdict.warnings, &["spec.mesh.consulService", "`bank/teller`"]);
}

#[test]
fn a_service_account_that_another_holds_is_warned_of() {
    let object = |created: Option<&str>, account: &str| json!({"metadata": {"creationTimestamp": created}, "spec": {"serviceAccountName": account}});
    let judged = |old: Option<&Value>, new: &Value| judged(Kind::ServiceIdentity, "web-2", old, Some(new), &shop());
    let held = &["spec.serviceAccountName", "`shop/web`"];

    let verdict = judged(None, &object(None, "web"));
    assert_eq!(verdict.refusals, Vec::<String>::new());
    one(&verdict.warnings, held);
    assert_eq!(judged(None, &object(None, "api")), Verdict::default());

    let younger = Some("2026-01-01T00:00:00Z");
    let moved = judged(Some(&object(younger, "api")), &object(younger, "web"));
    one(&moved.warnings, held);
    let older = Some("1969-01-01T00:00:00Z");
    assert_eq!(
        judged(Some(&object(older, "api")), &object(older, "web")),
        Verdict::default()
    );
}

#[rstest]
#[case::no_keys_yet(r#"{"keys": []}"#, false)]
#[case::no_set("[]", true)]
#[case::a_key_that_cannot_be_used(r#"{"keys": [{"kty": "oct"}]}"#, true)]
fn an_issuer_may_wait_for_its_keys(#[case] keys: &str, #[case] refused: bool) {
    let spec = json!({"external": {"issuer": "https://a", "maxTokenLifetime": "5m", "jwks": keys}});
    let verdict = judged(Kind::TokenIssuer, "x", None, Some(&json!({ "spec": spec })), &shop());
    let told = if refused { &verdict.refusals } else { &verdict.warnings };
    one(told, &["spec.external.jwks"]);
    assert_eq!(verdict.refusals.is_empty(), !refused);
}
