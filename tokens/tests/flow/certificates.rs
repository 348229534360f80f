//! Certificates, made when a test runs.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_identity::bundle::Root;
use countersign_identity::{Bundle, Fingerprint};
use countersign_runtime::tls::Current;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;

/// A certificate for a server on loopback, and what is trusted for it, in PEM.
pub fn server(names: &[&str]) -> (Current, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let key = provider.key_provider.load_private_key(key).unwrap();
    let current = Current::default();
    current.set(Arc::new(rustls::sign::CertifiedKey::new(
        vec![made.cert.der().clone()],
        key,
    )));
    (current, made.cert.pem())
}

/// The authority of the trust domain `cluster.local`.
pub struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
    /// What is between it and the root, itself included, in PEM.
    chain: String,
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2090, 1, 1);
    params
}

impl Authority {
    pub fn new() -> Self {
        let mut params = named("the root of the test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.subject_alt_names = vec![SanType::URI("spiffe://cluster.local".try_into().unwrap())];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            certificate,
            issuer: Issuer::new(params, key),
            chain: String::new(),
        }
    }

    /// An intermediate below it.
    pub fn intermediate(&self) -> Self {
        let mut params = named("an intermediate of the test");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.subject_alt_names = vec![SanType::URI("spiffe://cluster.local".try_into().unwrap())];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Self {
            chain: certificate.pem() + &self.chain,
            certificate,
            issuer: Issuer::new(params, key),
        }
    }

    /// The SHA-256 of its certificate.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.certificate.der())
    }

    pub fn bundle(&self) -> Bundle {
        let mut bundle = Bundle::new("cluster.local".parse().unwrap());
        bundle.add_root(Root::read(self.certificate.der().clone()).unwrap());
        bundle
    }

    /// A certificate with a SPIFFE ID and a DNS name, and its key, in PEM.
    pub fn leaf(&self, spiffe_id: &str, dns: Option<&str>) -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = named("a workload");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.subject_alt_names = vec![SanType::URI(spiffe_id.try_into().unwrap())];
        if let Some(dns) = dns {
            params.subject_alt_names.push(SanType::DnsName(dns.try_into().unwrap()));
        }
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        format!("{}{}{}", certificate.pem(), self.chain, key.serialize_pem())
    }
}

/// A certificate that nobody vouches for with its key, in PEM, and its thumbprint (RFC 8705 section 3.1).
pub fn self_signed(until: i32) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = named("a client");
    params.not_after = date_time_ymd(until, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    let thumbprint = URL_SAFE_NO_PAD.encode(Fingerprint::of(certificate.der()).as_bytes());
    (format!("{}{}", certificate.pem(), key.serialize_pem()), thumbprint)
}
