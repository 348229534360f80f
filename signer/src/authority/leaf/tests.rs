use jiff::Timestamp;
use rcgen::{BasicConstraints, CertifiedIssuer, KeyPair};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::*;
use crate::grant::Usages;

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn authority(life: SignedDuration) -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let date = |time: Timestamp| time::OffsetDateTime::from_unix_timestamp(time.as_second()).unwrap();
    params.not_before = date(now() - SKEW);
    params.not_after = date(now() + life);
    let key = KeyPair::generate().unwrap();
    let copy = KeyPair::from_pem(&key.serialize_pem()).unwrap();
    let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
    Authority::new(vec![issuer.der().clone()], copy).unwrap()
}

fn grant() -> Grant {
    Grant {
        namespace: "shop".into(),
        service_account: "api".into(),
        service_identity: Some("api".into()),
        spiffe_id: "spiffe://example.org/ns/shop/sa/api".parse().unwrap(),
        key_type: None,
        dns_names: vec!["api.shop.svc".into()],
        usages: Usages {
            server: true,
            client: true,
        },
        lifetime: SignedDuration::from_hours(24),
        renew_after_percent: 50,
    }
}

fn key() -> PublicKey {
    let pair = KeyPair::generate().unwrap();
    PublicKey::from_request(CertificateParams::default().serialize_request(&pair).unwrap().der()).unwrap()
}

#[test]
fn the_certificate_is_what_the_grant_says() {
    let authority = authority(SignedDuration::from_hours(100));
    let serial = Serial::new([0xff; 16]);
    let made = authority.sign(&grant(), &key(), serial, now()).unwrap();
    assert_eq!(made.chain.len(), 2);
    assert_eq!(made.not_before, now() - SKEW);
    assert_eq!(made.not_after, made.not_before + SignedDuration::from_hours(24));
    assert!(made.refresh_at > made.not_before + SignedDuration::from_hours(11));
    assert!(made.refresh_at <= made.not_before + SignedDuration::from_mins(12 * 60 + 2));
    let (_, leaf) = X509Certificate::from_der(&made.chain[0]).unwrap();
    let (_, issuer) = X509Certificate::from_der(&made.chain[1]).unwrap();
    leaf.verify_signature(Some(issuer.public_key())).unwrap();
    assert_eq!(leaf.raw_serial(), [&[0x7f][..], &[0xff; 15]].concat());
    assert!(!leaf.is_ca());
    assert!(leaf.subject().iter().next().is_none());
    let names = leaf.subject_alternative_name().unwrap().unwrap();
    assert!(names.critical, "the subject is empty");
    assert_eq!(
        names.value.general_names,
        [
            GeneralName::URI("spiffe://example.org/ns/shop/sa/api"),
            GeneralName::DNSName("api.shop.svc")
        ]
    );
    let usage = leaf.key_usage().unwrap().unwrap();
    assert!(usage.critical && usage.value.digital_signature() && !usage.value.key_cert_sign());
    let extended = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.server_auth && extended.client_auth && !extended.any);
}

#[test]
fn what_is_told_of_a_certificate_is_what_it_says() {
    let authority = authority(SignedDuration::from_hours(100));
    let now = now() + SignedDuration::from_millis(700);
    let made = authority.sign(&grant(), &key(), Serial::new([1; 16]), now).unwrap();
    let (_, leaf) = X509Certificate::from_der(&made.chain[0]).unwrap();
    let says = leaf.validity();
    let second = |time: i64| Timestamp::from_second(time).unwrap();
    assert_eq!(made.not_before, second(says.not_before.timestamp()));
    assert_eq!(made.not_after, second(says.not_after.timestamp()));
}

#[test]
fn nothing_outlives_its_authority() {
    let authority = authority(SignedDuration::from_hours(2));
    let made = authority.sign(&grant(), &key(), Serial::new([1; 16]), now()).unwrap();
    assert_eq!(made.not_after, authority.ends());
    let later = now() + SignedDuration::from_mins(63);
    let error = authority
        .sign(&grant(), &key(), Serial::new([1; 16]), later)
        .unwrap_err();
    assert!(matches!(error, SignError::Ending(_)), "{error}");
    let before = now() - SignedDuration::from_hours(1);
    assert!(authority.sign(&grant(), &key(), Serial::new([1; 16]), before).is_err());
}

#[test]
fn a_serial_number_is_positive_and_has_its_full_length() {
    assert_eq!(Serial::new([0; 16]).to_string(), format!("40{}", "00".repeat(15)));
    assert_eq!(Serial::new([0xff; 16]).to_string(), format!("7f{}", "ff".repeat(15)));
}
