//! Which `DPoP` proofs prove that the sender of a request holds a key.
#![allow(clippy::unwrap_used, reason = "tests want to fail at once")]

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_identity::Algorithm;
use countersign_identity::dpop::{DpopError, Expected, Htu, LONGEST, Proof, token_hash, verify};
use countersign_identity::jws::JwsError;
use countersign_identity::testing::SigningKey;
use jsonwebtoken::Algorithm as Primitive;
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;
const ENDPOINT: &str = "https://tokens.example/token";
const WINDOW: i64 = 60;

fn htu(uri: &str) -> Htu {
    Htu::parse(uri).unwrap()
}

fn expected<'a>(uri: &'a Htu, access_token: Option<&'a str>) -> Expected<'a> {
    Expected {
        method: "POST",
        uri,
        access_token,
        algorithms: &Algorithm::ALL,
        window: WINDOW,
    }
}

fn claims() -> Value {
    json!({ "jti": "p1", "htm": "POST", "htu": ENDPOINT, "iat": NOW })
}

fn check(proof: &str) -> Result<Proof, DpopError> {
    verify(proof, &expected(&htu(ENDPOINT), None), NOW)
}

fn key() -> SigningKey {
    SigningKey::generate("k1", Primitive::ES256)
}

fn with(name: &str, value: Value) -> String {
    let mut claims = claims();
    claims[name] = value;
    key().dpop_proof(&claims)
}

fn without(name: &str) -> String {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    key().dpop_proof(&claims)
}

fn with_header(key: &SigningKey, name: &str, value: Value) -> String {
    let mut header = json!({ "alg": format!("{:?}", key.algorithm), "typ": "dpop+jwt", "jwk": key.jwk() });
    header[name] = value;
    key.token_with_header(&header, &claims())
}

const EXAMPLE: &str = concat!(
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyV",
    "VFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQ",
    "ndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ",
    ".2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg",
);

/// RFC 9449 section 4.1, whose example section 5 sends too, and the thumbprint of section 6.1.
#[test]
fn rfc_9449_a_proof_for_a_token_request() {
    let uri = htu("https://server.example.com/token");
    let proof = verify(EXAMPLE, &expected(&uri, None), 1_562_262_616).unwrap();
    assert_eq!(
        proof,
        Proof {
            thumbprint: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".to_owned(),
            jti: "-BwC3ESc6acc2lTc".to_owned(),
            issued_at: 1_562_262_616,
            nonce: None,
            forget_after: 1_562_262_616 + WINDOW,
        }
    );
    for (now, uri, error) in [
        (
            1_562_262_616 + WINDOW + 1,
            "https://server.example.com/token",
            DpopError::IssuedAt { window: WINDOW },
        ),
        (1_562_262_616, "https://server.example.com/par", DpopError::Uri),
    ] {
        assert_eq!(verify(EXAMPLE, &expected(&htu(uri), None), now), Err(error));
    }
}

/// RFC 9449 section 7.1, and the `ath` of its example.
#[test]
fn rfc_9449_a_proof_for_a_protected_resource() {
    let proof_text = concat!(
        "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRj",
        "QyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGk",
        "iOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZ",
        "SIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP8",
        "6L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA",
    );
    let uri = htu("https://resource.example.org/protectedresource");
    let token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    assert_eq!(token_hash(token), "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    let get = Expected {
        method: "GET",
        ..expected(&uri, Some(token))
    };
    let proof = verify(proof_text, &get, 1_562_262_618).unwrap();
    assert_eq!(proof.jti, "e1j3V_bKic8-LAEB");
    let other = Expected {
        access_token: Some("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxu"),
        ..get
    };
    assert_eq!(verify(proof_text, &other, 1_562_262_618), Err(DpopError::TokenHash));
    // Its own claims say GET.
    assert_eq!(
        verify(proof_text, &expected(&uri, Some(token)), 1_562_262_618),
        Err(DpopError::Method)
    );
}

#[test]
fn a_good_proof_of_each_algorithm_is_valid() {
    for algorithm in [
        Primitive::ES256,
        Primitive::ES384,
        Primitive::EdDSA,
        Primitive::PS256,
        Primitive::RS256,
    ] {
        let key = SigningKey::generate("k1", algorithm);
        let proof = check(&key.dpop_proof(&claims())).unwrap();
        let keys = countersign_identity::KeySet::parse(&SigningKey::jwks(&[&key])).unwrap();
        assert_eq!(proof.thumbprint, keys.keys()[0].thumbprint(), "{algorithm:?}");
    }
    let key = SigningKey::generate("k1", Primitive::EdDSA);
    let mut jwk = key.jwk();
    jwk.as_object_mut().unwrap().remove("alg");
    let header = json!({ "alg": "Ed25519", "typ": "dpop+jwt", "jwk": jwk });
    assert!(check(&key.token_with_header(&header, &claims())).is_ok());
    assert_eq!(check(&with("nonce", json!("n1"))).unwrap().nonce.as_deref(), Some("n1"));
    // RFC 9449 section 4.2 asks for a hash with an access token only, and says nothing of one without.
    assert!(check(&with("ath", json!("AAAA"))).is_ok());
    assert!(check(&with("more", json!({ "a": 1 }))).is_ok());
}

/// RFC 9449 section 4.3, 3.: each claim that must be there, and as what.
#[test]
fn rfc_9449_4_3_claims() {
    use DpopError as E;
    let apart = E::IssuedAt { window: WINDOW };
    for (what, proof, error) in [
        ("no jti", without("jti"), E::NoTokenId),
        ("jti is empty", with("jti", json!("")), E::NoTokenId),
        ("jti is a number", with("jti", json!(1)), E::NoTokenId),
        ("jti is too long", with("jti", json!("a".repeat(257))), E::NoTokenId),
        ("jti with a zero", with("jti", json!("a\u{0}")), E::NoTokenId),
        ("no htm", without("htm"), E::Method),
        ("another htm", with("htm", json!("GET")), E::Method),
        ("htm in lower case", with("htm", json!("post")), E::Method),
        ("htm in an array", with("htm", json!(["POST"])), E::Method),
        ("no htu", without("htu"), E::Uri),
        ("htu in an array", with("htu", json!([ENDPOINT])), E::Uri),
        ("no iat", without("iat"), E::NoIssuedAt),
        ("iat is a text", with("iat", json!("1800000000")), E::NoIssuedAt),
        ("iat is null", with("iat", Value::Null), E::NoIssuedAt),
        ("made too long ago", with("iat", json!(NOW - 61)), apart),
        ("from the future", with("iat", json!(NOW + 61)), apart),
        ("in milliseconds", with("iat", json!(NOW * 1000)), apart),
        ("beyond numbers", with("iat", json!(-1e300)), apart),
        ("expired", with("exp", json!(NOW - 60)), E::Expired),
        ("exp is a text", with("exp", json!("soon")), E::Expired),
        ("not valid yet", with("nbf", json!(NOW + 61)), E::Expired),
        ("nonce is a number", with("nonce", json!(1)), E::Nonce),
    ] {
        assert_eq!(check(&proof), Err(error), "{what}");
    }
    for iat in [NOW - 60, NOW + 60] {
        assert!(check(&with("iat", json!(iat))).is_ok(), "{iat}");
    }
}

/// RFC 9449 section 4.3, 12.: `ath` of the token that came with it.
#[test]
fn rfc_9449_4_3_token_hash() {
    let uri = htu(ENDPOINT);
    let check = |proof: &str| verify(proof, &expected(&uri, Some("token")), NOW);
    assert!(check(&with("ath", json!(token_hash("token")))).is_ok());
    assert_eq!(check(&without("ath")), Err(DpopError::NoTokenHash));
    for hash in [
        token_hash("Token"),
        format!("{}=", token_hash("token")),
        String::new(),
        "token".to_owned(),
    ] {
        assert_eq!(check(&with("ath", json!(hash))), Err(DpopError::TokenHash), "{hash}");
    }
    assert_eq!(check(&with("ath", json!(1))), Err(DpopError::NoTokenHash));
}

/// RFC 9449 section 4.3, 4. and 5.; RFC 8725 sections 3.1 and 3.11.
#[test]
fn rfc_9449_4_3_header() {
    let key = key();
    for typ in ["JWT", "at+jwt", "DPOP+JWT", "application/dpop+jwt", "dpop+jwt ", ""] {
        assert_eq!(
            check(&with_header(&key, "typ", json!(typ))),
            Err(DpopError::Type),
            "{typ}"
        );
    }
    assert_eq!(check(&key.token(&claims())), Err(DpopError::Type));
    assert_eq!(check(&with_header(&key, "typ", Value::Null)), Err(DpopError::Type));
    for alg in ["none", "HS256", "HS512", "ES512", "ES256K", "dir", "RSA-OAEP", "es256"] {
        let error = Err(DpopError::Jws(JwsError::Algorithm));
        assert_eq!(check(&with_header(&key, "alg", json!(alg))), error, "{alg}");
    }
    // One that is supported, and is not pinned.
    let uri = htu(ENDPOINT);
    let pinned = Expected {
        algorithms: &[Algorithm::Es256],
        ..expected(&uri, None)
    };
    let rsa = SigningKey::generate("k1", Primitive::PS256).dpop_proof(&claims());
    assert_eq!(verify(&rsa, &pinned, NOW), Err(DpopError::Jws(JwsError::Algorithm)));
    for crit in [json!(["b64"]), json!([])] {
        assert_eq!(
            check(&with_header(&key, "crit", crit)),
            Err(DpopError::Jws(JwsError::Critical))
        );
    }
    let long = with("padding", json!("a".repeat(LONGEST)));
    assert_eq!(check(&long), Err(DpopError::Jws(JwsError::TooLong)));
    let two = format!("{EXAMPLE}, {EXAMPLE}");
    assert_eq!(
        check(&two),
        Err(DpopError::Jws(JwsError::Form)),
        "headers that were put together"
    );
    let twice = format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{0},"jwk":{0}}}"#, key.jwk());
    let proof = key.sign(&twice, claims().to_string().as_bytes());
    assert_eq!(check(&proof), Err(DpopError::Jws(JwsError::Header)));
    let good = claims().to_string();
    let twice = good.replacen('{', r#"{"htm":"GET","#, 1);
    let header = json!({ "alg": "ES256", "typ": "dpop+jwt", "jwk": key.jwk() }).to_string();
    assert!(check(&key.sign(&header, good.as_bytes())).is_ok());
    assert_eq!(
        check(&key.sign(&header, twice.as_bytes())),
        Err(DpopError::Jws(JwsError::Claims))
    );
}

/// RFC 9449 section 4.3, 6. and 7.: the key is public, and it made the signature.
#[test]
fn rfc_9449_4_3_key() {
    let key = key();
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        for value in [json!("AAAA"), json!(""), Value::Null] {
            let mut jwk = key.jwk();
            jwk[member] = value;
            assert_eq!(
                check(&with_header(&key, "jwk", jwk)),
                Err(DpopError::PrivateKey),
                "{member}"
            );
        }
    }
    for jwk in [Value::Null, json!("AAAA"), json!([key.jwk()])] {
        assert_eq!(check(&with_header(&key, "jwk", jwk)), Err(DpopError::NoKey));
    }
    // A key that somebody else has to be asked for.
    let header = json!({ "alg": "ES256", "typ": "dpop+jwt", "kid": "k1", "jku": "https://evil.example" });
    assert_eq!(check(&key.token_with_header(&header, &claims())), Err(DpopError::NoKey));
    let changed = |name: &str, value: Value| {
        let mut jwk = key.jwk();
        jwk[name] = value;
        check(&with_header(&key, "jwk", jwk))
    };
    for (name, value) in [
        ("kty", json!("oct")),
        ("kty", json!("RSA")),
        ("kty", json!("OKP")),
        ("crv", json!("P-384")),
        ("crv", json!("secp256k1")),
        ("x", json!("AAAA")),
        ("x", json!("A".repeat(43))),
        ("y", Value::Null),
        ("use", json!("enc")),
        ("key_ops", json!(["sign"])),
        ("alg", json!("ES384")),
    ] {
        assert_eq!(changed(name, value.clone()), Err(DpopError::Key), "{name} {value}");
    }
    assert!(changed("use", json!("sig")).is_ok());
    let other = SigningKey::generate("k1", Primitive::ES256);
    assert_eq!(
        check(&with_header(&key, "jwk", other.jwk())),
        Err(DpopError::Jws(JwsError::Signature))
    );
    let rsa = SigningKey::generate("k1", Primitive::PS256);
    assert_eq!(
        check(&with_header(&key, "jwk", rsa.jwk())),
        Err(DpopError::Jws(JwsError::NoKey))
    );
}

/// RFC 8725 section 2.1: a shared secret in the header, with which anyone signs.
#[test]
fn rfc_8725_2_1_a_secret_is_no_key() {
    let header = json!({ "alg": "HS256", "typ": "dpop+jwt", "jwk": { "kty": "oct", "k": "c2VjcmV0" } });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(&claims()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"secret"), signed.as_bytes());
    let proof = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag));
    assert_eq!(check(&proof), Err(DpopError::Jws(JwsError::Algorithm)));
}

/// RFC 9449 section 4.3, 9., by RFC 3986 sections 6.2.2 and 6.2.3.
#[test]
fn rfc_9449_4_3_uri() {
    for (sent, same) in [
        ("https://api.example/a", "HTTPS://API.Example/a"),
        ("https://api.example/a", "https://api.example:443/a"),
        ("https://api.example/a", "https://api.example:/a"),
        ("https://api.example/a", "https://api.example:0443/a"),
        ("http://api.example/a", "http://api.example:80/a"),
        ("https://api.example:8443/a", "https://api.example:08443/a"),
        ("https://api.example", "https://api.example/"),
        ("https://api.example", "https://api.example?a=b"),
        ("https://api.example/a", "https://api.example/a?b=/c"),
        ("https://api.example/a", "https://api.example/a#b"),
        ("https://api.example/a", "https://api.example/a?b#c"),
        ("https://api.example/~a-b", "https://api.example/%7ea%2Db"),
        ("https://api.example/%2F", "https://api.example/%2f"),
        ("https://api.example/a/c", "https://api.example/a/./b/../c"),
        ("https://api.example/a/", "https://api.example/a/b/.."),
        ("https://api.example/a/", "https://api.example/a/."),
        ("https://api.example/a", "https://api.example/../../a"),
        ("https://api.example/a", "https://api.example/b/%2e%2E/a"),
        ("https://[2001:db8::1]/a", "https://[2001:DB8::1]:443/a"),
    ] {
        assert_eq!(htu(sent), htu(same), "{same}");
        assert_eq!(htu(htu(same).as_str()), htu(same), "it is in one form already");
    }
    for (sent, other) in [
        ("https://api.example/a", "http://api.example/a"),
        ("https://api.example/a", "https://api.example/A"),
        ("https://api.example/a", "https://api.example/a/"),
        ("https://api.example/a", "https://api.example//a"),
        ("https://api.example/a", "https://api.example:8443/a"),
        ("https://api.example/a", "https://api.example:80/a"),
        ("https://api.example/a", "https://api.example./a"),
        ("https://api.example/a", "https://api.example.evil/a"),
        ("https://api.example/a/b", "https://api.example/a%2Fb"),
        ("https://api.example/a", "https://api.example/a%20"),
        ("https://api.example/a+b", "https://api.example/a%2Bb"),
    ] {
        assert_ne!(htu(sent), htu(other), "{other}");
        let uri = htu(sent);
        assert_eq!(
            verify(&with("htu", json!(other)), &expected(&uri, None), NOW),
            Err(DpopError::Uri),
            "{other}"
        );
    }
    for bad in [
        "",
        "/token",
        "tokens.example/token",
        "ftp://tokens.example/token",
        " https://tokens.example/token",
        "https:/tokens.example/token",
        "https:\\\\tokens.example\\token",
        "https://tokens.example\\token",
        "https:///token",
        "https://user@tokens.example/token",
        "https://evil.example@tokens.example/token",
        "https://tokens.example:443:443/token",
        "https://tokens.example:a/token",
        "https://tokens.example:0/token",
        "https://tokens.example:123456/token",
        "https://tokens%2eexample/token",
        "https://[::1/token",
        "https://::1/token",
        "https://[tokens.example]/token",
        "https://tokens.example/to ken",
        "https://tokens.example/tok\u{e9}n",
        "https://tokens.example/token\n",
        "https://tokens.example/%",
        "https://tokens.example/%4",
        "https://tokens.example/%zz",
        "https://tokens.example/%+1",
    ] {
        assert!(Htu::parse(bad).is_err(), "{bad:?}");
        assert_eq!(check(&with("htu", json!(bad))), Err(DpopError::Uri), "{bad:?}");
    }
}
