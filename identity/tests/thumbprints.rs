//! Thumbprints of keys and certificates, and code challenges: the RFCs' own examples, and what is refused.
#![allow(clippy::unwrap_used, reason = "tests want to fail at once")]

use countersign_identity::pkce::{self, PkceError};
use countersign_identity::testing::SigningKey;
use countersign_identity::thumbprint::is_thumbprint;
use countersign_identity::{Fingerprint, KeySet};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

fn thumbprint(jwk: &Value) -> String {
    let keys = KeySet::parse(&json!({ "keys": [jwk] }).to_string()).unwrap();
    keys.keys()[0].thumbprint()
}

/// RFC 7638 section 3.1.
#[test]
fn rfc_7638_3_1() {
    let jwk = json!({
        "kty": "RSA",
        "n": concat!(
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n",
            "3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zg",
            "dAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFC",
            "ur-kEgU8awapJzKnqDKgw",
        ),
        "e": "AQAB",
        "alg": "RS256",
        "kid": "2011-04-29",
    });
    assert_eq!(thumbprint(&jwk), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

/// RFC 8037 appendix A.3.
#[test]
fn rfc_8037_a_3() {
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    assert_eq!(thumbprint(&jwk), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

/// RFC 9449 section 6.1, of the key of section 4.2.
#[test]
fn rfc_9449_6_1() {
    let jwk = json!({
        "kty": "EC", "crv": "P-256",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
    });
    assert_eq!(thumbprint(&jwk), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
}

#[test]
fn a_thumbprint_is_of_the_key_and_of_nothing_else() {
    for algorithm in [Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA, Algorithm::PS256] {
        let mut jwk = SigningKey::generate("k1", algorithm).jwk();
        let first = thumbprint(&jwk);
        assert!(is_thumbprint(&first));
        jwk["kid"] = json!("another");
        jwk["use"] = json!("sig");
        assert_eq!(thumbprint(&jwk), first, "{algorithm:?}");
        assert_ne!(
            thumbprint(&SigningKey::generate("k1", algorithm).jwk()),
            first,
            "{algorithm:?}"
        );
    }
}

/// RFC 8705 section 3.1: base64url, without padding, of the SHA-256 of the DER.
#[test]
fn certificates_have_thumbprints_too() {
    // The SHA-256 of nothing (FIPS 180-4), as whatever is hashed here need not be a certificate.
    assert_eq!(
        Fingerprint::of(b"").x5t_s256(),
        "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
    );
    assert!(is_thumbprint(&Fingerprint::of(b"").x5t_s256()));
}

/// RFC 7636 appendix B.
#[test]
fn rfc_7636_b() {
    let (verifier, challenge) = (
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    );
    assert_eq!(pkce::challenge(verifier).as_deref(), Ok(challenge));
    assert_eq!(pkce::verify(verifier, challenge), Ok(()));
}

/// RFC 7636 sections 4.1 and 4.2, RFC 9700 section 2.1.1.
#[test]
fn what_cannot_be_a_verifier_or_a_challenge_is_refused() {
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    for length in [43, 128] {
        assert!(pkce::challenge(&"a".repeat(length)).is_ok());
        assert!(pkce::challenge(&"~".repeat(length)).is_ok());
    }
    for bad in [
        String::new(),
        "a".repeat(42),
        "a".repeat(129),
        format!("{verifier}="),
        format!("{verifier}+"),
        format!("{verifier} "),
        format!("{verifier}é"),
        format!("{verifier}\n"),
    ] {
        assert_eq!(pkce::challenge(&bad), Err(PkceError::Verifier), "{bad:?}");
    }
    for bad in [
        "",
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-c",
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cN",
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM",
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM=",
    ] {
        assert_eq!(pkce::check_challenge(bad), Err(PkceError::Challenge), "{bad:?}");
        assert_eq!(pkce::verify(verifier, bad), Err(PkceError::Challenge), "{bad:?}");
    }
    // What `plain` would accept.
    assert_eq!(pkce::verify(verifier, verifier), Err(PkceError::Mismatch));
    let other = pkce::challenge(&"a".repeat(43)).unwrap();
    assert_eq!(pkce::verify(verifier, &other), Err(PkceError::Mismatch));
}
