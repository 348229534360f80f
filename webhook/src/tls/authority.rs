//! Makes a certificate to serve with, and the authority that it is trusted by.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// The organization in the subject of every authority that is made here.
pub const ORGANIZATION: &str = "countersign.dev admission webhook";

/// How far the clock of an API server may be behind.
const SKEW: SignedDuration = SignedDuration::from_hours(1);

/// A certificate that can be served, and the authority that it is trusted by.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The authority's certificate, in DER.
    pub authority: CertificateDer<'static>,
    /// What is served.
    pub served: Arc<CertifiedKey>,
    /// When both end.
    pub ends: Timestamp,
}

/// What keeps a certificate from being made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// A name that a certificate cannot have, or no random numbers.
    #[error("a serving certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A time that a certificate cannot have.
    #[error("a serving certificate cannot be made: {0}")]
    Time(#[from] time::error::ComponentRange),
    /// A key that TLS does not know.
    #[error("a serving certificate cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    /// A key that cannot be read back.
    #[error("the key of a serving certificate cannot be used: {0}")]
    Key(&'static str),
}

/// Makes both, with keys on P-256. `names` are host names or addresses; `replica` says in the authority's subject whose it
/// is. The authority's key is gone when this returns, so nothing else can ever be signed with it.
pub fn issue(names: &[String], replica: &str, now: Timestamp, lifetime: SignedDuration) -> Result<Issued, IssueError> {
    let ends = now + lifetime;
    let mut authority = CertificateParams::default();
    authority.distinguished_name = subject(replica);
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(lasting(authority, now, ends)?, KeyPair::generate()?)?;

    let mut leaf = CertificateParams::new(names.to_vec())?;
    // Not the authority's: a certificate that has its issuer's name for its own looks signed by itself.
    leaf.distinguished_name = DistinguishedName::new();
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = lasting(leaf, now, ends)?.signed_by(&key, &authority)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(IssueError::Key)?;
    Ok(Issued {
        authority: authority.der().clone(),
        served: Arc::new(CertifiedKey::new(
            vec![certificate.der().clone()],
            any_ecdsa_type(&key)?,
        )),
        ends,
    })
}

fn subject(replica: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, ORGANIZATION);
    subject.push(DnType::CommonName, replica);
    subject
}

fn lasting(mut params: CertificateParams, now: Timestamp, ends: Timestamp) -> Result<CertificateParams, IssueError> {
    let date = |time: Timestamp| time::OffsetDateTime::from_unix_timestamp(time.as_second());
    params.not_before = date(now - SKEW)?;
    params.not_after = date(ends)?;
    Ok(params)
}
