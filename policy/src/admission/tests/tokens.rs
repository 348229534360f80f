//! Those who get tokens of a managed issuer.

use super::*;
use crate::tokens::client;

/// Managed, with audiences `pay` and `list`.
fn managed() -> Value {
    json!({"spec": {"managed": {"issuer": "https://tokens.example", "audiences": [
        {"audience": "pay", "scopes": ["a", "b"]}, {"audience": "list", "sensitivity": "Internal"},
    ]}}})
}

/// A client of the issuer `tokens`, changed as `change` says.
fn partner(change: impl FnOnce(&mut Value)) -> Value {
    let key = SigningKey::generate("k1", jsonwebtoken::Algorithm::ES256);
    let mut spec = json!({
        "issuer": "tokens", "authentication": {"privateKeyJwt": {"jwks": SigningKey::jwks(&[&key])}},
        "grants": ["ClientCredentials"], "audiences": [{"audience": "pay", "scopes": ["a"]}],
    });
    change(&mut spec);
    json!({ "spec": spec })
}

/// The shop, with managed issuer `tokens`.
fn world() -> MapWorld {
    let mut world = shop();
    let parsed = parse::token_issuer("tokens", &managed()["spec"], &Value::Null);
    world.token_issuers.insert("tokens".to_owned(), parsed);
    world
}

fn made(kind: Kind, object: &Value) -> Verdict {
    judged(kind, "x", None, Some(object), &world())
}

#[test]
fn a_client_of_a_managed_issuer_passes_in_silence() {
    assert_eq!(made(Kind::TokenClient, &partner(|_| ())), Verdict::default());
}

#[rstest]
#[case::of_its_own(&|spec: &mut Value| spec["grants"] = json!(["JWTBearer", "RefreshToken"]), &["spec.grants", "AuthorizationCode"])]
#[case::unknown_audience(&|spec: &mut Value| spec["audiences"] = json!([{"audience": "x"}]), &["spec.audiences[x]", "pay"])]
#[case::unknown_scope(
    &|spec: &mut Value| spec["audiences"][0]["scopes"] = json!(["c"]), &["spec.audiences[pay].scopes", "it has a, b"]
)]
#[case::outside_issuer(&|spec: &mut Value| spec["issuer"] = json!("corp"), &["spec.issuer", "outside"])]
#[case::secret_for_sensitive(
    &|spec: &mut Value| spec["authentication"] = secret("1970-01-02T00:00:00Z"), &["spec.authentication.clientSecret", "Sensitive"]
)]
#[case::secret_without_a_near_end(
    &|spec: &mut Value| {
        spec["authentication"] = secret("1972-01-02T00:00:00Z");
        spec["audiences"] = json!([{"audience": "list"}]);
    },
    &["hashes[0].notAfter", "a year"]
)]
#[case::tokens_of_a_managed_issuer(
    &|spec: &mut Value| {
        spec["issuer"] = json!("tokens");
        spec["grants"] = json!(["TokenExchange"]);
        spec["authentication"] = federated("tokens-2");
    },
    &["spec.authentication.federated[0].tokenIssuer", "managed"]
)]
fn a_client_that_breaks_its_issuers_rules_is_refused(#[case] change: &dyn Fn(&mut Value), #[case] named: &[&str]) {
    let mut world = world();
    let mut second = managed();
    second["spec"]["managed"]["issuer"] = json!("https://tokens-2.example");
    let parsed = parse::token_issuer("tokens-2", &second["spec"], &Value::Null);
    world.token_issuers.insert("tokens-2".to_owned(), parsed);
    let verdict = judged(Kind::TokenClient, "x", None, Some(&partner(change)), &world);
    one(&verdict.refusals, named);
    assert_eq!(verdict.warnings, [""; 0]);
}

fn secret(end: &str) -> Value {
    let hash = format!("$argon2id$v=19$m=19456,t=2,p=1${}${}", "A".repeat(22), "A".repeat(43));
    json!({"clientSecret": {"hashes": [{"hash": hash, "notAfter": end}]}})
}

fn federated(issuer: &str) -> Value {
    json!({"federated": [{"tokenIssuer": issuer, "audience": "a", "claims": {"sub": "a"}}]})
}

#[rstest]
#[case::no_issuer_yet(&|spec: &mut Value| spec["issuer"] = json!("soon"), &["spec.issuer", "`soon`", "gets no token until"])]
#[case::no_outside_issuer_yet(
    &|spec: &mut Value| { spec["grants"] = json!(["TokenExchange"]); spec["authentication"] = federated("soon"); },
    &["federated[0].tokenIssuer", "`soon`"]
)]
#[case::every_secret_past(
    &|spec: &mut Value| {
        spec["authentication"] = secret("1969-01-01T00:00:00Z");
        spec["audiences"] = json!([{"audience": "list"}]);
    },
    &["spec.authentication.clientSecret.hashes", "ended"]
)]
fn a_client_that_waits_for_something_gets_in_with_a_warning(
    #[case] change: &dyn Fn(&mut Value),
    #[case] named: &[&str],
) {
    let verdict = made(Kind::TokenClient, &partner(change));
    one(&verdict.warnings, named);
    assert_eq!(verdict.refusals, [""; 0]);
}

#[test]
fn an_issuer_is_not_taken_from_its_clients_in_silence() {
    let mut world = world();
    let acme = name("acme");
    world
        .token_clients
        .insert(acme.clone(), client(acme, &partner(|_| ())["spec"]));
    let other = name("other");
    let of_another = partner(|spec| spec["issuer"] = json!("tokens-2"));
    world
        .token_clients
        .insert(other.clone(), client(other, &of_another["spec"]));
    let judged = |new: Option<&Value>| judged(Kind::TokenIssuer, "tokens", Some(&managed()), new, &world);
    let deleted = judged(None);
    one(
        &deleted.warnings,
        &["TokenClient `shop/acme` will get no tokens any more", "does not exist"],
    );
    assert_eq!(deleted.refusals, [""; 0]);
    let mut less = managed();
    less["spec"]["managed"]["audiences"][0]["scopes"] = json!(["b"]);
    one(
        &judged(Some(&less)).warnings,
        &["shop/acme", "spec.audiences[pay].scopes", "it has b"],
    );
    let mut more = managed();
    more["spec"]["managed"]["audiences"][0]["scopes"] = json!(["a", "b", "c"]);
    assert_eq!(judged(Some(&more)), Verdict::default());
}

#[test]
fn a_managed_issuer_is_judged_by_itself_and_has_no_twin() {
    let mut wrong = managed();
    wrong["spec"]["managed"]["audiences"][1]["tokenLifetime"] = json!("2h");
    one(
        &made(Kind::TokenIssuer, &wrong).refusals,
        &["spec.managed.audiences[1].tokenLifetime", "Internal"],
    );
    one(
        &made(Kind::TokenIssuer, &managed()).refusals,
        &["spec.managed.issuer", "`tokens`"],
    );
}

#[rstest]
#[case::fine("tokens", json!([{"audience": "pay", "scopes": ["a"]}]), &[], &[])]
#[case::unknown_scope("tokens", json!([{"audience": "pay", "scopes": ["c"]}]), &["spec.tokens[tokens].audiences[pay].scopes"], &[])]
#[case::outside("corp", json!([{"audience": "pay"}]), &["spec.tokens[corp]", "outside"], &[])]
#[case::not_yet("soon", json!([{"audience": "pay"}]), &[], &["spec.tokens[soon]", "gets none of its tokens"])]
fn a_workload_asks_for_what_there_is(
    #[case] issuer: &str,
    #[case] audiences: Value,
    #[case] refused: &[&str],
    #[case] warned: &[&str],
) {
    let identity = json!({"spec": {
        "serviceAccountName": "x", "tokens": [{"tokenIssuer": issuer, "audiences": audiences}],
    }});
    let verdict = made(Kind::ServiceIdentity, &identity);
    for (messages, named) in [(&verdict.refusals, refused), (&verdict.warnings, warned)] {
        if named.is_empty() {
            assert!(messages.is_empty(), "{messages:?}");
        } else {
            one(messages, named);
        }
    }
}

fn revoked(issuer: &str, until: &str) -> Verdict {
    let spec = json!({"issuer": issuer, "subject": "a", "until": until, "reason": "a test"});
    made(Kind::TokenRevocation, &json!({ "spec": spec }))
}

#[test]
fn a_revocation_is_of_a_managed_issuer_and_lasts() {
    assert_eq!(revoked("tokens", "1970-01-01T01:00:00Z"), Verdict::default());
    one(
        &revoked("tokens", "1970-01-01T00:59:59Z").warnings,
        &["spec.until", "3600 s"],
    );
    one(
        &revoked("tokens", "1970-01-01T00:00:00Z").refusals,
        &["spec.until", "past"],
    );
    one(
        &revoked("corp", "1970-01-02T00:00:00Z").refusals,
        &["spec.issuer", "outside"],
    );
    one(
        &revoked("soon", "1970-01-02T00:00:00Z").warnings,
        &["spec.issuer", "`soon`"],
    );
    let nothing = json!({"spec": {"issuer": "tokens", "until": "1970-01-02T00:00:00Z", "reason": "a test"}});
    one(&made(Kind::TokenRevocation, &nothing).refusals, &["give one of jti"]);
}
