//! The path from a leaf to an authority (RFC 5280 section 6), with what SPIFFE asks of the certificates on it.

use std::cell::RefCell;
use std::time::Duration;

use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeIdIter, VerifiedPath};

use super::signing::check_signing;
use super::{SvidError, Withdrawn};
use crate::bundle::{Bundle, Root};
use crate::fingerprint::Fingerprint;
use crate::spiffe::TrustDomain;

/// Extended key usages are looked at with the rules for leaf and signing certificates, which ask for two at once.
struct CheckedElsewhere;

impl ExtendedKeyUsageValidator for CheckedElsewhere {
    fn validate(&self, usages: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        for usage in usages {
            usage?;
        }
        Ok(())
    }
}

pub(super) fn validate(
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    bundle: &Bundle,
    withdrawn: &Withdrawn,
    now: Timestamp,
) -> Result<(), SvidError> {
    let roots: Vec<(&Root, TrustAnchor<'_>)> = bundle
        .roots()
        .filter_map(|root| Some((root, webpki::anchor_from_trusted_cert(root.certificate()).ok()?)))
        .collect();
    if roots.is_empty() {
        return Err(SvidError::NoRoot(bundle.trust_domain().clone()));
    }
    let anchors: Vec<TrustAnchor<'_>> = roots.iter().map(|(_, anchor)| anchor.clone()).collect();
    let time = u64::try_from(now.as_second()).map_err(|_| SvidError::Path("the time is before 1970".to_owned()))?;
    let leaf = EndEntityCert::try_from(leaf).map_err(refusal)?;
    // A path whose signatures are right, but that breaks one of our rules: another path may do.
    let broken: RefCell<Option<SvidError>> = RefCell::new(None);
    let check = |path: &VerifiedPath<'_>| {
        let result = check_intermediates(path, bundle.trust_domain(), withdrawn)
            .and_then(|length| check_root(path, length, &roots, withdrawn, now));
        result.map_err(|error| {
            broken.borrow_mut().get_or_insert(error);
            Error::UnknownIssuer
        })
    };
    let verified = leaf.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &anchors,
        intermediates,
        UnixTime::since_unix_epoch(Duration::from_secs(time)),
        CheckedElsewhere,
        None,
        Some(&check),
    );
    match verified {
        Ok(_) => Ok(()),
        Err(error) => Err(broken.take().unwrap_or_else(|| refusal(error))),
    }
}

/// Holds the certificates between leaf and authority to their rules. Returns how many of them count for a path length: all that
/// did not issue themselves (RFC 5280 section 6.1.4).
fn check_intermediates(
    path: &VerifiedPath<'_>,
    trust_domain: &TrustDomain,
    withdrawn: &Withdrawn,
) -> Result<usize, SvidError> {
    let mut length = 0;
    for (at, certificate) in path.intermediate_certificates().enumerate() {
        let der = certificate.der();
        let fingerprint = Fingerprint::of(&der);
        if withdrawn.has(fingerprint, certificate.serial()) {
            return Err(SvidError::Withdrawn(fingerprint));
        }
        let id = check_signing(&der).map_err(SvidError::Signing)?;
        if let (0, Some(id)) = (at, id)
            && id.trust_domain() != trust_domain
        {
            return Err(SvidError::SigningTrustDomain(id.trust_domain().clone()));
        }
        length += usize::from(certificate.issuer() != certificate.subject());
    }
    Ok(length)
}

/// Holds the authority to what path validation leaves out. Several with one key and name may be in the bundle: one must do.
fn check_root(
    path: &VerifiedPath<'_>,
    length: usize,
    roots: &[(&Root, TrustAnchor<'_>)],
    withdrawn: &Withdrawn,
    now: Timestamp,
) -> Result<(), SvidError> {
    let mut result = Err(SvidError::UnknownIssuer);
    for (root, anchor) in roots {
        if anchor != path.anchor() {
            continue;
        }
        result = if withdrawn.has(root.fingerprint(), &root.serial) {
            Err(SvidError::Withdrawn(root.fingerprint()))
        } else if now > root.not_after() {
            Err(SvidError::RootExpired(root.not_after()))
        } else if now < root.not_before() {
            Err(SvidError::RootNotYetValid(root.not_before()))
        } else if root
            .path_length
            .is_some_and(|most| u32::try_from(length).map_or(true, |length| length > most))
        {
            Err(SvidError::PathLength)
        } else {
            return Ok(());
        };
    }
    result
}

/// What path validation says, in our words. The leaf's own times were looked at before.
fn refusal(error: Error) -> SvidError {
    let at = |time: UnixTime| {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
    };
    match error {
        Error::UnknownIssuer => SvidError::UnknownIssuer,
        Error::CertExpired { not_after, .. } => SvidError::IntermediateExpired(at(not_after)),
        Error::CertNotValidYet { not_before, .. } => SvidError::IntermediateNotYetValid(at(not_before)),
        Error::InvalidSignatureForPublicKey => SvidError::Signature,
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)
        | Error::SignatureAlgorithmMismatch => SvidError::Algorithm,
        Error::EndEntityUsedAsCa => SvidError::Signing(super::SigningRule::NotCa),
        Error::PathLenConstraintViolated | Error::MaximumPathDepthExceeded => SvidError::PathLength,
        Error::NameConstraintViolation
        | Error::MalformedNameConstraint
        | Error::UnsupportedNameType
        | Error::MaximumNameConstraintComparisonsExceeded
        | Error::InvalidNetworkMaskConstraint => SvidError::NameConstraints,
        Error::UnsupportedCriticalExtension => SvidError::CriticalExtension,
        other => SvidError::Path(other.to_string()),
    }
}
