//! What a certificate must be to identify a workload (X509-SVID standard, sections 2, 3.1, 4 and 5.2).

use jiff::Timestamp;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::names::{UriError, spiffe_id};
use crate::fingerprint::Fingerprint;
use crate::spiffe::{SpiffeId, SpiffeIdError};

/// A rule for leaf certificates that one breaks.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum LeafRule {
    /// It is one X.509 certificate in DER, whose extensions can be read and are there once each.
    #[error("it is not an X.509 certificate of version 3 in DER, or is followed by more")]
    Form,
    /// It has a URI in its subject alternative names (section 2).
    #[error("it has no URI in its subject alternative names, so no SPIFFE ID")]
    NoUri,
    /// It has one URI only (section 2).
    #[error("it has {0} URIs in its subject alternative names, and must have one")]
    SeveralUris(usize),
    /// Its URI is a SPIFFE ID (section 2).
    #[error("its URI is not a SPIFFE ID: {0}")]
    SpiffeId(SpiffeIdError),
    /// Its SPIFFE ID has a path (section 3.1).
    #[error("its SPIFFE ID has no path, so it names a trust domain and not a workload")]
    NoPath,
    /// Its alternative names are critical if it has no subject (section 3.1).
    #[error("it has no subject, so its subject alternative names must be critical")]
    NamesNotCritical,
    /// It is not that of a CA (section 4.1).
    #[error("it is a CA certificate, which identifies nobody")]
    Ca,
    /// It has key usages (section 4.3).
    #[error("it has no key usage extension")]
    NoKeyUsage,
    /// Its key usages are critical (section 4.3).
    #[error("its key usage extension is not critical")]
    KeyUsageNotCritical,
    /// Its key is for signatures (section 4.3).
    #[error("its key usage lacks digitalSignature")]
    NoDigitalSignature,
    /// Its key is not for signing certificates (section 4.3).
    #[error("its key usage has keyCertSign, which is for CAs")]
    KeyCertSign,
    /// Its key is not for signing revocation lists (section 4.3).
    #[error("its key usage has cRLSign, which is for CAs")]
    CrlSign,
    /// If it says what for it may be used, it is for both ends of TLS (section 4.4).
    #[error("its extended key usage lacks serverAuth or clientAuth, and must have both")]
    ExtendedKeyUsage,
}

/// What a leaf certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    pub id: SpiffeId,
    pub serial: Vec<u8>,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    pub fingerprint: Fingerprint,
}

/// Holds one certificate to the rules for leaf certificates, and returns the SPIFFE ID in it. Whether the certificate is to be
/// trusted is another question: see [`verify`](super::verify).
///
/// # Errors
///
/// With the first rule that it breaks.
pub fn check_leaf(certificate: &[u8]) -> Result<SpiffeId, LeafRule> {
    read(certificate).map(|leaf| leaf.id)
}

pub(super) fn read(der: &[u8]) -> Result<Leaf, LeafRule> {
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| LeafRule::Form)?;
    // What path validation takes for a leaf, and what is read here, is the same certificate.
    if !rest.is_empty() || webpki::EndEntityCert::try_from(&der.into()).is_err() {
        return Err(LeafRule::Form);
    }
    check_basic_constraints(&certificate)?;
    check_key_usage(&certificate)?;
    let id = identity(&certificate)?;
    let at = |seconds| Timestamp::from_second(seconds).map_err(|_| LeafRule::Form);
    Ok(Leaf {
        id,
        serial: certificate.raw_serial().to_vec(),
        not_before: at(certificate.validity().not_before.timestamp())?,
        not_after: at(certificate.validity().not_after.timestamp())?,
        fingerprint: Fingerprint::of(der),
    })
}

fn check_basic_constraints(certificate: &X509Certificate<'_>) -> Result<(), LeafRule> {
    match super::names::is_ca(certificate) {
        Some(false) => Ok(()),
        Some(true) => Err(LeafRule::Ca),
        None => Err(LeafRule::Form),
    }
}

fn check_key_usage(certificate: &X509Certificate<'_>) -> Result<(), LeafRule> {
    let usage = certificate.key_usage().map_err(|_| LeafRule::Form)?;
    let usage = usage.ok_or(LeafRule::NoKeyUsage)?;
    if !usage.critical {
        return Err(LeafRule::KeyUsageNotCritical);
    }
    if usage.value.key_cert_sign() {
        return Err(LeafRule::KeyCertSign);
    }
    if usage.value.crl_sign() {
        return Err(LeafRule::CrlSign);
    }
    if !usage.value.digital_signature() {
        return Err(LeafRule::NoDigitalSignature);
    }
    let extended = certificate.extended_key_usage().map_err(|_| LeafRule::Form)?;
    if extended.is_some_and(|extended| !(extended.value.server_auth && extended.value.client_auth)) {
        return Err(LeafRule::ExtendedKeyUsage);
    }
    Ok(())
}

fn identity(certificate: &X509Certificate<'_>) -> Result<SpiffeId, LeafRule> {
    let id = spiffe_id(certificate).map_err(|error| match error {
        UriError::Form => LeafRule::Form,
        UriError::Several(count) => LeafRule::SeveralUris(count),
        UriError::SpiffeId(error) => LeafRule::SpiffeId(error),
    })?;
    let id = id.ok_or(LeafRule::NoUri)?;
    if !id.has_path() {
        return Err(LeafRule::NoPath);
    }
    let names = certificate.subject_alternative_name().map_err(|_| LeafRule::Form)?;
    let critical = names.is_some_and(|names| names.critical);
    if certificate.subject().iter_rdn().next().is_none() && !critical {
        return Err(LeafRule::NamesNotCritical);
    }
    Ok(id)
}
