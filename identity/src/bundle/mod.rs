//! Trust bundles: the keys that prove the SVIDs of a trust domain (SPIFFE Trust Domain and Bundle standard).

mod format;
mod root;
mod set;

use std::collections::{BTreeMap, BTreeSet};

use rustls_pki_types::CertificateDer;

pub use format::{BundleError, Received};
pub use root::{Root, RootError};
pub use set::{Bundles, OwnTrustDomain};

use crate::fingerprint::Fingerprint;
use crate::jwks::VerificationKey;
use crate::pem;
use crate::spiffe::TrustDomain;

/// The keys of one trust domain. An empty one is of use: it says that nothing of the trust domain is to be trusted
/// (standard, section 4.1.3).
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    trust_domain: TrustDomain,
    roots: BTreeSet<Root>,
    jwt_keys: BTreeMap<String, VerificationKey>,
    /// Grows whenever the content changes (section 4.1.1). Whoever publishes the bundle sets it.
    pub sequence: Option<u64>,
    /// How often consumers should look for a new one, in seconds (section 4.1.2).
    pub refresh_hint: Option<u64>,
}

/// Why a text is no list of authorities.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum PemError {
    /// A section is damaged.
    #[error("damaged PEM after {0} certificates: {1}")]
    Damaged(usize, String),
    /// A certificate is not that of a CA.
    #[error("certificate {0} (from 0): {1}")]
    Root(usize, RootError),
}

impl Bundle {
    /// An empty bundle.
    pub fn new(trust_domain: TrustDomain) -> Self {
        Self {
            trust_domain,
            roots: BTreeSet::new(),
            jwt_keys: BTreeMap::new(),
            sequence: None,
            refresh_hint: None,
        }
    }

    /// Whose keys these are.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The X.509 authorities, each once, in the order in which they begin to be valid.
    pub fn roots(&self) -> impl Iterator<Item = &Root> {
        self.roots.iter()
    }

    /// The keys that verify JWT-SVIDs, in the order of their identifiers.
    pub fn jwt_keys(&self) -> impl Iterator<Item = &VerificationKey> {
        self.jwt_keys.values()
    }

    /// Adds an X.509 authority. Returns whether it is new.
    pub fn add_root(&mut self, root: Root) -> bool {
        self.roots.insert(root)
    }

    /// Takes an X.509 authority out. Returns whether it was there.
    pub fn remove_root(&mut self, fingerprint: Fingerprint) -> bool {
        let before = self.roots.len();
        self.roots.retain(|root| root.fingerprint() != fingerprint);
        self.roots.len() < before
    }

    /// Adds a key that verifies JWT-SVIDs, in the place of one with the same identifier. Without an identifier, or with a type
    /// of key that the JWT-SVID standard does not have (section 2.1), it cannot be added. Returns whether it was.
    pub fn add_jwt_key(&mut self, key: VerificationKey) -> bool {
        match key.id() {
            Some(id)
                if key
                    .algorithms
                    .iter()
                    .any(|algorithm| crate::jwt_svid::ALGORITHMS.contains(algorithm)) =>
            {
                self.jwt_keys.insert(id.to_owned(), key);
                true
            }
            _ => false,
        }
    }

    /// Takes a key that verifies JWT-SVIDs out. Returns whether it was there.
    pub fn remove_jwt_key(&mut self, id: &str) -> bool {
        self.jwt_keys.remove(id).is_some()
    }

    /// Adds the CA certificates of a PEM text. Returns how many are new. If one cannot be used, none is added.
    ///
    /// # Errors
    ///
    /// If the text is damaged, or one of its certificates is not that of a CA.
    pub fn add_pem(&mut self, text: &[u8]) -> Result<usize, PemError> {
        let mut roots = Vec::new();
        for certificate in pem::certificates(text) {
            let at = roots.len();
            let certificate: CertificateDer<'static> =
                certificate.map_err(|error| PemError::Damaged(at, error.to_string()))?;
            roots.push(Root::read(certificate).map_err(|error| PemError::Root(at, error))?);
        }
        Ok(roots.into_iter().map(|root| usize::from(self.add_root(root))).sum())
    }

    /// The X.509 authorities as PEM.
    pub fn to_pem(&self) -> String {
        self.roots
            .iter()
            .map(|root| pem::certificate(root.certificate()))
            .collect()
    }
}
