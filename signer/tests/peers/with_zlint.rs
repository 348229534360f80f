//! zlint: RFC 5280 and what belongs to it, to the letter.

use std::collections::BTreeMap;

use countersign_crds::certificate_authority::CaKeyAlgorithm;
use countersign_signer::issue::Path;
use countersign_signer::key::KeyType;
use countersign_signer::pem;
use rustls::pki_types::CertificateDer;
use serde_json::Value;

use crate::issued::{KEY_TYPES, PATHS, PROFILES, Profile, Signer};
use crate::programs::{peer, run};

/// Rules that are not for a private authority of a trust domain. What is left: all RFCs, and the community's lints.
///
/// - `CABF_*` (the CA/Browser Forum's), `Apple`, `Chrome` and `Mozilla`: authorities that browsers trust. They forbid URIs,
///   names without a public suffix and lives without revocation, and ask for policies and addresses of OCSP responders.
/// - `ETSI_ESI`: qualified certificates of persons and organizations under European law.
const NOT_FOR_US: &str = "CABF_BR,CABF_CS_BR,CABF_EV,CABF_SMIME_BR,Apple,Chrome,Mozilla,ETSI_ESI";

/// What is wrong with certificates, by lint, with the first of them that has it.
fn findings(certificates: &BTreeMap<String, CertificateDer<'static>>) -> BTreeMap<String, (String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = vec!["-excludeSources".to_owned(), NOT_FOR_US.to_owned()];
    for (name, certificate) in certificates {
        let path = folder.path().join(name);
        std::fs::write(&path, pem::certificates(std::slice::from_ref(certificate))).unwrap();
        arguments.push(path.display().to_string());
    }
    let said = run(peer("zlint"), &arguments).unwrap();
    let answers: Vec<BTreeMap<String, Value>> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), certificates.len(), "an answer for each");
    let mut findings = BTreeMap::new();
    for (name, answer) in certificates.keys().zip(answers) {
        assert!(answer.len() > 50, "{name}: {} lints only", answer.len());
        for (lint, verdict) in answer {
            let result = verdict["result"].as_str().unwrap().to_owned();
            // What is told for information is no finding: that a cluster's DNS names have no public suffix.
            if !matches!(result.as_str(), "pass" | "NA" | "NE" | "info") {
                findings.entry(lint).or_insert((result, name.clone()));
            }
        }
    }
    findings
}

fn authorities(algorithm: CaKeyAlgorithm) -> BTreeMap<String, CertificateDer<'static>> {
    let signer = Signer::of(&format!("{}.example", "long".repeat(20)), algorithm);
    let authority = signer.kept.authority().unwrap();
    [
        (format!("root-{algorithm:?}"), signer.roots()[0].clone()),
        (format!("intermediate-{algorithm:?}"), authority.chain()[0].clone()),
    ]
    .into()
}

#[test]
fn no_lint_finds_an_error_in_what_is_issued() {
    let signer = Signer::new();
    let mut certificates = authorities(CaKeyAlgorithm::EcdsaP256);
    certificates.append(&mut authorities(CaKeyAlgorithm::EcdsaP384));
    let all_keys = KEY_TYPES.map(|key_type| (Path::PodCertificate, key_type));
    let all_paths = PATHS.map(|path| (path, KeyType::EcdsaP256));
    for (path, key_type) in all_keys.into_iter().chain(all_paths) {
        for profile in PROFILES {
            let leaf = signer.issue("api", path, key_type, profile).chain.swap_remove(0);
            certificates.insert(format!("{}-{}-{profile:?}", path.name(), key_type.name()), leaf);
        }
    }
    let findings = findings(&certificates);
    assert!(findings.is_empty(), "{findings:#?}");
}

/// So that the lints are known to run.
#[test]
fn a_lint_finds_what_is_wrong() {
    let mut params = rcgen::CertificateParams::default();
    params.serial_number = Some(rcgen::SerialNumber::from_slice(&[0; 4]));
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    // Lints count from a date on.
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    let wrong = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let findings = findings(&[("wrong".to_owned(), wrong.der().clone())].into());
    assert!(findings.contains_key("e_serial_number_not_positive"), "{findings:#?}");
}

#[test]
fn each_profile_is_a_profile_of_its_own() {
    let signer = Signer::new();
    let leaf = |profile| {
        signer
            .issue("api", Path::Secret, KeyType::EcdsaP256, profile)
            .chain
            .swap_remove(0)
    };
    let usages = |der: &CertificateDer<'_>| {
        use x509_parser::prelude::{FromDer as _, X509Certificate};
        let (_, parsed) = X509Certificate::from_der(der).unwrap();
        let usage = parsed.extended_key_usage().unwrap();
        usage.map(|usage| (usage.value.server_auth, usage.value.client_auth))
    };
    assert_eq!(usages(&leaf(Profile::Both)), Some((true, true)));
    assert_eq!(usages(&leaf(Profile::Server)), Some((true, false)));
    assert_eq!(usages(&leaf(Profile::Client)), Some((false, true)));
    assert_eq!(usages(&leaf(Profile::NoUsage)), None);
}
