//! X.509-SVIDs: certificates that prove a SPIFFE ID (X509-SVID standard).

mod leaf;
mod names;
mod path;
mod signing;
mod withdrawn;

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;

pub use leaf::{LeafRule, check_leaf};
pub use signing::{SigningRule, check_signing};
pub use withdrawn::Withdrawn;

use crate::bundle::Bundles;
use crate::fingerprint::Fingerprint;
use crate::spiffe::{SpiffeId, TrustDomain};

/// Why a chain of certificates does not prove a SPIFFE ID: the first rule that it breaks.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum SvidError {
    /// There is no certificate.
    #[error("no certificate was presented")]
    Empty,
    /// The first certificate breaks a rule for leaves.
    #[error("the leaf certificate is no X.509-SVID: {0}")]
    Leaf(LeafRule),
    /// The first certificate has expired.
    #[error("the leaf certificate expired at {0}")]
    Expired(Timestamp),
    /// The first certificate is not valid yet.
    #[error("the leaf certificate is valid from {0} only")]
    NotYetValid(Timestamp),
    /// There is no bundle for its trust domain.
    #[error("its trust domain {0} is foreign: it is neither ours nor one that is federated with")]
    ForeignTrustDomain(TrustDomain),
    /// The bundle of its trust domain has no X.509 authority.
    #[error("the bundle of its trust domain {0} has no X.509 authority, so none of its certificates is trusted")]
    NoRoot(TrustDomain),
    /// No chain leads to an authority in the bundle of its trust domain.
    #[error("no chain leads from it to an authority of its trust domain")]
    UnknownIssuer,
    /// A signature is wrong.
    #[error("a signature in its chain is wrong")]
    Signature,
    /// A signature is of a kind that is not accepted.
    #[error("a key or a signature in its chain is of a kind that is not accepted")]
    Algorithm,
    /// A certificate was withdrawn.
    #[error("the certificate {0} in its chain was withdrawn")]
    Withdrawn(Fingerprint),
    /// A signing certificate in between breaks a rule.
    #[error("an intermediate certificate in its chain may not sign: {0}")]
    Signing(SigningRule),
    /// The certificate that signed the leaf is that of another trust domain.
    #[error("it was signed by an intermediate of another trust domain, {0}")]
    SigningTrustDomain(TrustDomain),
    /// A signing certificate in between has expired.
    #[error("an intermediate certificate in its chain expired at {0}")]
    IntermediateExpired(Timestamp),
    /// A signing certificate in between is not valid yet.
    #[error("an intermediate certificate in its chain is valid from {0} only")]
    IntermediateNotYetValid(Timestamp),
    /// The authority has expired.
    #[error("the authority that its chain leads to expired at {0}")]
    RootExpired(Timestamp),
    /// The authority is not valid yet.
    #[error("the authority that its chain leads to is valid from {0} only")]
    RootNotYetValid(Timestamp),
    /// There are more certificates in between than one of them, or the authority, allows.
    #[error("its chain is longer than a certificate in it allows (basic constraints, path length)")]
    PathLength,
    /// A certificate has name constraints that its names do not fit, or that cannot be checked, such as those for URIs.
    #[error("its names do not fit the name constraints in its chain, or these cannot be checked")]
    NameConstraints,
    /// A certificate has a critical extension that is not known here.
    #[error("a certificate in its chain has a critical extension that is not known here")]
    CriticalExtension,
    /// Path validation fails for another reason (RFC 5280 section 6).
    #[error("its chain is not valid: {0}")]
    Path(String),
}

/// An X.509-SVID that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct X509Svid {
    leaf: leaf::Leaf,
}

impl X509Svid {
    /// Whose it is.
    pub fn id(&self) -> &SpiffeId {
        &self.leaf.id
    }

    /// The serial number, big-endian.
    pub fn serial(&self) -> &[u8] {
        &self.leaf.serial
    }

    /// The first moment at which it is valid.
    pub fn not_before(&self) -> Timestamp {
        self.leaf.not_before
    }

    /// The last moment at which it is valid.
    pub fn not_after(&self) -> Timestamp {
        self.leaf.not_after
    }

    /// The SHA-256 of the leaf certificate.
    pub fn fingerprint(&self) -> Fingerprint {
        self.leaf.fingerprint
    }
}

/// Verifies a chain of certificates, the leaf first, as its owner presents it in TLS (X509-SVID standard, section 5): the leaf's
/// form, and a path to an authority in the bundle of its own trust domain (RFC 5280 section 6). The order of what follows the
/// leaf does not matter.
///
/// It is stricter than the standard where that costs nothing: an intermediate that says what for its leaves may be used must
/// allow both ends of TLS, the one that signed the leaf must not name another trust domain, and an authority counts only while
/// it is valid and within its path length.
///
/// # Errors
///
/// With the first rule that it breaks.
pub fn verify(
    chain: &[CertificateDer<'_>],
    bundles: &Bundles,
    withdrawn: &Withdrawn,
    now: Timestamp,
) -> Result<X509Svid, SvidError> {
    let (certificate, intermediates) = chain.split_first().ok_or(SvidError::Empty)?;
    let leaf = leaf::read(certificate).map_err(SvidError::Leaf)?;
    if withdrawn.has(leaf.fingerprint, &leaf.serial) {
        return Err(SvidError::Withdrawn(leaf.fingerprint));
    }
    let trust_domain = leaf.id.trust_domain();
    let bundle = bundles
        .of(trust_domain)
        .ok_or_else(|| SvidError::ForeignTrustDomain(trust_domain.clone()))?;
    if now > leaf.not_after {
        return Err(SvidError::Expired(leaf.not_after));
    }
    if now < leaf.not_before {
        return Err(SvidError::NotYetValid(leaf.not_before));
    }
    path::validate(certificate, intermediates, bundle, withdrawn, now)?;
    Ok(X509Svid { leaf })
}
