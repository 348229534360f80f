//! Which assertions authenticate a client, or vouch for somebody.
#![allow(clippy::unwrap_used, reason = "tests want to fail at once")]

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_identity::assertion::{Assertion, AssertionError, Expected, Purpose, claimed_issuer, verify};
use countersign_identity::jws::{JwsError, LONGEST};
use countersign_identity::testing::{SigningKey, unsigned_token};
use countersign_identity::{Algorithm, KeySet};
use jsonwebtoken::Algorithm as Primitive;
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;
const CLIENT: &str = "partners/billing";
const ISSUER: &str = "https://tokens.example";
const ENDPOINT: &str = "https://tokens.example/token";

const EXPECTED: Expected<'static> = Expected {
    purpose: Purpose::ClientAuthentication,
    issuer: CLIENT,
    audiences: &[ISSUER, ENDPOINT],
    audience_array: true,
    algorithms: &Algorithm::FAPI,
    longest: 300,
};

fn claims() -> Value {
    json!({ "iss": CLIENT, "sub": CLIENT, "aud": ISSUER, "exp": NOW + 60, "iat": NOW, "jti": "a1" })
}

struct Client {
    key: SigningKey,
    keys: KeySet,
}

impl Client {
    fn new(algorithm: Primitive) -> Self {
        let key = SigningKey::generate("k1", algorithm);
        let keys = KeySet::parse(&SigningKey::jwks(&[&key])).unwrap();
        Self { key, keys }
    }

    fn check(&self, assertion: &str) -> Result<Assertion, AssertionError> {
        verify(assertion, &self.keys, &EXPECTED, NOW)
    }

    fn with(&self, name: &str, value: Value) -> String {
        let mut claims = claims();
        claims[name] = value;
        self.key.assertion(&claims)
    }

    fn without(&self, name: &str) -> String {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        self.key.assertion(&claims)
    }

    fn with_header(&self, name: &str, value: Value) -> String {
        let mut header = json!({ "alg": format!("{:?}", self.key.algorithm), "kid": "k1" });
        header[name] = value;
        self.key.token_with_header(&header, &claims())
    }
}

#[test]
fn a_good_assertion_of_each_algorithm_is_valid() {
    for algorithm in [Primitive::ES256, Primitive::EdDSA, Primitive::PS256] {
        let client = Client::new(algorithm);
        let assertion = client.key.assertion(&claims());
        let verified = client.check(&assertion).unwrap();
        assert_eq!(
            (verified.jti.as_str(), verified.expires),
            ("a1", NOW + 60),
            "{algorithm:?}"
        );
        assert_eq!((verified.issuer.as_str(), verified.subject.as_str()), (CLIENT, CLIENT));
        assert!(verified.claims.has("aud", ISSUER));
        assert_eq!(claimed_issuer(&assertion).as_deref(), Ok(CLIENT));
        // Just before it may be forgotten it still counts, and then no more.
        let at = |now| verify(&assertion, &client.keys, &EXPECTED, now);
        assert!(at(verified.forget_after() - 1).is_ok());
        assert_eq!(at(verified.forget_after()), Err(AssertionError::Expired));
    }
}

/// RFC 9864 section 2.2: what JavaScript's libraries call `EdDSA` by now.
#[test]
fn ed25519_has_two_names() {
    let client = Client::new(Primitive::EdDSA);
    assert!(client.check(&client.with_header("alg", json!("Ed25519"))).is_ok());
    let mut jwk = client.key.jwk();
    jwk["alg"] = json!("Ed25519");
    let keys = KeySet::parse(&json!({ "keys": [jwk] }).to_string()).unwrap();
    assert!(verify(&client.key.assertion(&claims()), &keys, &EXPECTED, NOW).is_ok());
}

#[test]
fn the_forms_that_clients_use_are_accepted() {
    let client = Client::new(Primitive::ES256);
    for (what, assertion) in [
        ("no typ", client.with_header("cty", json!("x"))),
        (
            "typ of its own",
            client.with_header("typ", json!("client-authentication+jwt")),
        ),
        (
            "typ as a media type",
            client.with_header("typ", json!("application/JWT")),
        ),
        ("typ in lower case", client.with_header("typ", json!("jwt"))),
        ("a hint at a certificate", client.with_header("x5t#S256", json!("AAAA"))),
        ("the endpoint", client.with("aud", json!(ENDPOINT))),
        ("an array of one", client.with("aud", json!([ISSUER]))),
        ("an array of ours", client.with("aud", json!([ISSUER, ENDPOINT]))),
        ("as long as it may be", client.with("exp", json!(NOW + 300))),
        ("by a clock that is ahead", client.with("exp", json!(NOW + 360))),
        ("by a clock that is behind", client.with("exp", json!(NOW - 59))),
        ("exp with a fraction", client.with("exp", json!(1_800_000_060.5))),
        // FAPI 2.0 section 5.3.2.1, note 3: clocks are ahead by a few seconds.
        ("nbf ahead", client.with("nbf", json!(NOW + 10))),
        ("iat ahead", client.with("iat", json!(NOW + 10))),
        ("no iat", client.without("iat")),
        ("the longest jti", client.with("jti", json!("é".repeat(256)))),
        ("more claims", client.with("azp", json!({ "a": [1] }))),
    ] {
        assert!(
            client.check(&assertion).is_ok(),
            "{what}: {:?}",
            client.check(&assertion)
        );
    }
    let header = json!({ "alg": "ES256" });
    assert!(
        client.check(&client.key.token_with_header(&header, &claims())).is_ok(),
        "no kid"
    );
}

/// RFC 7523 section 3, rule by rule.
#[test]
fn rfc_7523_3_claims() {
    use AssertionError as E;
    let client = Client::new(Primitive::ES256);
    for (what, assertion, error) in [
        ("no iss", client.without("iss"), E::Issuer),
        ("another iss", client.with("iss", json!("partners/other")), E::Issuer),
        ("iss in an array", client.with("iss", json!([CLIENT])), E::Issuer),
        ("no sub", client.without("sub"), E::NoSubject),
        ("sub is null", client.with("sub", Value::Null), E::NoSubject),
        ("another sub", client.with("sub", json!("alice")), E::Subject),
        ("no aud", client.without("aud"), E::NoAudience),
        ("aud is empty", client.with("aud", json!([])), E::NoAudience),
        ("aud is a number", client.with("aud", json!(1)), E::NoAudience),
        (
            "aud has a number",
            client.with("aud", json!([ISSUER, 1])),
            E::NoAudience,
        ),
        (
            "another aud",
            client.with("aud", json!("https://other.example")),
            E::Audience,
        ),
        (
            "aud with a slash",
            client.with("aud", json!(format!("{ISSUER}/"))),
            E::Audience,
        ),
        ("no exp", client.without("exp"), E::NoExpiry),
        ("exp is a text", client.with("exp", json!("1800000060")), E::NoExpiry),
        ("exp is zero", client.with("exp", json!(0)), E::NoExpiry),
        (
            "exp in milliseconds",
            client.with("exp", json!(NOW * 1000)),
            E::NoExpiry,
        ),
        ("exp beyond numbers", client.with("exp", json!(1e300)), E::NoExpiry),
        ("expired", client.with("exp", json!(NOW - 60)), E::Expired),
        (
            "too long",
            client.with("exp", json!(NOW + 361)),
            E::TooLong { longest: 300 },
        ),
        ("nbf", client.with("nbf", json!(NOW + 61)), E::NotYetValid),
        ("nbf is negative", client.with("nbf", json!(-5)), E::NotYetValid),
        ("nbf is a text", client.with("nbf", json!("now")), E::NotYetValid),
        ("iat", client.with("iat", json!(NOW + 61)), E::NotYetValid),
        ("iat is null", client.with("iat", Value::Null), E::NotYetValid),
        ("no jti", client.without("jti"), E::NoTokenId),
        ("jti is empty", client.with("jti", json!("")), E::NoTokenId),
        ("jti is a number", client.with("jti", json!(1)), E::NoTokenId),
        (
            "jti is too long",
            client.with("jti", json!("a".repeat(257))),
            E::NoTokenId,
        ),
        ("jti with a zero", client.with("jti", json!("a\u{0}")), E::NoTokenId),
        ("jti with a line", client.with("jti", json!("a\nb")), E::NoTokenId),
    ] {
        assert_eq!(client.check(&assertion), Err(error), "{what}");
    }
}

/// An assertion whose signature is an HMAC: what an attacker makes who takes a public key for a secret.
fn with_secret(secret: &[u8]) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(json!({ "alg": "HS256", "kid": "k1" })), part(claims()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// RFC 8725 sections 2.1 and 3.1: the algorithm is not for the signer to choose.
#[test]
fn rfc_8725_3_1_algorithms() {
    let client = Client::new(Primitive::ES256);
    let public = SigningKey::jwks(&[&client.key]);
    let algorithm = Err(AssertionError::Jws(JwsError::Algorithm));
    for (what, assertion) in [
        ("none", unsigned_token(&claims())),
        ("none, with a signature", client.with_header("alg", json!("none"))),
        ("None", client.with_header("alg", json!("None"))),
        ("es256", client.with_header("alg", json!("es256"))),
        ("a number", client.with_header("alg", json!(256))),
        ("an array", client.with_header("alg", json!(["ES256"]))),
        ("ES512", client.with_header("alg", json!("ES512"))),
        ("ES256K", client.with_header("alg", json!("ES256K"))),
        ("not pinned: RS256", client.with_header("alg", json!("RS256"))),
        ("not pinned: ES384", client.with_header("alg", json!("ES384"))),
    ] {
        assert_eq!(client.check(&assertion), algorithm, "{what}");
    }
    for secret in [public.as_bytes(), client.key.jwk().to_string().as_bytes(), b""] {
        assert_eq!(client.check(&with_secret(secret)), algorithm);
    }
    // Pinned, but of another kind than the key.
    for name in ["PS256", "EdDSA"] {
        let assertion = client.with_header("alg", json!(name));
        assert_eq!(
            client.check(&assertion),
            Err(AssertionError::Jws(JwsError::NoKey)),
            "{name}"
        );
    }
    let rsa = Client::new(Primitive::RS256);
    assert_eq!(
        rsa.check(&rsa.key.assertion(&claims())),
        algorithm,
        "RS256 is not one of FAPI's"
    );
    let all = Expected {
        algorithms: &Algorithm::ALL,
        ..EXPECTED
    };
    assert!(verify(&rsa.key.assertion(&claims()), &rsa.keys, &all, NOW).is_ok());
    let none = Expected {
        algorithms: &[],
        ..EXPECTED
    };
    assert_eq!(
        verify(&client.key.assertion(&claims()), &client.keys, &none, NOW),
        algorithm
    );
}

/// RFC 8725 section 3.10: claims and header members that name a key are not trusted.
#[test]
fn rfc_8725_3_10_keys_in_the_header() {
    let client = Client::new(Primitive::ES256);
    let attacker = SigningKey::generate("k1", Primitive::ES256);
    for (member, value) in [
        ("jwk", attacker.jwk()),
        ("jku", json!("https://evil.example/jwks")),
        ("x5u", json!("https://evil.example/chain")),
        ("x5c", json!(["AAAA"])),
        ("jwk", Value::Null),
    ] {
        let header = json!({ "alg": "ES256", "kid": "k1", member: value });
        for key in [&attacker, &client.key] {
            assert_eq!(
                client.check(&key.token_with_header(&header, &claims())),
                Err(AssertionError::KeyInHeader(member))
            );
        }
    }
}

/// RFC 8725 section 3.10: a `kid` is compared, and nothing else is done with it.
#[test]
fn rfc_8725_3_10_key_identifiers() {
    let client = Client::new(Primitive::ES256);
    for kid in [
        "k2",
        "../../dev/null",
        "k1' OR '1'='1",
        "k1\u{0}",
        "K1",
        "k1 ",
        "file:///dev/null",
    ] {
        let assertion = client.with_header("kid", json!(kid));
        assert_eq!(
            client.check(&assertion),
            Err(AssertionError::Jws(JwsError::NoKey)),
            "{kid:?}"
        );
    }
    for kid in [json!(""), json!(1), json!(["k1"]), Value::Null, json!("a".repeat(257))] {
        let assertion = client.with_header("kid", kid.clone());
        assert_eq!(
            client.check(&assertion),
            Err(AssertionError::Jws(JwsError::KeyId)),
            "{kid}"
        );
    }
    // The right name does not make another key right.
    let attacker = SigningKey::generate("k1", Primitive::ES256);
    assert_eq!(
        client.check(&attacker.assertion(&claims())),
        Err(AssertionError::Jws(JwsError::Signature))
    );
    // With several keys, the one that is named counts, and without a name each is tried.
    let second = SigningKey::generate("k2", Primitive::ES256);
    let both = KeySet::parse(&SigningKey::jwks(&[&client.key, &second])).unwrap();
    let at =
        |key: &SigningKey, header: Value| verify(&key.token_with_header(&header, &claims()), &both, &EXPECTED, NOW);
    assert!(at(&second, json!({ "alg": "ES256", "kid": "k2" })).is_ok());
    assert!(at(&second, json!({ "alg": "ES256" })).is_ok());
    assert_eq!(
        at(&second, json!({ "alg": "ES256", "kid": "k1" })),
        Err(AssertionError::Jws(JwsError::Signature))
    );
}

/// RFC 7515 section 4.1.11: what must be understood and is not. `b64` (RFC 7797) among it.
#[test]
fn rfc_7515_4_1_11_critical() {
    let client = Client::new(Primitive::ES256);
    for names in [json!(["exp"]), json!(["b64"]), json!([]), json!("exp"), Value::Null] {
        let header = json!({ "alg": "ES256", "kid": "k1", "crit": names, "b64": true, "exp": NOW });
        assert_eq!(
            client.check(&client.key.token_with_header(&header, &claims())),
            Err(AssertionError::Jws(JwsError::Critical))
        );
    }
}

/// RFC 8725 sections 3.11 and 3.12: what was signed for something else is no assertion.
#[test]
fn rfc_8725_3_11_types() {
    let client = Client::new(Primitive::ES256);
    for typ in [
        json!("at+jwt"),
        json!("dpop+jwt"),
        json!("authorization-grant+jwt"),
        json!("oauth-authz-req+jwt"),
        json!("logout+jwt"),
        json!("secevent+jwt"),
        json!("application/application/jwt"),
        json!(""),
        json!(["JWT"]),
        Value::Null,
    ] {
        assert_eq!(
            client.check(&client.with_header("typ", typ.clone())),
            Err(AssertionError::Type),
            "{typ}"
        );
    }
}

/// RFC 8725 section 3.9: for this server, and for no other beside it. FAPI 2.0 section 5.3.2.1: as a text.
#[test]
fn rfc_8725_3_9_audiences() {
    let client = Client::new(Primitive::ES256);
    let with_other = client.with("aud", json!([ISSUER, "https://evil.example"]));
    assert_eq!(client.check(&with_other), Err(AssertionError::Audience));
    let text = Expected {
        audiences: &[ISSUER],
        audience_array: false,
        ..EXPECTED
    };
    let check = |aud: Value| verify(&client.with("aud", aud), &client.keys, &text, NOW).map(|_| ());
    assert_eq!(check(json!(ISSUER)), Ok(()));
    assert_eq!(check(json!([ISSUER])), Err(AssertionError::AudienceArray));
    assert_eq!(check(json!(ENDPOINT)), Err(AssertionError::Audience));
}

/// RFC 7515 section 4 and RFC 7519 section 4: each member once, however it is spelled.
#[test]
fn members_that_are_there_twice() {
    let client = Client::new(Primitive::ES256);
    let header = r#"{"alg":"ES256","kid":"k1"}"#;
    let good = claims().to_string();
    assert!(client.check(&client.key.sign(header, good.as_bytes())).is_ok());
    for twice in [
        r#"{"alg":"none","alg":"ES256"}"#,
        r#"{"alg":"ES256","\u0061lg":"none"}"#,
        r#"{"alg":"ES256","kid":"k2","kid":"k1"}"#,
    ] {
        assert_eq!(
            client.check(&client.key.sign(twice, good.as_bytes())),
            Err(AssertionError::Jws(JwsError::Header)),
            "{twice}"
        );
    }
    for more in [
        r#""sub":"alice","#,
        r#""\u0073ub":"alice","#,
        r#""act":{"sub":1,"sub":2},"#,
    ] {
        let twice = good.replacen('{', &format!("{{{more}"), 1);
        assert_eq!(
            client.check(&client.key.sign(header, twice.as_bytes())),
            Err(AssertionError::Jws(JwsError::Claims)),
            "{more}"
        );
    }
    for other in ["", "null", "[]", "\"a\"", "{}{}"] {
        assert_eq!(
            client.check(&client.key.sign(header, other.as_bytes())),
            Err(AssertionError::Jws(JwsError::Claims)),
            "{other}"
        );
        assert_eq!(
            client.check(&client.key.sign(other, good.as_bytes())),
            Err(AssertionError::Jws(JwsError::Header)),
            "{other}"
        );
    }
    // RFC 8725 section 3.7: UTF-8.
    assert_eq!(
        client.check(&client.key.sign(header, b"{\"iss\":\"\xff\"}")),
        Err(AssertionError::Jws(JwsError::Claims))
    );
}

/// RFC 7515 sections 2 and 7.1: a text has one spelling, so that none passes for another.
#[test]
fn other_spellings() {
    let client = Client::new(Primitive::ES256);
    let good = client.key.assertion(&claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    for text in [
        String::new(),
        "..".to_owned(),
        "a.b".to_owned(),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{good}="),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!("{signed}.{}", signature.replace(['-', '_'], "+")) + "+",
        serde_json::json!({ "payload": good }).to_string(),
    ] {
        assert!(
            matches!(
                client.check(&text),
                Err(AssertionError::Jws(JwsError::Form | JwsError::Header))
            ),
            "{text}: {:?}",
            client.check(&text)
        );
    }
    // Of the last of 86 characters, two bits count: A and B are the same bytes to a lenient reader.
    let last = signature.bytes().last().unwrap();
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = alphabet.iter().position(|letter| *letter == last).unwrap();
    let other = char::from(alphabet[at + 1]);
    let respelled = format!("{}{other}", &good[..good.len() - 1]);
    assert_eq!(client.check(&respelled), Err(AssertionError::Jws(JwsError::Form)));
    for (text, error) in [
        (format!("{signed}."), JwsError::Signature),
        (
            format!("{signed}.{}", &signature[..signature.len() - 2]),
            JwsError::Signature,
        ),
        (format!("{good}{}", "A".repeat(LONGEST)), JwsError::TooLong),
    ] {
        assert_eq!(client.check(&text), Err(AssertionError::Jws(error)));
    }
}

/// RFC 7523 section 2.1.
#[test]
fn a_grant_vouches_for_somebody() {
    let client = Client::new(Primitive::ES256);
    let grant = Expected {
        purpose: Purpose::Grant,
        ..EXPECTED
    };
    let check = |assertion: &str| verify(assertion, &client.keys, &grant, NOW);
    let alice = client.with("sub", json!("alice"));
    assert_eq!(check(&alice).unwrap().subject, "alice");
    assert_eq!(client.check(&alice), Err(AssertionError::Subject));
    assert!(check(&client.with_header("typ", json!("authorization-grant+jwt"))).is_ok());
    for (assertion, error) in [
        (client.without("sub"), AssertionError::NoSubject),
        (client.with("sub", json!("")), AssertionError::NoSubject),
        (client.with("sub", json!("a\rb")), AssertionError::NoSubject),
        (client.with("iss", json!("alice")), AssertionError::Issuer),
        (
            client.with_header("typ", json!("client-authentication+jwt")),
            AssertionError::Type,
        ),
    ] {
        assert_eq!(check(&assertion), Err(error));
    }
}
