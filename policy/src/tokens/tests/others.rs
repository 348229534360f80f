//! Workloads, revocations, and tokens of outside issuers.

use countersign_identity::TrustDomain;
use rstest::rstest;

use super::*;

fn reader(tokens: &Value) -> Result<Workload, Vec<Problem>> {
    let domain: TrustDomain = "example.org".parse().unwrap();
    let spec = json!({"serviceAccountName": "web", "spiffePath": "/ns/shop/web", "tokens": tokens});
    workload(ObjectName::new("shop", "web"), &spec, &domain)
}

#[test]
fn a_workload_gets_what_its_identity_says() {
    let web = reader(&json!([
        {"tokenIssuer": "shop", "audiences": [{"audience": "stock", "scopes": ["stock:read"]}, {"audience": "open"}]},
        {"tokenIssuer": "other", "audiences": [{"audience": "a"}]},
    ]));
    let web = web.unwrap();
    assert_eq!(web.service_account, "web");
    assert_eq!(web.spiffe_id.to_string(), "spiffe://example.org/ns/shop/web");
    assert_eq!(web.tokens["shop"]["stock"], ["stock:read".to_owned()].into());
    assert_eq!(web.tokens.len(), 2);
    assert_eq!(
        check_workload(&web, &issuer(|_| ()).unwrap()),
        [],
        "the other issuer's are not this one's matter"
    );
    assert_eq!(reader(&json!([])).unwrap().tokens, [].into());
}

#[rstest]
#[case::no_audience(json!([{"tokenIssuer": "shop", "audiences": []}]), "spec.tokens[0].audiences", "at least one")]
#[case::twice(
    json!([{"tokenIssuer": "a", "audiences": [{"audience": "a"}]}, {"tokenIssuer": "a", "audiences": [{"audience": "b"}]}]),
    "spec.tokens[1].tokenIssuer", "twice"
)]
#[case::wildcard(
    json!([{"tokenIssuer": "a", "audiences": [{"audience": "a", "scopes": ["*"]}]}]), "spec.tokens[0].audiences[0].scopes[0]", "wildcard"
)]
#[case::name(json!([{"tokenIssuer": "A", "audiences": [{"audience": "a"}]}]), "spec.tokens[0].tokenIssuer", "`A`")]
fn each_mistake_of_a_workload_is_named(#[case] tokens: Value, #[case] field: &str, #[case] says: &str) {
    one(&reader(&tokens).unwrap_err(), field, says);
}

#[test]
fn a_workload_cannot_ask_for_what_the_issuer_has_not() {
    let web = reader(
        &json!([{"tokenIssuer": "shop", "audiences": [{"audience": "stock", "scopes": ["pay"]}, {"audience": "x"}]}]),
    );
    let found = check_workload(&web.unwrap(), &issuer(|_| ()).unwrap());
    let fields: Vec<&str> = found.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "spec.tokens[shop].audiences[stock].scopes",
            "spec.tokens[shop].audiences[x]"
        ]
    );
}

#[test]
fn a_workload_of_another_namespace_gets_nothing() {
    let web = reader(&json!([{"tokenIssuer": "shop", "audiences": [{"audience": "open"}]}])).unwrap();
    let issuer = issuer(|spec| spec["managed"]["audiences"][0]["namespaces"] = json!(["partners"])).unwrap();
    one(
        &check_workload(&web, &issuer),
        "spec.tokens[shop].audiences[open]",
        "not for namespace `shop`",
    );
}

fn revoked(what: &Value) -> Result<Revocation, Vec<Problem>> {
    let mut spec = json!({"issuer": "shop", "until": "1970-01-01T01:00:00Z", "reason": "a laptop was lost"});
    for (name, value) in what.as_object().unwrap() {
        spec[name] = value.clone();
    }
    revocation("lost", &spec)
}

#[rstest]
#[case(json!({"jti": "a"}), Revoked::Token("a".to_owned()))]
#[case(json!({"family": "f"}), Revoked::Family("f".to_owned()))]
#[case(json!({"subject": "s"}), Revoked::Subject { subject: "s".to_owned(), issued_before: None })]
#[case(
    json!({"subject": "s", "issuedBefore": "1970-01-01T00:00:09Z"}),
    Revoked::Subject { subject: "s".to_owned(), issued_before: Some(9) }
)]
#[case(json!({"client": "partners/acme"}), Revoked::Client { client: "partners/acme".to_owned(), issued_before: None })]
#[case(json!({"issuedBefore": "1970-01-01T00:00:09Z"}), Revoked::IssuedBefore(9))]
fn a_revocation_names_one_thing(#[case] what: Value, #[case] expected: Revoked) {
    let read = revoked(&what).unwrap();
    assert_eq!(read.revoked, expected);
    assert_eq!(
        (read.name.as_str(), read.issuer.as_str(), read.until),
        ("lost", "shop", 3600)
    );
    assert_eq!(check_revocation(&read, 0), []);
    one(&check_revocation(&read, 3600), "spec.until", "past");
}

#[rstest]
#[case::nothing(json!({}), "spec", "give one of")]
#[case::two(json!({"jti": "a", "subject": "b"}), "spec", "give one of")]
#[case::dated_token(json!({"jti": "a", "issuedBefore": "1970-01-01T00:00:09Z"}), "spec.issuedBefore", "stands alone")]
#[case::dated_family(json!({"family": "a", "issuedBefore": "1970-01-01T00:00:09Z"}), "spec.issuedBefore", "stands alone")]
#[case::no_client_id(json!({"client": "acme"}), "spec.client", "<namespace>/<name>")]
#[case::empty(json!({"subject": ""}), "spec.subject", "empty")]
#[case::no_reason(json!({"jti": "a", "reason": " "}), "spec.reason", "why")]
#[case::no_time(json!({"jti": "a", "until": "tomorrow"}), "spec.until", "")]
fn each_mistake_of_a_revocation_is_named(#[case] what: Value, #[case] field: &str, #[case] says: &str) {
    one(&revoked(&what).unwrap_err(), field, says);
}

#[test]
fn a_revocation_that_ends_before_it_begins_revokes_nothing() {
    let read = revoked(&json!({"issuedBefore": "1970-01-01T01:00:00Z"})).unwrap();
    one(&check_revocation(&read, 0), "spec.issuedBefore", "before spec.until");
}

#[rstest]
#[case::all(json!({"aud": "countersign", "sub": "repo:acme/shop", "ref": "main"}), true)]
#[case::audiences(json!({"aud": ["a", "countersign"], "sub": "repo:acme/shop", "ref": "main"}), true)]
#[case::other_audience(json!({"aud": "vault", "sub": "repo:acme/shop", "ref": "main"}), false)]
#[case::no_audience(json!({"sub": "repo:acme/shop", "ref": "main"}), false)]
#[case::one_claim_missing(json!({"aud": "countersign", "sub": "repo:acme/shop"}), false)]
#[case::other_value(json!({"aud": "countersign", "sub": "repo:acme/shop-2", "ref": "main"}), false)]
fn an_outside_token_is_the_clients_if_all_claims_fit(#[case] claims: Value, #[case] admitted: bool) {
    let federated = Federated {
        issuer: "ci".to_owned(),
        audience: "countersign".to_owned(),
        claims: [("sub", "repo:acme/shop"), ("ref", "main")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    };
    let key = SigningKey::generate("k1", jsonwebtoken::Algorithm::ES256);
    let keys = countersign_identity::KeySet::parse(&SigningKey::jwks(&[&key])).unwrap();
    let mut claims = claims;
    claims["iss"] = json!("https://ci.example");
    claims["exp"] = json!(1000);
    claims["iat"] = json!(0);
    let verified = countersign_identity::verify(&key.token(&claims), "https://ci.example", &keys, 10).unwrap();
    assert_eq!(federated.admits(&verified), admitted);
}
