//! Whatever is sent, the answer is an answer: nothing panics, and nothing that was not signed is accepted.
#![allow(clippy::unwrap_used, reason = "tests want to fail at once")]

use std::sync::LazyLock;

use countersign_identity::assertion::Purpose;
use countersign_identity::dpop::Htu;
use countersign_identity::testing::SigningKey;
use countersign_identity::{Algorithm, KeySet, access_token, assertion, dpop, jws, pkce, subject_token};
use jsonwebtoken::Algorithm as Primitive;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate("k1", Primitive::ES256));
static KEYS: LazyLock<KeySet> = LazyLock::new(|| KeySet::parse(&SigningKey::jwks(&[&KEY])).unwrap());

/// How many of the readers accept a text.
fn accepted(text: &str, now: i64) -> usize {
    let algorithms = &Algorithm::ALL;
    let (issuer, audiences): (&str, &[&str]) = ("a", &["a"]);
    let uri = Htu::parse("https://a/").unwrap();
    let proof = dpop::Expected {
        method: "POST",
        uri: &uri,
        access_token: None,
        algorithms,
        window: i64::MAX,
    };
    let token = access_token::Expected {
        issuer,
        audiences,
        algorithms,
    };
    let subject = subject_token::Expected {
        issuer,
        audience: "a",
        algorithms,
        longest: Some(600),
    };
    let _ = (assertion::claimed_issuer(text), subject_token::claimed_issuer(text));
    let assertions = [Purpose::ClientAuthentication, Purpose::Grant].map(|purpose| {
        let expected = assertion::Expected {
            purpose,
            issuer,
            audiences,
            audience_array: true,
            algorithms,
            longest: i64::MAX,
        };
        assertion::verify(text, &KEYS, &expected, now).is_ok()
    });
    let others = [
        dpop::verify(text, &proof, now).is_ok(),
        access_token::verify(text, &KEYS, &token, now).is_ok(),
        subject_token::verify(text, &KEYS, &subject, now).is_ok(),
    ];
    assertions
        .into_iter()
        .chain(others)
        .filter(|accepted| *accepted)
        .count()
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z+]{0,9}".prop_map(Value::from),
        ".{0,9}".prop_map(Value::from),
        Just(json!("a")),
        Just(json!("https://a/")),
        Just(json!("POST")),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("[a-z]{1,3}", inner), 0..4).prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    })
}

fn object(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    vec((prop::sample::select(names), value()), 0..8).prop_map(|members| members.into_iter().collect::<Value>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_text_is_refused(text in ".{0,200}", now in any::<i64>()) {
        prop_assert_eq!(accepted(&text, now), 0);
        let _ = pkce::verify(&text, &text);
    }

    #[test]
    fn parts_are_refused(text in "[A-Za-z0-9_-]{0,90}\\.[A-Za-z0-9_-]{0,90}\\.[A-Za-z0-9_-]{0,90}", now in any::<i64>()) {
        prop_assert_eq!(accepted(&text, now), 0);
    }

    /// Signed, so that each claim and each header member is looked at, whatever it is.
    #[test]
    fn members_are_read_whatever_they_are(
        header in object(&["alg", "kid", "typ", "jwk", "crit", "x5c", "b64"]),
        claims in object(&["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "htm", "htu", "ath", "nonce", "client_id", "cnf"]),
        now in any::<i64>(),
    ) {
        let mut good = json!({ "iss": "a", "sub": "a", "aud": "a", "exp": NOW + 60, "iat": NOW, "jti": "j", "htm": "POST",
            "htu": "https://a/", "client_id": "a" });
        accepted(&KEY.token_with_header(&header, &claims), now);
        for (name, value) in claims.as_object().unwrap() {
            good[name] = value.clone();
        }
        for token in [KEY.assertion(&good), KEY.dpop_proof(&good), KEY.token(&good)] {
            accepted(&token, now);
            accepted(&token, NOW);
        }
    }

    /// One bit of what was signed or of the signature.
    #[test]
    fn a_change_is_seen(at in any::<prop::sample::Index>(), bit in 0_u8..7) {
        for (good, count) in SIGNED.iter() {
            prop_assert_eq!(accepted(good, NOW), *count);
            let mut bytes = good.clone().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let changed = String::from_utf8(bytes).unwrap();
            prop_assert_eq!(accepted(&changed, NOW), 0, "{}", changed);
        }
    }

    #[test]
    fn a_uri_has_one_form(text in "(https?://)?[a-zA-Z0-9.:@\\[\\]]{0,12}(/[a-z.%0-9A-F/?#]{0,20})?") {
        if let Ok(uri) = Htu::parse(&text) {
            prop_assert_eq!(Htu::parse(uri.as_str()), Ok(uri.clone()));
            let segments: Vec<&str> = uri.as_str().split('/').skip(3).collect();
            prop_assert!(!segments.is_empty() && !segments.contains(&"..") && !segments.contains(&"."));
            prop_assert!(!uri.as_str().contains(['?', '#']));
        }
    }
}

const NOW: i64 = 1_800_000_000;

/// Good ones, and how many readers accept each: an untyped JWT could be an assertion of either kind, or a token of others.
static SIGNED: LazyLock<[(String, usize); 3]> = LazyLock::new(|| {
    let claims = json!({ "iss": "a", "sub": "a", "aud": "a", "exp": NOW + 60, "iat": NOW, "jti": "j", "htm": "POST",
        "htu": "https://a/", "client_id": "a" });
    [
        (KEY.assertion(&claims), 3),
        (KEY.dpop_proof(&claims), 1),
        (KEY.token(&claims), 2),
    ]
});

#[test]
fn the_longest_text_is_read_and_a_longer_one_is_not() {
    let key = &*KEY;
    let claims = |padding: usize| json!({ "iss": "a", "padding": "a".repeat(padding) });
    let room = jws::LONGEST * 3 / 4 - 300;
    assert!(assertion::claimed_issuer(&key.assertion(&claims(room))).is_ok());
    assert!(assertion::claimed_issuer(&key.assertion(&claims(room + 400))).is_err());
}
