//! What a certificate must be to sign SVIDs (X509-SVID standard, sections 3.2 and 4).

use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::names::{UriError, spiffe_id};
use crate::spiffe::{SpiffeId, SpiffeIdError};

/// A rule for signing certificates that one breaks.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum SigningRule {
    /// It is one X.509 certificate in DER, whose extensions can be read and are there once each.
    #[error("it is not an X.509 certificate of version 3 in DER, or is followed by more")]
    Form,
    /// It is that of a CA (section 4.1).
    #[error("it is not a CA certificate")]
    NotCa,
    /// It has key usages (section 4.3).
    #[error("it has no key usage extension")]
    NoKeyUsage,
    /// Its key usages are critical (section 4.3).
    #[error("its key usage extension is not critical")]
    KeyUsageNotCritical,
    /// Its key is for signing certificates (section 4.3).
    #[error("its key usage lacks keyCertSign")]
    NoKeyCertSign,
    /// If it says what for its leaves may be used, it is for both ends of TLS (section 4.4): many who verify ask for that.
    #[error("its extended key usage lacks serverAuth or clientAuth, so many refuse what it signed")]
    ExtendedKeyUsage,
    /// It has at most one URI (section 2).
    #[error("it has {0} URIs in its subject alternative names, and may have one")]
    SeveralUris(usize),
    /// Its URI, if it has one, is a SPIFFE ID (section 2).
    #[error("its URI is not a SPIFFE ID: {0}")]
    SpiffeId(SpiffeIdError),
    /// Its SPIFFE ID has no path (section 3.2).
    #[error("its SPIFFE ID has a path, so it names a workload and not a trust domain")]
    Path,
}

/// Holds one certificate to the rules for signing certificates, and returns the SPIFFE ID in it, which it may lack. Whether the
/// certificate is to be trusted is another question.
///
/// # Errors
///
/// With the first rule that it breaks.
pub fn check_signing(certificate: &[u8]) -> Result<Option<SpiffeId>, SigningRule> {
    let (rest, certificate) = X509Certificate::from_der(certificate).map_err(|_| SigningRule::Form)?;
    if !rest.is_empty() {
        return Err(SigningRule::Form);
    }
    match super::names::is_ca(&certificate) {
        Some(true) => {}
        Some(false) => return Err(SigningRule::NotCa),
        None => return Err(SigningRule::Form),
    }
    let usage = certificate.key_usage().map_err(|_| SigningRule::Form)?;
    let usage = usage.ok_or(SigningRule::NoKeyUsage)?;
    if !usage.critical {
        return Err(SigningRule::KeyUsageNotCritical);
    }
    if !usage.value.key_cert_sign() {
        return Err(SigningRule::NoKeyCertSign);
    }
    let extended = certificate.extended_key_usage().map_err(|_| SigningRule::Form)?;
    if extended.is_some_and(|it| !(it.value.any || it.value.server_auth && it.value.client_auth)) {
        return Err(SigningRule::ExtendedKeyUsage);
    }
    let id = spiffe_id(&certificate).map_err(|error| match error {
        UriError::Form => SigningRule::Form,
        UriError::Several(count) => SigningRule::SeveralUris(count),
        UriError::SpiffeId(error) => SigningRule::SpiffeId(error),
    })?;
    match id {
        Some(id) if id.has_path() => Err(SigningRule::Path),
        id => Ok(id),
    }
}
