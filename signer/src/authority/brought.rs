//! An intermediate that is brought in a Secret: from cert-manager, from Vault, or signed by an offline root.

use std::collections::BTreeMap;

use countersign_identity::bundle::{Bundle, Bundles, PemError, Root};
use countersign_identity::spiffe::SpiffeIdError;
use countersign_identity::svid::{self, SvidError, Withdrawn};
use countersign_identity::{Fingerprint, SpiffeId, TrustDomain, pem};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DistinguishedName, IsCa, KeyPair, KeyUsagePurpose, SanType};
use rustls::pki_types::CertificateDer;

use super::rotation::{Made, Offer};
use super::{Authority, AuthorityError, CaKey, KeyTextError};

/// How many roots can be brought at once: the old one, the new one, and some.
const MOST_ROOTS: usize = 8;

/// Why an intermediate that is brought is not used.
#[derive(Debug, thiserror::Error)]
pub enum BroughtError {
    /// An entry is missing.
    #[error("it has no entry {0}: it needs tls.crt, tls.key and ca.crt")]
    Missing(&'static str),
    /// The chain is damaged.
    #[error("tls.crt: it is not a chain of certificates in PEM")]
    Chain,
    /// The key cannot be read.
    #[error("tls.key: {0}")]
    Key(#[from] KeyTextError),
    /// The roots cannot be read.
    #[error("ca.crt: {0}")]
    Roots(#[from] PemError),
    /// There is no root, or too many are.
    #[error("ca.crt: it has {0} certificates, and must have 1 to {MOST_ROOTS}")]
    RootCount(usize),
    /// The intermediate cannot sign.
    #[error("tls.crt: {0}")]
    Authority(#[from] AuthorityError),
    /// It has ended, or ends too soon for a certificate.
    #[error("tls.crt: it, or what is above it, is valid from {0} until {1} only: renew it")]
    Time(Timestamp, Timestamp),
    /// What it signs would not be accepted.
    #[error("tls.crt: what it signs is not accepted with the roots in ca.crt: {0}")]
    NotAccepted(#[from] SvidError),
    /// Its key may be known to others.
    #[error("tls.crt: spec.revokedIntermediates names {0}: bring an intermediate that is neither it nor below it")]
    Revoked(Fingerprint),
    /// A certificate for the trial cannot be made.
    #[error("tls.crt: nothing can be signed with it: {0}")]
    Trial(#[from] rcgen::Error),
    /// The trust domain cannot have a workload.
    #[error("the trust domain cannot be used: {0}")]
    SpiffeId(#[from] SpiffeIdError),
    /// A time that a certificate cannot have.
    #[error("tls.crt: {0}")]
    Date(#[from] time::error::ComponentRange),
}

/// An intermediate that is brought and can be used, with its key and the roots to trust.
#[derive(Debug)]
pub struct Brought {
    chain: Vec<CertificateDer<'static>>,
    key: CaKey,
    roots: Vec<Root>,
    offer: Offer,
}

impl Brought {
    /// Reads the entries of the Secret, and tries out what the intermediate signs as its peers will.
    ///
    /// # Errors
    ///
    /// If anything is missing, damaged or revoked, or a certificate that it signed would not be accepted now.
    pub fn read(
        trust_domain: &TrustDomain,
        entries: &BTreeMap<String, ByteString>,
        withdrawn: &Withdrawn,
        now: Timestamp,
    ) -> Result<Self, BroughtError> {
        let entry = |name: &'static str| {
            let bytes = entries.get(name).map(|bytes| bytes.0.as_slice());
            bytes
                .filter(|bytes| !bytes.is_empty())
                .ok_or(BroughtError::Missing(name))
        };
        let chain: Vec<CertificateDer<'static>> = pem::certificates(entry("tls.crt")?)
            .collect::<Result<_, _>>()
            .map_err(|_| BroughtError::Chain)?;
        let key = CaKey::from_pem(entry("tls.key")?)?;
        let mut bundle = Bundle::new(trust_domain.clone());
        bundle.add_pem(entry("ca.crt")?)?;
        let roots: Vec<Root> = bundle.roots().cloned().collect();
        if roots.is_empty() || roots.len() > MOST_ROOTS {
            return Err(BroughtError::RootCount(roots.len()));
        }
        // Peers have the roots: they are not sent.
        let is_root = |der: &CertificateDer<'_>| roots.iter().any(|root| root.certificate() == der);
        let chain: Vec<_> = chain.into_iter().filter(|certificate| !is_root(certificate)).collect();
        let authority = Authority::new(chain.clone(), key.clone())?;
        let leaf = trial(&authority, trust_domain, now)?;
        let presented: Vec<_> = std::iter::once(leaf).chain(chain.iter().cloned()).collect();
        let root = root_of(&presented, &roots, trust_domain, withdrawn, now)?;
        let ends = authority.ends().min(root.not_after());
        let offer = Offer {
            intermediate: Made {
                sha256: chain
                    .first()
                    .map(|first| Fingerprint::of(first).to_string())
                    .unwrap_or_default(),
                ends,
            },
            begins: authority.begins().max(root.not_before()),
            under: root.fingerprint().to_string(),
            roots: roots.iter().map(made).collect(),
        };
        Ok(Self {
            chain,
            key,
            roots,
            offer,
        })
    }

    /// What the rotation is told of it.
    pub fn offer(&self) -> &Offer {
        &self.offer
    }

    pub(super) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    pub(super) fn key(&self) -> &CaKey {
        &self.key
    }

    pub(super) fn root(&self, sha256: &str) -> Option<&CertificateDer<'static>> {
        let root = self
            .roots
            .iter()
            .find(|root| root.fingerprint().to_string() == sha256)?;
        Some(root.certificate())
    }
}

fn made(root: &Root) -> Made {
    Made {
        sha256: root.fingerprint().to_string(),
        ends: root.not_after(),
    }
}

/// A certificate that nobody gets and whose key is gone at once.
pub(super) fn trial(
    authority: &Authority,
    trust_domain: &TrustDomain,
    now: Timestamp,
) -> Result<CertificateDer<'static>, BroughtError> {
    if now < authority.begins() || now >= authority.ends() {
        return Err(BroughtError::Time(authority.begins(), authority.ends()));
    }
    let id = SpiffeId::from_segments(trust_domain, &["trial"])?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.not_before = time::OffsetDateTime::from_unix_timestamp(authority.begins().as_second())?;
    params.not_after = time::OffsetDateTime::from_unix_timestamp(authority.ends().as_second())?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(id.to_string())?)];
    Ok(params
        .signed_by(&KeyPair::generate()?, &authority.issuer)?
        .der()
        .clone())
}

/// The root that a chain leads to: the one that lasts longest, if more than one does.
fn root_of<'a>(
    presented: &[CertificateDer<'_>],
    roots: &'a [Root],
    trust_domain: &TrustDomain,
    withdrawn: &Withdrawn,
    now: Timestamp,
) -> Result<&'a Root, BroughtError> {
    let mut found: Option<&Root> = None;
    let mut refused = SvidError::NoRoot(trust_domain.clone());
    for root in roots {
        let mut bundle = Bundle::new(trust_domain.clone());
        bundle.add_root(root.clone());
        match svid::verify(presented, &Bundles::new(bundle), withdrawn, now) {
            Ok(_) if found.is_none_or(|other| other.not_after() < root.not_after()) => found = Some(root),
            Ok(_) => {}
            Err(SvidError::Withdrawn(which)) => return Err(BroughtError::Revoked(which)),
            Err(error) => refused = error,
        }
    }
    found.ok_or(BroughtError::NotAccepted(refused))
}

#[cfg(test)]
mod tests;
