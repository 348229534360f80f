//! Authorities and leaves, made when a test runs.
#![allow(dead_code, reason = "each test file uses some of it")]

use countersign_identity::bundle::Root;
use countersign_identity::{Bundle, TrustDomain};
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, SignatureAlgorithm,
};
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;

pub const NOW: i64 = 1_800_000_000;
pub const HOUR: i64 = 3600;
pub const DOMAIN: &str = "example.com";
pub const ID: &str = "spiffe://example.com/ns/shop/sa/cart";

pub fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

pub fn domain(name: &str) -> TrustDomain {
    name.parse().unwrap()
}

pub fn time(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

pub fn uri(text: &str) -> SanType {
    SanType::URI(text.to_owned().try_into().unwrap())
}

pub fn named(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

/// An extension in DER, with an OID below 2.5.29.
pub fn extension(number: u64, critical: bool, content: &[u8]) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, number], content.to_vec());
    extension.set_criticality(critical);
    extension
}

/// What a good signing certificate has.
pub fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.not_before = time(NOW - 24 * HOUR);
    params.not_after = time(NOW + 24 * HOUR);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.subject_alt_names = vec![uri("spiffe://example.com")];
    params
}

/// What a good leaf has.
pub fn leaf_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("cart");
    params.not_before = time(NOW - HOUR);
    params.not_after = time(NOW + HOUR);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.subject_alt_names = vec![uri(ID), SanType::DnsName("cart.shop.svc".try_into().unwrap())];
    params
}

/// A key that signs certificates, with its own certificate.
pub struct Authority {
    pub certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A root.
    pub fn root(params: &CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self::new(params, key, certificate)
    }

    /// A root with another kind of key.
    pub fn root_with(params: &CertificateParams, algorithm: &'static SignatureAlgorithm) -> Self {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self::new(params, key, certificate)
    }

    /// A certificate for another authority's key.
    pub fn certify(&self, other: &Self, params: &CertificateParams) -> CertificateDer<'static> {
        params
            .signed_by(other.issuer.key(), &self.issuer)
            .unwrap()
            .der()
            .clone()
    }

    /// An intermediate.
    pub fn intermediate(&self, params: &CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Self::new(params, key, certificate)
    }

    fn new(params: &CertificateParams, key: KeyPair, certificate: CertificateDer<'static>) -> Self {
        // Only the name, so that also what may not sign can.
        let mut issuer = CertificateParams::default();
        issuer.distinguished_name = params.distinguished_name.clone();
        Self {
            certificate,
            issuer: Issuer::new(issuer, key),
        }
    }

    /// A leaf.
    pub fn leaf(&self, params: &CertificateParams) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        params.signed_by(&key, &self.issuer).unwrap().der().clone()
    }

    /// Another certificate for the same key.
    pub fn renewed(&self, params: &CertificateParams) -> CertificateDer<'static> {
        params.self_signed(self.issuer.key()).unwrap().der().clone()
    }

    pub fn to_root(&self) -> Root {
        Root::read(self.certificate.clone()).unwrap()
    }
}

pub fn bundle(name: &str, roots: &[&Authority]) -> Bundle {
    let mut bundle = Bundle::new(domain(name));
    for root in roots {
        bundle.add_root(root.to_root());
    }
    bundle
}
