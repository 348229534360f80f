//! The certificate authority: what it signs, and with what.

pub mod brought;
mod ca_key;
pub mod follow;
pub mod keep;
mod kept;
pub mod lead;
mod leaf;
mod make;
mod metrics;
pub mod object;
mod record;
pub mod rotation;
mod status;
pub mod store;
mod workshop;

use std::fmt;

use jiff::Timestamp;
use rcgen::{Issuer, PublicKeyData as _};
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::grant::Grant;
use crate::key::PublicKey;

pub use ca_key::{CaKey, KeyTextError};
pub use kept::{Kept, Unreadable};
pub use leaf::{Certificate, Serial};
pub use metrics::{AuthorityMetrics, Failure};
pub use workshop::MakeError;

/// How far the clock of a peer may be behind: certificates begin this much before they are made. The API server takes no
/// certificate for a Pod that begins five minutes or more before or after its own time; this leaves its clock room too.
pub const SKEW: jiff::SignedDuration = jiff::SignedDuration::from_mins(2);

/// Why a certificate is not made.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The intermediate ends before the certificate could have lived long enough.
    #[error(
        "the intermediate certificate ends at {0}, too soon for a certificate of its own: it should have been renewed"
    )]
    Ending(Timestamp),
    /// A field that a certificate cannot have.
    #[error("the certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A time that a certificate cannot have.
    #[error("the certificate cannot be made: {0}")]
    Time(#[from] time::error::ComponentRange),
}

/// Why a certificate and a key are no authority.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The chain is empty.
    #[error("there is no certificate")]
    Empty,
    /// A certificate cannot be read.
    #[error("certificate {0} of the chain cannot be read")]
    Unreadable(usize),
    /// The first certificate is no authority's.
    #[error("the first certificate may not sign others: it needs CA:TRUE and the usage keyCertSign")]
    NotAnAuthority,
    /// The key is another's.
    #[error("the private key does not belong to the first certificate")]
    OtherKey,
    /// The library refuses it.
    #[error("the authority cannot be used: {0}")]
    Library(#[from] rcgen::Error),
}

/// What signs certificates: an intermediate with its key, and what leads from it to a root.
pub struct Authority {
    issuer: Issuer<'static, CaKey>,
    /// The intermediate first, then what signed it; no root.
    chain: Vec<CertificateDer<'static>>,
    begins: Timestamp,
    ends: Timestamp,
    serial: String,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("serial", &self.serial)
            .field("ends", &self.ends)
            .finish_non_exhaustive()
    }
}

impl Authority {
    /// Takes an intermediate's certificate and what signed it, up to but without the root, and its key.
    ///
    /// # Errors
    ///
    /// If the first certificate cannot sign others, or the key is not its own.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: impl Into<CaKey>) -> Result<Self, AuthorityError> {
        let key = key.into();
        let first = chain.first().ok_or(AuthorityError::Empty)?;
        let time = |seconds: i64| Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        let (mut begins, mut ends) = (Timestamp::MIN, Timestamp::MAX);
        for (index, certificate) in chain.iter().enumerate() {
            let (_, parsed) =
                X509Certificate::from_der(certificate).map_err(|_| AuthorityError::Unreadable(index + 1))?;
            // What is above it must be valid too.
            begins = begins.max(time(parsed.validity().not_before.timestamp()));
            ends = ends.min(time(parsed.validity().not_after.timestamp()));
        }
        let (_, parsed) = X509Certificate::from_der(first).map_err(|_| AuthorityError::Unreadable(1))?;
        let signs = parsed
            .key_usage()
            .ok()
            .flatten()
            .is_some_and(|usage| usage.value.key_cert_sign());
        if !(parsed.is_ca() && signs) {
            return Err(AuthorityError::NotAnAuthority);
        }
        if parsed.public_key().subject_public_key.data.as_ref() != key.der_bytes() {
            return Err(AuthorityError::OtherKey);
        }
        let serial = hex(parsed.raw_serial());
        Ok(Self {
            issuer: Issuer::from_ca_cert_der(first, key)?,
            begins,
            ends,
            serial,
            chain,
        })
    }

    /// Signs a certificate for a key. It lives for as long as the grant says, but not longer than the authority itself.
    ///
    /// # Errors
    ///
    /// If less than the shortest life is left of the authority, or the grant has a name that no certificate can have.
    pub fn sign(
        &self,
        grant: &Grant,
        key: &PublicKey,
        serial: Serial,
        now: Timestamp,
    ) -> Result<Certificate, SignError> {
        leaf::sign(self, grant, key, serial, now)
    }

    /// The intermediate first, then what signed it; no root.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Lets it sign nothing that lives longer than this: its root may end before it.
    #[must_use]
    pub fn until(mut self, ends: Timestamp) -> Self {
        self.ends = self.ends.min(ends);
        self
    }

    /// When it ends, with all that is above it.
    pub fn ends(&self) -> Timestamp {
        self.ends
    }

    /// When it begins.
    pub fn begins(&self) -> Timestamp {
        self.begins
    }

    /// The serial number of its certificate, in hexadecimal digits.
    pub fn serial(&self) -> &str {
        &self.serial
    }
}

/// Bytes in hexadecimal digits, as serial numbers are shown.
pub(crate) fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
