//! Keys and certificates that another library writes: what this crate makes for its own tests could be wrong in the same
//! way as what it reads.

#![allow(clippy::unwrap_used, reason = "tests want to fail at once")]

use countersign_scan::{Action, Finding, FingerprintKey, Scanner, Settings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, RsaKeySize};
use serde_json::json;
use time::{Duration, OffsetDateTime};

/// 15 January 2027.
const NOW: i64 = 1_800_000_000;

fn found(name: &str, text: &str) -> Vec<Finding> {
    let scanner = Scanner::new(Settings::default(), FingerprintKey::new([3; 32]));
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {name: text}});
    scanner.scan_json(object.to_string().as_bytes(), NOW).unwrap()
}

fn rules(findings: &[Finding]) -> Vec<(&str, Action)> {
    findings
        .iter()
        .map(|finding| (finding.rule.id, finding.action()))
        .collect()
}

#[test]
fn private_keys_are_refused_and_public_ones_are_not() {
    let keys = [
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
        KeyPair::generate_for(&rcgen::PKCS_ED25519),
        KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048),
    ];
    for key in keys {
        let key = key.unwrap();
        let findings = found("thing", &key.serialize_pem());
        assert_eq!(
            rules(&findings),
            [("private-key", Action::Deny)],
            "{:?}",
            key.algorithm()
        );
        assert_eq!(
            rules(&found("thing", &key.public_key_pem())),
            [],
            "{:?}",
            key.algorithm()
        );
    }
}

fn certificate(days: i64, authority: bool) -> CertificateParams {
    let mut parameters = CertificateParams::new(vec!["a.example.net".to_owned()]).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, "someone");
    parameters.not_before = OffsetDateTime::from_unix_timestamp(NOW).unwrap() - Duration::days(1);
    parameters.not_after = parameters.not_before + Duration::days(days);
    if authority {
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, "an authority");
    }
    parameters
}

#[test]
fn certificates_of_workloads_are_judged_by_their_life() {
    let authority = CertifiedIssuer::self_signed(certificate(3650, true), KeyPair::generate().unwrap()).unwrap();
    let issued = |days| {
        certificate(days, false)
            .signed_by(&KeyPair::generate().unwrap(), &authority)
            .unwrap()
            .pem()
    };
    let (long, short) = (issued(91), issued(90));

    let refused: &[(&str, Action)] = &[("certificate-long-lived", Action::Deny)];
    for (name, text, expected) in [
        ("tls.crt", &long, refused),
        ("client.crt", &long, refused),
        ("ca.crt", &long, &[]),
        ("thing", &long, &[]),
        ("tls.crt", &short, &[]),
        ("tls.crt", &authority.pem(), &[]),
    ] {
        assert_eq!(rules(&found(name, text)), expected, "{name}");
    }
}
