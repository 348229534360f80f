use rstest::rstest;

use super::*;

fn thumbprint() -> String {
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned()
}

#[test]
fn what_is_left_out_has_a_default() {
    let client = partner(|_| ()).unwrap();
    assert_eq!(client.id(), "partners/acme");
    assert_eq!(client.issuer, "shop");
    assert_eq!(client.binding, Binding::Optional);
    assert_eq!(client.lifetime, None);
    assert!(!client.require_par);
    assert_eq!(
        client.audiences["https://api.example/orders"],
        ["orders:read".to_owned()].into()
    );
    assert_eq!(client.authentication.name(), "PrivateKeyJwt");
    assert_eq!(client.key_expiry(), None);
}

#[test]
fn everything_is_read() {
    let client = partner(|spec| {
        spec["grants"] = json!([
            "AuthorizationCode",
            "RefreshToken",
            "ClientCredentials",
            "TokenExchange",
            "JWTBearer"
        ]);
        spec["redirectUris"] = json!([
            "https://app.example/cb?a=b",
            "http://127.0.0.1:8080/cb",
            "http://[::1]/cb"
        ]);
        spec["tokenLifetime"] = json!("90s");
        spec["binding"] = json!("Required");
        spec["requirePushedAuthorizationRequests"] = json!(true);
        spec["authentication"] = json!({"privateKeyJwt": {
            "jwksUri": "https://acme.example/jwks", "caBundle": "PEM", "assertionAudience": "Issuer",
        }});
    });
    let client = client.unwrap();
    assert_eq!(client.grants.len(), 5);
    assert_eq!(client.redirect_uris.len(), 3);
    assert_eq!(client.lifetime, Some(90));
    assert_eq!(client.binding, Binding::Required);
    assert!(client.require_par);
    let expected = Authentication::PrivateKeyJwt {
        keys: None,
        jwks_uri: Some("https://acme.example/jwks".to_owned()),
        ca_bundle: Some("PEM".to_owned()),
        issuer_alone: true,
    };
    assert_eq!(client.authentication, expected);
}

#[rstest]
#[case::spiffe(
    json!({"mutualTls": {"spiffeId": "spiffe://example.org/ns/shop/sa/web"}}),
    Authentication::TlsSpiffe("spiffe://example.org/ns/shop/sa/web".parse().unwrap()), "MutualTls"
)]
#[case::dns(json!({"mutualTls": {"dnsName": "acme.example"}}), Authentication::TlsDns("acme.example".to_owned()), "MutualTls")]
#[case::thumbprint(
    json!({"mutualTls": {"thumbprints": [thumbprint()]}}), Authentication::SelfSignedTls([thumbprint()].into()), "MutualTls"
)]
#[case::secret(
    json!({"clientSecret": {"hashes": [{"hash": HASH, "notAfter": "1970-01-02T00:00:00Z"}]}}),
    Authentication::Secret(vec![SecretHash { hash: HASH.to_owned(), not_after: 86_400 }]), "ClientSecret"
)]
fn each_way_to_authenticate_is_read(#[case] wire: Value, #[case] expected: Authentication, #[case] named: &str) {
    let client = partner(|spec| spec["authentication"] = wire).unwrap();
    assert_eq!(client.authentication, expected);
    assert_eq!(client.authentication.name(), named);
}

#[test]
fn public_clients_and_those_of_other_issuers_are_read() {
    let public = partner(|spec| {
        spec["authentication"] = json!({"public": {}});
        spec["grants"] = json!(["AuthorizationCode", "RefreshToken"]);
        spec["redirectUris"] = json!(["com.example.app:/signed-in"]);
    });
    assert_eq!(public.unwrap().authentication, Authentication::Public);
    let federated = partner(|spec| {
        spec["authentication"] = json!({"federated": [
            {"tokenIssuer": "ci", "audience": "countersign", "claims": {"sub": "repo:acme/shop"}},
        ]});
        spec["grants"] = json!(["TokenExchange"]);
    });
    let expected = Federated {
        issuer: "ci".to_owned(),
        audience: "countersign".to_owned(),
        claims: [("sub".to_owned(), "repo:acme/shop".to_owned())].into(),
    };
    assert_eq!(
        federated.unwrap().authentication,
        Authentication::Federated(vec![expected])
    );
}

/// The private part of a key has no place in a client.
fn private_jwks() -> String {
    json!({"keys": [{"kty": "EC", "crv": "P-256", "x": "", "y": "", "d": "AA"}]}).to_string()
}

#[rstest]
#[case::none(json!({}), "", "exactly one")]
#[case::two(json!({"public": {}, "mutualTls": {"dnsName": "a.example"}}), "", "exactly one")]
#[case::no_keys(json!({"privateKeyJwt": {}}), ".privateKeyJwt", "exactly one")]
#[case::both_keys(json!({"privateKeyJwt": {"jwks": jwks(), "jwksUri": "https://a"}}), ".privateKeyJwt", "exactly one")]
#[case::private(json!({"privateKeyJwt": {"jwks": private_jwks()}}), ".privateKeyJwt.jwks", "replace the key")]
#[case::no_set(json!({"privateKeyJwt": {"jwks": "[]"}}), ".privateKeyJwt.jwks", "JWK Set")]
#[case::symmetric(json!({"privateKeyJwt": {"jwks": r#"{"keys":[{"kty":"oct"}]}"#}}), ".privateKeyJwt.jwks", "no usable key")]
#[case::plain(json!({"privateKeyJwt": {"jwksUri": "http://a.example"}}), ".privateKeyJwt.jwksUri", "https")]
#[case::user(json!({"privateKeyJwt": {"jwksUri": "https://b@a.example"}}), ".privateKeyJwt.jwksUri", "user")]
#[case::bundle(json!({"privateKeyJwt": {"jwks": jwks(), "caBundle": "x"}}), ".privateKeyJwt.caBundle", "nothing is fetched")]
#[case::no_certificate(json!({"mutualTls": {}}), ".mutualTls", "exactly one")]
#[case::two_names(json!({"mutualTls": {"dnsName": "a", "spiffeId": "spiffe://a/b"}}), ".mutualTls", "exactly one")]
#[case::whole_domain(json!({"mutualTls": {"spiffeId": "spiffe://a"}}), ".mutualTls.spiffeId", "whole trust domain")]
#[case::no_id(json!({"mutualTls": {"spiffeId": "https://a/b"}}), ".mutualTls.spiffeId", "spiffe://")]
#[case::wildcard(json!({"mutualTls": {"dnsName": "*.example"}}), ".mutualTls.dnsName", "wildcard")]
#[case::address(json!({"mutualTls": {"dnsName": "10.0.0.1"}}), ".mutualTls.dnsName", "not a DNS name")]
#[case::hex(json!({"mutualTls": {"thumbprints": ["ab".repeat(32)]}}), ".mutualTls.thumbprints[0]", "base64url")]
#[case::loose_bits(
    json!({"mutualTls": {"thumbprints": [format!("{}B", "A".repeat(42))]}}), ".mutualTls.thumbprints[0]", "base64url"
)]
#[case::no_hash(json!({"clientSecret": {"hashes": []}}), ".clientSecret.hashes", "at least one")]
#[case::no_end(json!({"clientSecret": {"hashes": [{"hash": HASH}]}}), ".clientSecret.hashes[0]", "notAfter")]
#[case::own_issuer(
    json!({"federated": [{"tokenIssuer": "shop", "audience": "a", "claims": {"sub": "a"}}]}),
    ".federated[0].tokenIssuer", "own issuer"
)]
#[case::any_token(json!({"federated": [{"tokenIssuer": "ci", "audience": "a", "claims": {}}]}), ".federated[0].claims", "sub")]
#[case::pattern(
    json!({"federated": [{"tokenIssuer": "ci", "audience": "a", "claims": {"sub": "repo:*"}}]}),
    ".federated[0].claims[sub]", "wildcard"
)]
#[case::no_claim(
    json!({"federated": [{"tokenIssuer": "ci", "audience": "a", "claims": {"iss": "https://a"}}]}),
    ".federated[0].claims[iss]", "sub"
)]
fn each_mistake_in_authentication_is_named(#[case] wire: Value, #[case] field: &str, #[case] says: &str) {
    let federated = wire.get("federated").is_some();
    let read = partner(|spec| {
        spec["authentication"] = wire;
        if federated {
            spec["grants"] = json!(["TokenExchange"]);
        }
    });
    one(&read.unwrap_err(), &format!("spec.authentication{field}"), says);
}

#[rstest]
#[case::the_secret("correct horse battery staple", "never write the secret")]
#[case::bcrypt("$2b$12$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "argon2id")]
#[case::argon2i("$argon2i$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAA$AAAA", "argon2id")]
#[case::weak("$argon2id$v=19$m=1024,t=2,p=1$AAAAAAAAAAAAAAAA$AAAA", "m=1024")]
#[case::a_burden("$argon2id$v=19$m=4194304,t=2,p=1$AAAAAAAAAAAAAAAA$AAAA", "m=4194304")]
#[case::slow("$argon2id$v=19$m=19456,t=100,p=1$AAAAAAAAAAAAAAAA$AAAA", "t=100")]
#[case::no_rounds("$argon2id$v=19$m=19456,t=0,p=1$AAAAAAAAAAAAAAAA$AAAA", "t=0")]
#[case::short_hash("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAA$AAAA", "32")]
#[case::more_parts("$argon2id$v=19$m=19456,t=2,p=1$AAAA$AAAA$AAAA", "argon2id")]
#[case::other_order("$argon2id$v=19$t=2,m=19456,p=1$AAAA$AAAA", "argon2id")]
#[case::not_base64("$argon2id$v=19$m=19456,t=2,p=1$AA.A$AAAA", "argon2id")]
fn a_hash_is_neither_weak_nor_a_burden_nor_told(#[case] hash: &str, #[case] says: &str) {
    let hashes =
        json!([{"hash": HASH, "notAfter": "2026-01-01T00:00:00Z"}, {"hash": hash, "notAfter": "2026-01-01T00:00:00Z"}]);
    let read = partner(|spec| spec["authentication"] = json!({"clientSecret": {"hashes": hashes}}));
    let problems = read.unwrap_err();
    one(&problems, "spec.authentication.clientSecret.hashes[1].hash", says);
    assert!(
        !problems[0].message.contains(hash),
        "what may be a secret is not repeated"
    );
}

#[rstest]
#[case::fragment("https://app.example/cb#a", false, "fragment")]
#[case::empty_fragment("https://app.example/cb#", true, "fragment")]
#[case::plain("http://app.example/cb", false, "https")]
#[case::name_of_the_machine("http://localhost:8080/cb", true, "127.0.0.1")]
#[case::other_loopback("http://127.0.0.2/cb", true, "https")]
#[case::looks_like_loopback("http://127.0.0.1.evil.example/cb", true, "https")]
#[case::user("https://app.example@evil.example/cb", false, "user")]
#[case::backslash(r"https://evil.example\@app.example/cb", false, "percent-encoded")]
#[case::wildcard("https://*.example/cb", false, "wildcard")]
#[case::wildcard_path("https://app.example/*", false, "wildcard")]
#[case::white_space("https://app.example/c b", false, "percent-encoded")]
#[case::other_letters("https://\u{430}pp.example/cb", false, "percent-encoded")]
#[case::relative("/cb", false, "not a URL")]
#[case::script("javascript:alert(1)", true, "in reverse")]
#[case::data("data:text/html,a", true, "in reverse")]
#[case::short_scheme("myapp:/cb", true, "in reverse")]
#[case::scheme_of_a_confidential_client("com.example.app:/cb", false, "authentication.public")]
fn places_to_send_users_back_to_are_exact_and_safe(#[case] uri: &str, #[case] public: bool, #[case] says: &str) {
    let read = partner(|spec| {
        if public {
            spec["authentication"] = json!({"public": {}});
        }
        spec["grants"] = json!(["AuthorizationCode"]);
        spec["redirectUris"] = json!(["https://app.example/cb", uri]);
    });
    one(&read.unwrap_err(), "spec.redirectUris[1]", says);
}

#[rstest]
#[case::nothing(json!({"grants": []}), "spec.grants", "at least one")]
#[case::password(json!({"grants": ["Password"]}), "spec.grants[0]", "ClientCredentials")]
#[case::nowhere_to_go(json!({"grants": ["AuthorizationCode"]}), "spec.redirectUris", "needs them")]
#[case::nobody_to_send(json!({"redirectUris": ["https://a.example"]}), "spec.redirectUris", "AuthorizationCode")]
#[case::no_refresh_alone(json!({"grants": ["ClientCredentials", "RefreshToken"]}), "spec.grants", "AuthorizationCode")]
#[case::no_request_to_push(json!({"requirePushedAuthorizationRequests": true}), "spec.requirePushedAuthorizationRequests", "AuthorizationCode")]
#[case::public_alone(json!({"authentication": {"public": {}}}), "spec.grants", "ClientCredentials is for clients")]
#[case::bearer_without_keys(
    json!({"authentication": {"mutualTls": {"dnsName": "a.example"}}, "grants": ["JWTBearer"]}), "spec.grants", "privateKeyJwt"
)]
#[case::federated_otherwise(
    json!({"authentication": {"federated": [{"tokenIssuer": "ci", "audience": "a", "claims": {"sub": "a"}}]}}),
    "spec.grants", "TokenExchange"
)]
#[case::no_audience(json!({"audiences": []}), "spec.audiences", "at least one")]
#[case::twice(json!({"audiences": [{"audience": "a"}, {"audience": "a"}]}), "spec.audiences[1].audience", "twice")]
#[case::wildcard_scope(json!({"audiences": [{"audience": "a", "scopes": ["a", "*"]}]}), "spec.audiences[0].scopes[1]", "wildcard")]
#[case::endless(json!({"tokenLifetime": "25h"}), "spec.tokenLifetime", "24h")]
#[case::issuer(json!({"issuer": "a/b"}), "spec.issuer", "`a/b`")]
#[case::typo(json!({"scope": []}), "spec.scope", "scope")]
fn each_other_mistake_is_named(#[case] change: Value, #[case] field: &str, #[case] says: &str) {
    let read = partner(|spec| {
        for (name, value) in change.as_object().unwrap() {
            spec[name] = value.clone();
        }
    });
    one(&read.unwrap_err(), field, says);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let read = partner(|spec| {
        spec["authentication"] = json!({"public": {}});
        spec["redirectUris"] = json!(["http://a.example", "a"]);
        spec["audiences"] = json!([{"audience": "*", "scopes": ["*"]}]);
    });
    assert_eq!(read.unwrap_err().len(), 6);
}

#[test]
fn there_is_one_way_to_write_a_thumbprint() {
    let alphabet = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']);
    let good = alphabet.filter(|last| {
        let text = format!("{}{last}", "A".repeat(42));
        partner(|spec| spec["authentication"] = json!({"mutualTls": {"thumbprints": [text]}})).is_ok()
    });
    assert_eq!(good.collect::<String>(), "AEIMQUYcgkosw048");
}
