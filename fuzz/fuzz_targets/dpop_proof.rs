//! `DPoP` proofs: any text; and any header and claims, signed, so that each member is looked at.
#![no_main]

use countersign_fuzz::signed::{KEY, signed};
use countersign_identity::Algorithm;
use countersign_identity::dpop::{Expected, Htu, verify};
use countersign_identity::thumbprint::is_thumbprint;
use libfuzzer_sys::fuzz_target;

const WINDOW: i64 = 60;

fn check(proof: &str) -> bool {
    let uri = Htu::parse("https://a/").expect("a URI");
    let expected = Expected {
        method: "POST",
        uri: &uri,
        access_token: None,
        algorithms: &Algorithm::ALL,
        window: WINDOW,
    };
    let now = countersign_fuzz::NOW;
    let bound = Expected {
        access_token: Some("a"),
        ..expected
    };
    let Ok(proof) = verify(proof, &expected, now) else {
        assert!(
            verify(proof, &bound, now).is_err(),
            "with an access token more is asked for"
        );
        return false;
    };
    assert!(is_thumbprint(&proof.thumbprint));
    assert!((now - WINDOW..=now + WINDOW).contains(&proof.issued_at));
    assert!(!proof.jti.is_empty() && proof.jti.chars().count() <= 256);
    true
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    check(text);
    if let Ok(uri) = Htu::parse(text) {
        assert_eq!(Htu::parse(uri.as_str()).as_ref(), Ok(&uri), "a URI has one form");
        let segments: Vec<&str> = uri.as_str().split('/').skip(3).collect();
        assert!(!segments.is_empty() && !segments.contains(&"..") && !segments.contains(&"."));
        assert!(!uri.as_str().contains(['?', '#']));
    }
    let claims = format!(
        r#""htm":"POST","htu":"https://a/","jti":"j","iat":{},"#,
        countersign_fuzz::NOW
    );
    let header = format!(r#""typ":"dpop+jwt","alg":"ES256","jwk":{},"#, KEY.jwk());
    for proof in signed(text, &header, &claims) {
        check(&proof);
    }
});
