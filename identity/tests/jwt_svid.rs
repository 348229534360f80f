//! Which tokens prove a SPIFFE ID.
#![allow(clippy::unwrap_used, reason = "tests want to fail at once")]

mod support;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair,
};
use countersign_identity::jwt_svid::{JwtSigner, JwtSignerError, JwtSvidError, verify};
use countersign_identity::testing::{SigningKey, hmac_token, unsigned_token};
use countersign_identity::{Bundle, Bundles, SpiffeId, SpiffeIdError};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use support::*;

const AUDIENCE: &str = "spiffe://example.org/reports";

fn signer(id: &str, algorithm: &'static EcdsaSigningAlgorithm) -> JwtSigner {
    let key = EcdsaKeyPair::generate(algorithm).unwrap();
    JwtSigner::from_pkcs8(id, key.to_pkcs8v1().unwrap().as_ref()).unwrap()
}

fn sign(signer: &JwtSigner, audiences: &[&str], lifetime: i64) -> Result<String, JwtSignerError> {
    let id: SpiffeId = ID.parse().unwrap();
    signer.sign(
        &id,
        audiences,
        SignedDuration::from_secs(lifetime),
        now(),
        "t1",
        &SystemRandom::new(),
    )
}

/// Bundles whose own one has these keys.
fn bundles(keys: &[&SigningKey]) -> Bundles {
    let entries: Vec<Value> = keys
        .iter()
        .map(|key| {
            let mut jwk = key.jwk();
            jwk["use"] = json!("jwt-svid");
            jwk
        })
        .collect();
    let received = Bundle::from_jwks(domain(DOMAIN), &json!({ "keys": entries }).to_string()).unwrap();
    assert_eq!(received.passed_over, Vec::<String>::new());
    Bundles::new(received.bundle)
}

fn claims() -> Value {
    json!({ "sub": ID, "aud": AUDIENCE, "exp": NOW + 300, "iat": NOW })
}

fn header(key: &SigningKey) -> Value {
    json!({ "alg": format!("{:?}", key.algorithm), "kid": key.id, "typ": "JWT" })
}

#[test]
fn what_is_signed_is_verified() {
    for algorithm in [&ECDSA_P256_SHA256_FIXED_SIGNING, &ECDSA_P384_SHA384_FIXED_SIGNING] {
        let signer = signer("k1", algorithm);
        let mut own = Bundle::new(domain(DOMAIN));
        assert!(own.add_jwt_key(signer.verification_key().unwrap()));
        let bundles = Bundles::new(Bundle::from_jwks(domain(DOMAIN), &own.to_jwks()).unwrap().bundle);
        let token = sign(&signer, &["other", AUDIENCE], 300).unwrap();
        let svid = verify(&token, AUDIENCE, &bundles, now()).unwrap();
        assert_eq!(svid.id().to_string(), ID);
        assert_eq!(svid.expires(), Timestamp::from_second(NOW + 300).unwrap());
        assert!(svid.claims().has("aud", "other") && svid.claims().has("jti", "t1"));
        assert_eq!(verify(&token, "third", &bundles, now()), Err(JwtSvidError::Audience));
        // After its key was taken out of the bundle.
        assert!(own.remove_jwt_key("k1") && !own.remove_jwt_key("k1"));
        assert_eq!(
            verify(&token, AUDIENCE, &Bundles::new(own), now()),
            Err(JwtSvidError::NoKey)
        );
        assert!(!format!("{signer:?}").contains("key:"), "its key is not shown");
    }
}

#[test]
fn what_would_not_be_valid_is_not_signed() {
    let signer = signer("k1", &ECDSA_P256_SHA256_FIXED_SIGNING);
    assert_eq!(sign(&signer, &[], 300), Err(JwtSignerError::NoAudience));
    assert_eq!(sign(&signer, &["a", ""], 300), Err(JwtSignerError::NoAudience));
    assert_eq!(sign(&signer, &["a"], 0), Err(JwtSignerError::Lifetime));
    assert_eq!(sign(&signer, &["a"], -1), Err(JwtSignerError::Lifetime));
    assert_eq!(sign(&signer, &["a"], i64::MAX), Err(JwtSignerError::Lifetime));
    let nobody = domain(DOMAIN).id();
    let lifetime = SignedDuration::from_secs(1);
    assert_eq!(
        signer.sign(&nobody, &["a"], lifetime, now(), "t1", &SystemRandom::new()),
        Err(JwtSignerError::NoPath)
    );
    let id: SpiffeId = ID.parse().unwrap();
    assert_eq!(
        signer.sign(&id, &["a"], lifetime, now(), "", &SystemRandom::new()),
        Err(JwtSignerError::NoTokenId)
    );
    assert_eq!(JwtSigner::from_pkcs8("k1", b"no key").unwrap_err(), JwtSignerError::Key);
    let ed25519 = Ed25519KeyPair::generate().unwrap();
    let ed25519 = ed25519.to_pkcs8v1().unwrap();
    assert_eq!(
        JwtSigner::from_pkcs8("k1", ed25519.as_ref()).unwrap_err(),
        JwtSignerError::Key
    );
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let key = key.to_pkcs8v1().unwrap();
    assert_eq!(
        JwtSigner::from_pkcs8("", key.as_ref()).unwrap_err(),
        JwtSignerError::NoKeyId
    );
}

#[test]
fn the_forms_that_the_standard_allows_are_accepted() {
    for algorithm in [Algorithm::ES256, Algorithm::RS256, Algorithm::RS512, Algorithm::PS384] {
        let key = SigningKey::generate("k1", algorithm);
        let bundles = bundles(&[&key]);
        let name = format!("{algorithm:?}");
        for header in [
            json!({"alg": name}),
            json!({"alg": name, "kid": "k1"}),
            json!({"alg": name, "kid": "k1", "typ": "JWT"}),
            json!({"alg": name, "typ": "JOSE"}),
        ] {
            let token = key.token_with_header(&header, &claims());
            assert!(verify(&token, AUDIENCE, &bundles, now()).is_ok(), "{header}");
        }
    }
    let key = SigningKey::generate("k1", Algorithm::ES256);
    let bundles = bundles(&[&key]);
    let mut more = claims();
    more["aud"] = json!(["a", AUDIENCE]);
    more["iss"] = json!("https://example.com");
    more["private"] = json!({"a": 1});
    let token = key.token_with_header(&header(&key), &more);
    assert!(verify(&token, AUDIENCE, &bundles, now()).is_ok());
}

#[test]
fn a_token_that_breaks_a_rule_is_refused() {
    use JwtSvidError as E;
    let key = SigningKey::generate("k1", Algorithm::ES256);
    let bundles = bundles(&[&key]);
    let check = |token: &str| verify(token, AUDIENCE, &bundles, now()).map(|svid| svid.id().to_string());
    let with_claim = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        check(&key.token_with_header(&header(&key), &claims))
    };
    let without_claim = |name: &str| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        check(&key.token_with_header(&header(&key), &claims))
    };
    let with_header = |name: &str, value: Value| {
        let mut header = header(&key);
        header[name] = value;
        check(&key.token_with_header(&header, &claims()))
    };
    for (what, result, error) in [
        ("no token", check("a.b"), E::Form),
        ("none", check(&unsigned_token(&claims())), E::Algorithm),
        ("HS256", check(&hmac_token(b"secret", "k1", &claims())), E::Algorithm),
        ("crit", with_header("crit", json!(["exp"])), E::Header("crit".into())),
        ("jwk", with_header("jwk", key.jwk()), E::Header("jwk".into())),
        (
            "jku",
            with_header("jku", json!("https://evil.example")),
            E::Header("jku".into()),
        ),
        ("ES512", with_header("alg", json!("ES512")), E::Algorithm),
        ("EdDSA", with_header("alg", json!("EdDSA")), E::Algorithm),
        ("alg is a number", with_header("alg", json!(256)), E::Algorithm),
        ("another alg", with_header("alg", json!("ES384")), E::NoKey),
        ("another kid", with_header("kid", json!("k2")), E::NoKey),
        ("empty kid", with_header("kid", json!("")), E::KeyId),
        ("kid is null", with_header("kid", Value::Null), E::KeyId),
        ("typ", with_header("typ", json!("at+jwt")), E::Type),
        ("typ in lower case", with_header("typ", json!("jwt")), E::Type),
        ("typ is null", with_header("typ", Value::Null), E::Type),
        ("no sub", without_claim("sub"), E::NoSubject),
        ("sub is a list", with_claim("sub", json!([ID])), E::NoSubject),
        (
            "sub is a name",
            with_claim("sub", json!("alice")),
            E::SpiffeId(SpiffeIdError::Scheme),
        ),
        (
            "sub is a trust domain",
            with_claim("sub", json!("spiffe://example.com")),
            E::NoPath,
        ),
        (
            "sub is foreign",
            with_claim("sub", json!("spiffe://example.org/a")),
            E::ForeignTrustDomain(domain("example.org")),
        ),
        ("no aud", without_claim("aud"), E::NoAudience),
        ("empty aud", with_claim("aud", json!([])), E::NoAudience),
        ("aud is a number", with_claim("aud", json!(1)), E::NoAudience),
        (
            "aud has a number",
            with_claim("aud", json!([AUDIENCE, 1])),
            E::NoAudience,
        ),
        (
            "another aud",
            with_claim("aud", json!("spiffe://example.org/report")),
            E::Audience,
        ),
        (
            "a list in a text",
            with_claim("aud", json!(format!("a {AUDIENCE}"))),
            E::Audience,
        ),
        ("no exp", without_claim("exp"), E::NoExpiry),
        ("exp is a text", with_claim("exp", json!("1")), E::NoExpiry),
        ("exp in milliseconds", with_claim("exp", json!(NOW * 1000)), E::NoExpiry),
        ("expired", with_claim("exp", json!(NOW - 61)), E::Expired),
        ("nbf", with_claim("nbf", json!(NOW + 61)), E::NotYetValid),
    ] {
        assert_eq!(result, Err(error), "{what}");
    }
    let impostor = SigningKey::generate("k1", Algorithm::ES256);
    assert_eq!(
        check(&impostor.token_with_header(&header(&impostor), &claims())),
        Err(E::Signature)
    );
    let token = key.token_with_header(&header(&key), &claims());
    let (signed, _) = token.rsplit_once('.').unwrap();
    assert_eq!(check(&format!("{signed}.")), Err(E::Signature));
    assert_eq!(check(&format!(" {token}")), Err(E::Form));
    assert_eq!(check(&format!("{token}==")), Err(E::Form));
    let long = json!("a".repeat(countersign_identity::jws::LONGEST));
    assert_eq!(with_claim("long", long), Err(E::Form));
    let twice = claims()
        .to_string()
        .replacen('{', r#"{"sub":"spiffe://example.com/other","#, 1);
    let token = key.sign(&header(&key).to_string(), twice.as_bytes());
    assert_eq!(check(&token), Err(E::Form), "a member is there twice");
}

#[test]
fn a_federated_key_proves_identities_of_its_own_trust_domain_only() {
    let (own, foreign) = (
        SigningKey::generate("k", Algorithm::ES256),
        SigningKey::generate("k", Algorithm::ES256),
    );
    let mut jwk = foreign.jwk();
    jwk["use"] = json!("jwt-svid");
    let theirs = Bundle::from_jwks(domain("example.org"), &json!({ "keys": [jwk] }).to_string()).unwrap();
    let mut bundles = bundles(&[&own]);
    bundles.federate(theirs.bundle).unwrap();
    let mut of_theirs = claims();
    of_theirs["sub"] = json!("spiffe://example.org/a");
    let token = foreign.token_with_header(&header(&foreign), &of_theirs);
    assert!(verify(&token, AUDIENCE, &bundles, now()).is_ok());
    for (key, claims) in [(&foreign, claims()), (&own, of_theirs)] {
        let token = key.token_with_header(&header(key), &claims);
        assert_eq!(verify(&token, AUDIENCE, &bundles, now()), Err(JwtSvidError::Signature));
    }
}
