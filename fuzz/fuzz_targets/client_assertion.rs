//! Assertions of clients, and the other JWTs that are sent to the token service: any text; and any header and claims, signed,
//! so that each member is looked at.
#![no_main]

use countersign_fuzz::signed::{KEYS, signed};
use countersign_identity::access_token::Confirmation;
use countersign_identity::assertion::{Expected, Purpose, claimed_issuer, verify};
use countersign_identity::{Algorithm, access_token, subject_token, token};
use libfuzzer_sys::fuzz_target;

fn check(text: &str) -> bool {
    let now = countersign_fuzz::NOW;
    let algorithms = &Algorithm::ALL;
    let mut accepted = false;
    for purpose in [Purpose::ClientAuthentication, Purpose::Grant] {
        let expected = Expected {
            purpose,
            issuer: "a",
            audiences: &["a"],
            audience_array: true,
            algorithms,
            longest: 300,
        };
        let Ok(assertion) = verify(text, &KEYS, &expected, now) else {
            continue;
        };
        accepted = true;
        assert_eq!(claimed_issuer(text).as_deref(), Ok("a"));
        assert!(purpose == Purpose::Grant || assertion.subject == "a");
        assert!((now - 60..=now + 360).contains(&assertion.expires) && assertion.forget_after() > now);
        assert!(!assertion.jti.is_empty() && assertion.jti.chars().count() <= 256);
        assert!(
            token::verify(text, "a", &KEYS, now).is_ok(),
            "it is stricter than what proxies do"
        );
    }
    let expected = access_token::Expected {
        issuer: "a",
        audiences: &["a"],
        algorithms,
    };
    if let Ok(claims) = access_token::verify(text, &KEYS, &expected, now) {
        accepted = true;
        if let Ok(Some(confirmation)) = Confirmation::of(&claims) {
            assert_eq!(Some(&confirmation.to_claim()), claims.members().get("cnf"));
        }
    }
    let expected = subject_token::Expected {
        issuer: "a",
        audience: "a",
        algorithms,
        longest: Some(600),
    };
    accepted | subject_token::verify(text, &KEYS, &expected, now).is_ok() | token::verify(text, "a", &KEYS, now).is_ok()
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    assert!(!check(text), "it was not signed");
    let claims = format!(
        r#""iss":"a","sub":"a","aud":"a","jti":"j","client_id":"a","iat":{0},"exp":{0},"#,
        countersign_fuzz::NOW
    );
    for token in signed(text, r#""alg":"ES256","#, &claims) {
        check(&token);
    }
});
