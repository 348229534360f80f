//! Which access tokens are valid, what they are bound to, and which tokens of others can be exchanged for them.
#![allow(clippy::unwrap_used, reason = "tests want to fail at once")]

use countersign_identity::access_token::{self, AccessTokenError, Confirmation};
use countersign_identity::jws::JwsError;
use countersign_identity::subject_token::{self, SubjectTokenError};
use countersign_identity::testing::{SigningKey, hmac_token, unsigned_token};
use countersign_identity::{Algorithm, Claims, KeySet};
use jsonwebtoken::Algorithm as Primitive;
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://tokens.example";
const API: &str = "https://shop.example";

const EXPECTED: access_token::Expected<'static> = access_token::Expected {
    issuer: ISSUER,
    audiences: &[API],
    algorithms: &Algorithm::ALL,
};

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "shop/cart", "aud": [API, "https://other.example"], "client_id": "shop/cart",
        "jti": "t1", "iat": NOW, "exp": NOW + 300, "scope": "read",
    })
}

struct Issuer {
    key: SigningKey,
    keys: KeySet,
}

impl Issuer {
    fn new() -> Self {
        let key = SigningKey::generate("k1", Primitive::ES256);
        let keys = KeySet::parse(&SigningKey::jwks(&[&key])).unwrap();
        Self { key, keys }
    }

    fn check(&self, token: &str) -> Result<Claims, AccessTokenError> {
        access_token::verify(token, &self.keys, &EXPECTED, NOW)
    }

    fn exchange(&self, token: &str) -> Result<Claims, SubjectTokenError> {
        let expected = subject_token::Expected {
            issuer: ISSUER,
            audience: API,
            algorithms: &Algorithm::ALL,
            longest: Some(600),
        };
        subject_token::verify(token, &self.keys, &expected, NOW)
    }

    fn with(&self, name: &str, value: Value) -> String {
        let mut claims = claims();
        claims[name] = value;
        self.key.token(&claims)
    }

    fn without(&self, name: &str) -> String {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        self.key.token(&claims)
    }

    fn with_header(&self, name: &str, value: Value) -> String {
        let mut header = json!({ "alg": "ES256", "kid": "k1", "typ": "at+jwt" });
        header[name] = value;
        self.key.token_with_header(&header, &claims())
    }
}

#[test]
fn a_good_token_is_valid() {
    let issuer = Issuer::new();
    let verified = issuer.check(&issuer.key.token(&claims())).unwrap();
    assert!(verified.has("scope", "read") && verified.has("jti", "t1"));
    for (what, token) in [
        ("a media type", issuer.with_header("typ", json!("application/at+jwt"))),
        ("in upper case", issuer.with_header("typ", json!("AT+JWT"))),
        ("for this API alone", issuer.with("aud", json!(API))),
        ("by a clock that is behind", issuer.with("exp", json!(NOW - 59))),
        ("by a clock that is ahead", issuer.with("iat", json!(NOW + 60))),
    ] {
        assert!(issuer.check(&token).is_ok(), "{what}");
    }
    let any = access_token::Expected {
        audiences: &[],
        ..EXPECTED
    };
    let elsewhere = issuer.with("aud", json!("https://other.example"));
    assert!(access_token::verify(&elsewhere, &issuer.keys, &any, NOW).is_ok());
}

/// RFC 9068 sections 2.2 and 4.
#[test]
fn rfc_9068_4_claims() {
    use AccessTokenError as E;
    let issuer = Issuer::new();
    for (what, token, error) in [
        ("no iss", issuer.without("iss"), E::Issuer),
        (
            "another iss",
            issuer.with("iss", json!("https://evil.example")),
            E::Issuer,
        ),
        ("no aud", issuer.without("aud"), E::Audience),
        (
            "another aud",
            issuer.with("aud", json!("https://other.example")),
            E::Audience,
        ),
        ("aud has a number", issuer.with("aud", json!([API, 1])), E::Audience),
        ("no exp", issuer.without("exp"), E::NoExpiry),
        ("exp is a text", issuer.with("exp", json!("1")), E::NoExpiry),
        ("expired", issuer.with("exp", json!(NOW - 60)), E::Expired),
        ("nbf", issuer.with("nbf", json!(NOW + 61)), E::NotYetValid),
        ("iat", issuer.with("iat", json!(NOW + 61)), E::NotYetValid),
        ("no iat", issuer.without("iat"), E::Missing("iat")),
        ("no sub", issuer.without("sub"), E::Missing("sub")),
        ("no client_id", issuer.without("client_id"), E::Missing("client_id")),
        (
            "client_id is a number",
            issuer.with("client_id", json!(1)),
            E::Missing("client_id"),
        ),
        ("no jti", issuer.without("jti"), E::Missing("jti")),
    ] {
        assert_eq!(issuer.check(&token), Err(error), "{what}");
    }
}

/// RFC 9068 section 4 and RFC 8725 section 3.11: an ID token, say, is none.
#[test]
fn rfc_8725_3_11_types() {
    let issuer = Issuer::new();
    for typ in [
        json!("JWT"),
        json!("dpop+jwt"),
        json!("at+jwtx"),
        json!("x/at+jwt"),
        json!(1),
        Value::Null,
    ] {
        assert_eq!(
            issuer.check(&issuer.with_header("typ", typ.clone())),
            Err(AccessTokenError::Type),
            "{typ}"
        );
    }
    let untyped = issuer.key.token_with_header(&json!({ "alg": "ES256" }), &claims());
    assert_eq!(issuer.check(&untyped), Err(AccessTokenError::Type));
}

/// RFC 8725 sections 2.1, 3.1 and 3.10.
#[test]
fn rfc_8725_3_1_signatures() {
    let issuer = Issuer::new();
    let attacker = SigningKey::generate("k1", Primitive::ES256);
    let embedded = json!({ "alg": "ES256", "kid": "k1", "typ": "at+jwt", "jwk": attacker.jwk() });
    let jws = AccessTokenError::Jws;
    let secret = SigningKey::jwks(&[&issuer.key]);
    for (what, token, error) in [
        ("none", unsigned_token(&claims()), AccessTokenError::Type),
        (
            "none, typed",
            issuer.with_header("alg", json!("none")),
            jws(JwsError::Algorithm),
        ),
        (
            "HS256",
            hmac_token(secret.as_bytes(), "k1", &claims()),
            jws(JwsError::Algorithm),
        ),
        (
            "another alg",
            issuer.with_header("alg", json!("RS256")),
            jws(JwsError::NoKey),
        ),
        (
            "another kid",
            issuer.with_header("kid", json!("k2")),
            jws(JwsError::NoKey),
        ),
        (
            "crit",
            issuer.with_header("crit", json!(["x"])),
            jws(JwsError::Critical),
        ),
        ("another key", attacker.token(&claims()), jws(JwsError::Signature)),
        (
            "a key of its own",
            attacker.token_with_header(&embedded, &claims()),
            jws(JwsError::Signature),
        ),
    ] {
        assert_eq!(issuer.check(&token), Err(error), "{what}");
    }
    let pinned = access_token::Expected {
        algorithms: &[Algorithm::EdDsa],
        ..EXPECTED
    };
    let token = issuer.key.token(&claims());
    assert_eq!(
        access_token::verify(&token, &issuer.keys, &pinned, NOW),
        Err(jws(JwsError::Algorithm))
    );
}

/// RFC 7800 section 3.1, RFC 8705 section 3.1 and RFC 9449 section 6.1.
#[test]
fn what_a_token_is_bound_to() {
    let issuer = Issuer::new();
    let of = |cnf: Value| Confirmation::of(&issuer.check(&issuer.with("cnf", cnf)).unwrap());
    assert_eq!(
        Confirmation::of(&issuer.check(&issuer.key.token(&claims())).unwrap()),
        Ok(None)
    );
    let (jkt, x5t) = (
        "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
        "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2",
    );
    // RFC 8705 section 3.1 has a thumbprint with bits that are left over: it says that it is an illustration.
    assert_eq!(of(json!({ "x5t#S256": x5t })), Err(AccessTokenError::Confirmation));
    let x5t = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg0";
    let both = Confirmation {
        jkt: Some(jkt.to_owned()),
        x5t_s256: Some(x5t.to_owned()),
    };
    assert_eq!(of(json!({ "jkt": jkt, "x5t#S256": x5t })), Ok(Some(both.clone())));
    assert_eq!(of(both.to_claim()), Ok(Some(both.clone())));
    let one = Confirmation { x5t_s256: None, ..both };
    assert_eq!(of(json!({ "jkt": jkt })), Ok(Some(one.clone())));
    assert_eq!(one.to_claim(), json!({ "jkt": jkt }));
    for cnf in [
        Value::Null,
        json!({}),
        json!([]),
        json!(jkt),
        json!({ "jkt": "" }),
        json!({ "jkt": [jkt] }),
        json!({ "jkt": &jkt[1..] }),
        json!({ "kid": "k1" }),
        json!({ "jwk": { "kty": "EC" } }),
        json!({ "jkt": jkt, "kid": "k1" }),
    ] {
        assert_eq!(of(cnf.clone()), Err(AccessTokenError::Confirmation), "{cnf}");
    }
}

#[test]
fn tokens_of_others_are_exchanged() {
    let issuer = Issuer::new();
    for (what, token) in [
        ("an access token", issuer.key.token(&claims())),
        ("a JWT", issuer.with_header("typ", json!("JWT"))),
        (
            "not typed",
            issuer
                .key
                .token_with_header(&json!({ "alg": "ES256", "kid": "k1" }), &claims()),
        ),
        ("without jti", issuer.without("jti")),
        ("without iat", issuer.without("iat")),
        ("with a hint at a certificate", issuer.with_header("x5t", json!("AAAA"))),
    ] {
        assert!(issuer.exchange(&token).is_ok(), "{what}");
    }
    let token = issuer.key.token(&claims());
    assert_eq!(subject_token::claimed_issuer(&token).as_deref(), Ok(ISSUER));
}

/// RFC 8693 section 2.1, with RFC 8725 sections 3.1, 3.8, 3.9, 3.10 and 3.12.
#[test]
fn what_is_wrong_with_a_token_of_others() {
    use SubjectTokenError as E;
    let issuer = Issuer::new();
    let attacker = SigningKey::generate("k1", Primitive::ES256);
    for (what, token, error) in [
        ("a DPoP proof", issuer.with_header("typ", json!("dpop+jwt")), E::Type),
        (
            "a client's assertion",
            issuer.with_header("typ", json!("client-authentication+jwt")),
            E::Type,
        ),
        (
            "a logout token",
            issuer.with_header("typ", json!("logout+jwt")),
            E::Type,
        ),
        ("typ is null", issuer.with_header("typ", Value::Null), E::Type),
        (
            "another iss",
            issuer.with("iss", json!("https://evil.example")),
            E::Issuer,
        ),
        ("no iss", issuer.without("iss"), E::Issuer),
        (
            "another aud",
            issuer.with("aud", json!("https://other.example")),
            E::Audience,
        ),
        ("no aud", issuer.without("aud"), E::Audience),
        ("no sub", issuer.without("sub"), E::NoSubject),
        ("sub with a line", issuer.with("sub", json!("a\nb")), E::NoSubject),
        ("no exp", issuer.without("exp"), E::NoExpiry),
        ("expired", issuer.with("exp", json!(NOW - 60)), E::Expired),
        ("too long", issuer.with("exp", json!(NOW + 601)), E::TooLong),
        (
            "too long since an early iat",
            issuer.with("iat", json!(NOW - 301)),
            E::TooLong,
        ),
        ("nbf", issuer.with("nbf", json!(NOW + 61)), E::NotYetValid),
        ("iat", issuer.with("iat", json!(NOW + 61)), E::NotYetValid),
        ("none", unsigned_token(&claims()), E::Jws(JwsError::Algorithm)),
        (
            "HS256",
            hmac_token(b"secret", "k1", &claims()),
            E::Jws(JwsError::Algorithm),
        ),
        (
            "crit",
            issuer.with_header("crit", json!(["x"])),
            E::Jws(JwsError::Critical),
        ),
        (
            "another kid",
            issuer.with_header("kid", json!("k2")),
            E::Jws(JwsError::NoKey),
        ),
        (
            "kid is a number",
            issuer.with_header("kid", json!(1)),
            E::Jws(JwsError::KeyId),
        ),
        ("another key", attacker.token(&claims()), E::Jws(JwsError::Signature)),
    ] {
        assert_eq!(issuer.exchange(&token), Err(error), "{what}");
    }
    assert!(issuer.exchange(&issuer.with("exp", json!(NOW + 600))).is_ok());
    assert!(
        issuer.exchange(&issuer.without("iat")).is_ok(),
        "from now on, if it does not say"
    );
    let header = r#"{"alg":"ES256","kid":"k1"}"#;
    let twice = claims().to_string().replacen('{', r#"{"sub":"admin","#, 1);
    assert_eq!(
        issuer.exchange(&issuer.key.sign(header, twice.as_bytes())),
        Err(E::Jws(JwsError::Claims))
    );
}
