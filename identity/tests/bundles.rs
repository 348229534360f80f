//! Which bundles are read, and how they are written.
#![allow(clippy::unwrap_used, reason = "tests want to fail at once")]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign_identity::bundle::{BundleError, OwnTrustDomain, PemError, Received, Root, RootError};
use countersign_identity::testing::SigningKey;
use countersign_identity::{Bundle, Bundles, Fingerprint, pem};
use jsonwebtoken::Algorithm;
use rcgen::{BasicConstraints, IsCa, KeyUsagePurpose, SerialNumber};
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};
use support::*;

fn read(text: &str) -> Received {
    Bundle::from_jwks(domain(DOMAIN), text).unwrap()
}

fn entries(document: &str) -> Vec<Value> {
    let document: Value = serde_json::from_str(document).unwrap();
    document["keys"].as_array().unwrap().clone()
}

fn jwt_key(id: &str, algorithm: Algorithm) -> Value {
    let mut jwk = SigningKey::generate(id, algorithm).jwk();
    jwk["use"] = json!("jwt-svid");
    jwk
}

fn x509_key(authority: &Authority) -> Value {
    entries(&bundle(DOMAIN, &[authority]).to_jwks()).remove(0)
}

/// The example of appendix A of the SPIFFE Trust Domain and Bundle standard: its two certificates, and its bundles.
#[test]
fn the_standards_example_is_read() {
    let certificate = |serial: &[u8], from: i64, until: i64| {
        let mut params = authority_params("unused");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::OrganizationName, "example.com");
        params.serial_number = Some(SerialNumber::from_slice(serial));
        params.not_before = time(from);
        params.not_after = time(until);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.subject_alt_names = vec![uri("spiffe://example.com/")];
        Authority::root_with(&params, &rcgen::PKCS_RSA_SHA256)
    };
    // 2019-01-01 to 2019-04-01, and 2019-02-15 to 2019-07-01.
    let first = certificate(
        &[
            0xdf, 0xd0, 0xad, 0xfd, 0x32, 0x9f, 0xb8, 0x15, 0x76, 0xf5, 0xd4, 0xb9, 0xe3, 0xbe, 0xb5, 0xa7,
        ],
        1_546_329_645,
        1_554_105_645,
    );
    let second = certificate(
        &[
            0xa4, 0xdc, 0x5f, 0x05, 0x8a, 0xa2, 0xbf, 0x88, 0x9d, 0xa4, 0xfa, 0x1e, 0x9a, 0xa5, 0xdb, 0x74,
        ],
        1_550_217_645,
        1_561_968_045,
    );
    let entry = |authority: &Authority| {
        let own = x509_key(authority);
        json!({
            "kty": "RSA",
            "use": "x509-svid",
            "x5c": [STANDARD.encode(&authority.certificate)],
            "n": own["n"],
            "e": "AQAB",
        })
    };
    let text = json!({"spiffe_sequence": 1, "spiffe_refresh_hint": 2_419_200, "keys": [entry(&first)]}).to_string();
    let one = read(&text);
    assert_eq!(one.passed_over, Vec::<String>::new());
    assert_eq!(
        (one.bundle.sequence, one.bundle.refresh_hint),
        (Some(1), Some(2_419_200))
    );
    assert_eq!(one.bundle.roots().cloned().collect::<Vec<_>>(), [first.to_root()]);
    assert_eq!(
        serde_json::from_str::<Value>(&one.bundle.to_jwks()).unwrap(),
        serde_json::from_str::<Value>(&text).unwrap()
    );
    let text = json!({"spiffe_sequence": 2, "spiffe_refresh_hint": 2_419_200, "keys": [entry(&first), entry(&second)]});
    let two = read(&text.to_string()).bundle;
    assert_eq!(two.sequence, Some(2));
    assert_eq!(
        two.roots().cloned().collect::<Vec<_>>(),
        [first.to_root(), second.to_root()]
    );
}

#[test]
fn what_is_written_is_read_as_it_was() {
    let mut own = Bundle::new(domain(DOMAIN));
    assert_eq!(own.to_jwks(), r#"{"keys":[]}"#);
    assert_eq!(read(&own.to_jwks()).bundle, own);
    for algorithm in [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ECDSA_P521_SHA512,
        &rcgen::PKCS_ED25519,
        &rcgen::PKCS_RSA_SHA256,
    ] {
        let root = Authority::root_with(&authority_params("root"), algorithm).to_root();
        assert!(own.add_root(root.clone()));
        assert!(!own.add_root(root), "it is there already");
    }
    own.sequence = Some(u64::MAX);
    own.refresh_hint = Some(300);
    let mut text: Value = serde_json::from_str(&own.to_jwks()).unwrap();
    text["keys"]
        .as_array_mut()
        .unwrap()
        .extend([jwt_key("b", Algorithm::RS256), jwt_key("a", Algorithm::ES256)]);
    let received = read(&text.to_string());
    assert_eq!(received.passed_over, Vec::<String>::new());
    let ids: Vec<_> = received
        .bundle
        .jwt_keys()
        .map(|key| key.id().unwrap().to_owned())
        .collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(received.bundle.roots().count(), 5);
    assert_eq!(read(&received.bundle.to_jwks()).bundle, received.bundle);
    for entry in entries(&received.bundle.to_jwks()) {
        if entry["use"] == "x509-svid" {
            assert_eq!(entry["x5c"].as_array().unwrap().len(), 1);
            assert!(entry.get("kid").is_none(), "X509-SVID standard, section 6.1");
        } else {
            assert_eq!(entry["use"], "jwt-svid");
            assert!(entry["kid"].is_string(), "JWT-SVID standard, section 6.1");
        }
    }
}

/// The order of the standard's text decides nothing, and neither does the order in which authorities were added.
#[test]
fn a_bundle_is_written_in_one_order() {
    let mut late = authority_params("late");
    late.not_before = time(NOW - 1);
    let (early, late) = (Authority::root(&authority_params("early")), Authority::root(&late));
    let one = bundle(DOMAIN, &[&late, &early]);
    assert_eq!(one.to_jwks(), bundle(DOMAIN, &[&early, &late]).to_jwks());
    assert_eq!(
        one.roots().map(Root::fingerprint).collect::<Vec<_>>(),
        [&early, &late].map(|root| Fingerprint::of(&root.certificate))
    );
}

#[test]
fn a_key_that_cannot_be_used_is_passed_over_and_the_others_are_not() {
    let good = Authority::root(&authority_params("root"));
    let with = |name: &str, value: Value| {
        let mut entry = x509_key(&good);
        entry[name] = value;
        entry
    };
    let without = |mut entry: Value, name: &str| {
        entry.as_object_mut().unwrap().remove(name);
        entry
    };
    let mut leaf = x509_key(&good);
    leaf["x5c"] = json!([STANDARD.encode(good.leaf(&leaf_params()))]);
    let other = Authority::root(&authority_params("other"));
    let der = good.certificate.to_vec();
    let cases = [
        (
            "another use",
            with("use", json!("wit-svid")),
            "has a `use` that is neither",
        ),
        (
            "use in upper case",
            with("use", json!("X509-SVID")),
            "has a `use` that is neither",
        ),
        ("no use", without(x509_key(&good), "use"), "lacks its `use`"),
        ("use is a number", with("use", json!(1)), "lacks its `use`"),
        ("unknown type", with("kty", json!("LMS")), "is another key"),
        ("no type", without(x509_key(&good), "kty"), "is another key"),
        ("no x5c", without(x509_key(&good), "x5c"), "lacks its certificate"),
        ("empty x5c", with("x5c", json!([])), "lacks its certificate"),
        (
            "x5c is a text",
            with("x5c", json!(STANDARD.encode(&der))),
            "lacks its certificate",
        ),
        ("x5c is base64url", with("x5c", json!(["_-_-"])), "is not base64"),
        (
            "x5c is cut",
            with("x5c", json!([STANDARD.encode(&der[..99])])),
            "is not an X.509 certificate",
        ),
        (
            "x5c is followed by more",
            with("x5c", json!([STANDARD.encode([der.as_slice(), &[0]].concat())])),
            "is not an X.509 certificate",
        ),
        ("a leaf", leaf, "is not a CA certificate"),
        (
            "another key",
            with("x5c", json!([STANDARD.encode(&other.certificate)])),
            "is another key",
        ),
        (
            "no kid",
            without(jwt_key("a", Algorithm::ES256), "kid"),
            "lacks its `kid`",
        ),
        ("empty kid", jwt_key("", Algorithm::ES256), "lacks its `kid`"),
        (
            "EdDSA",
            jwt_key("a", Algorithm::EdDSA),
            "is of a type that is not for JWT-SVIDs",
        ),
        (
            "unknown curve",
            {
                let mut jwk = jwt_key("a", Algorithm::ES256);
                jwk["crv"] = json!("secp256k1");
                jwk
            },
            "is of a type that is not supported",
        ),
    ];
    let (root, key) = (x509_key(&good), jwt_key("k", Algorithm::ES256));
    for (what, case, why) in cases {
        let received = read(&json!({"keys": [root, case, key]}).to_string());
        assert_eq!(received.passed_over.len(), 1, "{what}: {:?}", received.passed_over);
        assert!(
            received.passed_over[0].starts_with("key 1 ") && received.passed_over[0].contains(why),
            "{what}: {:?}",
            received.passed_over
        );
        assert_eq!(received.bundle.roots().count(), 1, "{what}");
        assert_eq!(received.bundle.jwt_keys().count(), 1, "{what}");
        assert_eq!(
            read(&json!({"keys": [case]}).to_string()).bundle,
            Bundle::new(domain(DOMAIN)),
            "{what}"
        );
    }
    let twice = read(&json!({"keys": [key, jwt_key("k", Algorithm::ES256)]}).to_string());
    assert_eq!(twice.passed_over, ["key 1 has the `kid` of another"]);
    assert_eq!(entries(&twice.bundle.to_jwks())[0]["x"], key["x"], "the first holds");
}

#[test]
fn what_others_may_add_does_not_matter() {
    let good = Authority::root_with(&authority_params("root"), &rcgen::PKCS_RSA_SHA256);
    let mut entry = x509_key(&good);
    entry["kid"] = json!("set, although it must not be");
    entry["x5c"]
        .as_array_mut()
        .unwrap()
        .push(json!("all but the first are ignored"));
    let n = URL_SAFE_NO_PAD.decode(entry["n"].as_str().unwrap()).unwrap();
    entry["n"] = json!(URL_SAFE_NO_PAD.encode([&[0], n.as_slice()].concat()));
    let received = read(&json!({"keys": [entry, x509_key(&good)], "more": {"a": 1}}).to_string());
    assert_eq!(received.passed_over, Vec::<String>::new());
    assert_eq!(received.bundle.roots().count(), 1, "each is there once");
    assert_eq!((received.bundle.sequence, received.bundle.refresh_hint), (None, None));
}

#[test]
fn what_is_no_bundle_is_refused() {
    for text in [
        "",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[1]}"#,
        r#"{"keys":[],"spiffe_sequence":"1"}"#,
        r#"{"keys":[],"spiffe_sequence":-1}"#,
        r#"{"keys":[],"spiffe_sequence":1.5}"#,
        r#"{"keys":[],"spiffe_sequence":18446744073709551616}"#,
        r#"{"keys":[],"spiffe_refresh_hint":"5m"}"#,
        r#"{"keys":[],"keys":[]}"#,
        r#"{"keys":[]} {"keys":[]}"#,
    ] {
        assert_eq!(
            Bundle::from_jwks(domain(DOMAIN), text),
            Err(BundleError::Malformed),
            "{text}"
        );
    }
    let mut private = jwt_key("a", Algorithm::ES256);
    private["d"] = json!("AAAA");
    let text = json!({"keys": [jwt_key("b", Algorithm::ES256), private]}).to_string();
    assert_eq!(
        Bundle::from_jwks(domain(DOMAIN), &text),
        Err(BundleError::PrivateKey(1))
    );
}

#[test]
fn only_authorities_are_roots() {
    let root = Authority::root(&authority_params("root"));
    assert_eq!(Root::read(root.leaf(&leaf_params())), Err(RootError::NotCa));
    let mut params = authority_params("no signatures");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    assert_eq!(Root::read(Authority::root(&params).certificate), Err(RootError::NotCa));
    params.key_usages.clear();
    assert!(
        Root::read(Authority::root(&params).certificate).is_ok(),
        "it names no usages"
    );
    params.is_ca = IsCa::NoCa;
    assert_eq!(Root::read(Authority::root(&params).certificate), Err(RootError::NotCa));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let read = Root::read(Authority::root(&params).certificate).unwrap();
    assert_eq!(read.not_after().as_second(), NOW + 24 * HOUR);
    assert_eq!(read.not_before().as_second(), NOW - 24 * HOUR);
    assert_eq!(
        Root::read(CertificateDer::from(vec![0x30, 0])),
        Err(RootError::Malformed)
    );
}

#[test]
fn pem_is_read_and_written() {
    let (one, two) = (
        Authority::root(&authority_params("one")),
        Authority::root(&authority_params("two")),
    );
    let text = bundle(DOMAIN, &[&one, &two]).to_pem();
    assert!(text.starts_with("-----BEGIN CERTIFICATE-----\n") && text.ends_with("\n-----END CERTIFICATE-----\n"));
    assert!(!text.contains('\r'));
    assert!(text.lines().all(|line| line.len() <= 64));
    let mut read = Bundle::new(domain(DOMAIN));
    assert_eq!(read.add_pem(text.as_bytes()), Ok(2));
    assert_eq!(read, bundle(DOMAIN, &[&one, &two]));
    assert_eq!(read.add_pem(text.as_bytes()), Ok(0), "both are there");
    assert_eq!(read.add_pem(b"no certificate"), Ok(0));
    let windows = text.replace('\n', "\r\n");
    let certificates: Vec<_> = pem::certificates(windows.as_bytes()).map(Result::unwrap).collect();
    assert_eq!(certificates.len(), 2);

    let mut untouched = Bundle::new(domain(DOMAIN));
    let leaf = pem::certificate(&one.leaf(&leaf_params()));
    assert_eq!(
        untouched.add_pem(format!("{text}{leaf}").as_bytes()),
        Err(PemError::Root(2, RootError::NotCa))
    );
    let damaged = text.replacen("-----END", "!", 2);
    assert!(matches!(
        untouched.add_pem(damaged.as_bytes()),
        Err(PemError::Damaged(0, _))
    ));
    assert_eq!(untouched, Bundle::new(domain(DOMAIN)));
}

#[test]
fn a_bundle_is_found_by_the_trust_domain_of_an_identity() {
    let (own, foreign) = (
        bundle(DOMAIN, &[&Authority::root(&authority_params("own"))]),
        bundle("example.org", &[&Authority::root(&authority_params("foreign"))]),
    );
    let mut bundles = Bundles::new(own.clone());
    assert_eq!(bundles.own(), &own);
    bundles.federate(foreign.clone()).unwrap();
    let of = |id: &str| bundles.of_id(&id.parse().unwrap());
    assert_eq!(of("spiffe://example.com/a"), Some(&own));
    assert_eq!(of("spiffe://example.org/a"), Some(&foreign));
    assert_eq!(of("spiffe://a.example.com/a"), None);
    assert_eq!(bundles.federated().collect::<Vec<_>>(), [&foreign]);
    // Else whoever is federated with could take one's own trust domain over.
    assert_eq!(
        bundles.federate(bundle(DOMAIN, &[])),
        Err(OwnTrustDomain(domain(DOMAIN)))
    );
    assert_eq!(bundles.own(), &own);
}
