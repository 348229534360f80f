//! What makes a token valid, and what makes a key set usable.
#![allow(clippy::unwrap_used, reason = "tests want to fail at once")]

use countersign_identity::testing::{SigningKey, hmac_token, unsigned_token};
use countersign_identity::{KeySet, KeySetError, TokenError, verify};
use jsonwebtoken::Algorithm;
use serde_json::json;

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://idp.example";

fn claims() -> serde_json::Value {
    json!({ "iss": ISSUER, "sub": "alice", "aud": "shop", "exp": NOW + 300, "iat": NOW })
}

#[test]
fn a_good_token_of_each_kind_of_key_is_valid() {
    for algorithm in [Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256, Algorithm::PS256] {
        let key = SigningKey::generate("k1", algorithm);
        let keys = KeySet::parse(&SigningKey::jwks(&[&key])).unwrap();
        let claims = verify(&key.token(&claims()), ISSUER, &keys, NOW).unwrap();
        assert_eq!(claims.issuer(), Some(ISSUER), "{algorithm:?}");
        assert!(claims.has("aud", "shop") && !claims.has("aud", "sho"));
    }
}

#[test]
fn what_is_wrong_with_a_token_is_named() {
    let key = SigningKey::generate("k1", Algorithm::ES256);
    let other = SigningKey::generate("k1", Algorithm::ES256);
    let keys = KeySet::parse(&SigningKey::jwks(&[&key])).unwrap();
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = claims();
        claims[name] = value;
        key.token(&claims)
    };
    let without_expiry = {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove("exp");
        key.token(&claims)
    };
    let public = SigningKey::jwks(&[&key]);
    let cases = [
        ("garbage", "abc".to_owned(), TokenError::Malformed),
        ("two parts", "YQ.YQ".to_owned(), TokenError::Malformed),
        ("another key", other.token(&claims()), TokenError::Signature),
        ("alg none", unsigned_token(&claims()), TokenError::NoKey),
        (
            "HS256 with the public key",
            hmac_token(public.as_bytes(), "k1", &claims()),
            TokenError::NoKey,
        ),
        (
            "unknown kid",
            key.token_with_header(&json!({"alg": "ES256", "kid": "k2"}), &claims()),
            TokenError::NoKey,
        ),
        (
            "other algorithm",
            key.token_with_header(&json!({"alg": "RS256", "kid": "k1"}), &claims()),
            TokenError::NoKey,
        ),
        (
            "other issuer",
            with("iss", json!("https://evil.example")),
            TokenError::UnknownIssuer,
        ),
        ("no exp", without_expiry, TokenError::NoExpiry),
        ("exp zero", with("exp", json!(0)), TokenError::NoExpiry),
        (
            "exp in milliseconds",
            with("exp", json!(NOW * 1000)),
            TokenError::NoExpiry,
        ),
        ("exp a string", with("exp", json!("soon")), TokenError::NoExpiry),
        ("expired", with("exp", json!(NOW - 61)), TokenError::Expired),
        ("not yet valid", with("nbf", json!(NOW + 61)), TokenError::NotYetValid),
    ];
    for (what, token, error) in cases {
        assert_eq!(verify(&token, ISSUER, &keys, NOW), Err(error), "{what}");
    }
    for (what, token) in [
        ("skew", with("exp", json!(NOW - 60))),
        ("skew of nbf", with("nbf", json!(NOW + 60))),
    ] {
        assert!(verify(&token, ISSUER, &keys, NOW).is_ok(), "{what}");
    }
}

#[test]
fn scope_is_a_list_and_other_claims_are_not() {
    let key = SigningKey::generate("k1", Algorithm::ES256);
    let keys = KeySet::parse(&SigningKey::jwks(&[&key])).unwrap();
    let mut claims = claims();
    claims["scope"] = json!("read write");
    claims["groups"] = json!(["ops dev", "qa", 7]);
    let claims = verify(&key.token(&claims), ISSUER, &keys, NOW).unwrap();
    assert!(claims.has("scope", "read") && claims.has("scope", "write") && !claims.has("scope", "read write"));
    assert!(claims.has("groups", "ops dev") && !claims.has("groups", "ops") && !claims.has("groups", "7"));
}

#[test]
fn only_public_usable_keys_are_taken() {
    let key = SigningKey::generate("k1", Algorithm::ES256);
    let mut private = key.jwk();
    private["d"] = json!("AAAA");
    let set = |keys: serde_json::Value| KeySet::parse(&json!({ "keys": keys }).to_string());
    assert_eq!(set(json!([key.jwk(), private])), Err(KeySetError::PrivateKey(1)));
    assert_eq!(
        set(json!([{ "kty": "oct", "k": "c2VjcmV0" }])),
        Err(KeySetError::PrivateKey(0))
    );
    for text in [
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[1]}"#,
        r#"{"keys":[],"keys":[]}"#,
        r#"{"keys":[{"kty":"EC","kty":"RSA"}]}"#,
    ] {
        assert_eq!(KeySet::parse(text), Err(KeySetError::Malformed), "{text}");
    }
    assert!(matches!(set(json!([])), Err(KeySetError::NoUsableKey(_))));
    let changed = |name: &str, value: serde_json::Value| {
        let mut jwk = key.jwk();
        jwk[name] = value;
        jwk
    };
    for (what, unusable) in [
        ("for encryption", changed("use", json!("enc"))),
        ("for something that is no text", changed("use", json!(["sig"]))),
        ("for signing", changed("key_ops", json!(["sign"]))),
        ("for nothing", changed("key_ops", json!([]))),
        ("not on its curve", changed("y", json!("A".repeat(43)))),
        ("too short", json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" })),
        ("for another algorithm", changed("alg", json!("ES384"))),
        ("for a shared secret's algorithm", changed("alg", json!("HS256"))),
    ] {
        assert_eq!(set(json!([unusable, key.jwk()])).unwrap().len(), 1, "{what}");
    }
    assert_eq!(set(json!([changed("key_ops", json!(["verify"]))])).unwrap().len(), 1);
    let kept = set(json!([key.jwk()])).unwrap().to_json();
    assert_eq!(
        KeySet::parse(&kept).unwrap().to_json(),
        kept,
        "what is written reads the same"
    );
}

/// As Envoy answered when it was asked with each of these (1.40.0, `jwt_authn` with a local key set).
#[test]
fn what_proxies_refuse_is_refused() {
    let key = SigningKey::generate("k1", Algorithm::ES256);
    let keys = KeySet::parse(&SigningKey::jwks(&[&key])).unwrap();
    let check = |token: &str| verify(token, ISSUER, &keys, NOW).map(|_| ());
    let header = json!({ "alg": "ES256", "kid": "k1" }).to_string();
    let with_header = |header: &str| key.sign(header, claims().to_string().as_bytes());
    let with_more = |member: &str| {
        let claims = claims().to_string().replacen('{', &format!("{{{member},"), 1);
        key.sign(&header, claims.as_bytes())
    };
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = claims();
        claims[name] = value;
        key.sign(&header, claims.to_string().as_bytes())
    };
    let good = with_header(&header);
    for (what, token) in [
        ("alg twice", with_header(r#"{"alg":"none","alg":"ES256","kid":"k1"}"#)),
        ("kid twice", with_header(r#"{"alg":"ES256","kid":"k2","kid":"k1"}"#)),
        ("sub twice", with_more(r#""sub":"bob""#)),
        ("sub twice, escaped", with_more(r#""\u0073ub":"bob""#)),
        ("a member of a member twice", with_more(r#""act":{"sub":1,"sub":2}"#)),
        ("kid is a number", with_header(r#"{"alg":"ES256","kid":1}"#)),
        ("kid is null", with_header(r#"{"alg":"ES256","kid":null}"#)),
        ("kid is a list", with_header(r#"{"alg":"ES256","kid":["k1"]}"#)),
        ("sub is a number", with("sub", json!(1))),
        ("sub is null", with("sub", json!(null))),
        ("jti is a number", with("jti", json!(1))),
        ("aud is a number", with("aud", json!(1))),
        ("aud is null", with("aud", json!(null))),
        ("aud has a number", with("aud", json!(["shop", 1]))),
        ("iat is a text", with("iat", json!("now"))),
        ("iat is null", with("iat", json!(null))),
        ("iat is negative", with("iat", json!(-5))),
        ("iat is beyond numbers", with("iat", json!(1e300))),
        ("nbf is negative", with("nbf", json!(-5))),
        ("half a padding", format!("{good}=")),
        ("too much padding", format!("{good}===")),
        ("a lone surrogate", with_more(r#""a":"\ud800""#)),
        ("not UTF-8", key.sign(&header, b"{\"a\":\"\xff\"}")),
        (
            "more after the claims",
            key.sign(&header, format!("{}{{}}", claims()).as_bytes()),
        ),
    ] {
        assert_eq!(check(&token), Err(TokenError::Malformed), "{what}");
    }
    for (what, token) in [
        ("crit", with_header(r#"{"alg":"ES256","kid":"k1","crit":["exp"]}"#)),
        ("typ is a number", with_header(r#"{"alg":"ES256","kid":"k1","typ":1}"#)),
        ("kid is empty", with_header(r#"{"alg":"ES256","kid":""}"#)),
        ("iat with a fraction", with("iat", json!(1_800_000_000.5))),
        ("iat in the future", with("iat", json!(NOW + 9999))),
        ("aud is empty", with("aud", json!([]))),
        ("the whole padding", format!("{good}==")),
        ("a zero", with("sub", json!("a\u{0}b"))),
    ] {
        assert_eq!(check(&token), Ok(()), "{what}");
    }
}
