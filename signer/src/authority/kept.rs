//! What is kept of an authority, and how it is written down: the data of one Secret.

use std::collections::BTreeMap;

use countersign_identity::jwks::VerificationKey;
use countersign_identity::jwt_svid::JwtSigner;
use countersign_identity::{Bundle, Fingerprint, TrustDomain, bundle::Root as TrustedRoot, pem};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use rcgen::PublicKeyData as _;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::Zeroize as _;

use super::rotation::{JwtKey, Stage, State};
use super::{Authority, CaKey};

/// The form that is written and read.
const VERSION: u32 = 1;
const STATE: &str = "state.json";
const CHAIN: &str = "intermediate.crt";
const KEY: &str = "intermediate.key";
/// The public parts of the keys of JWT-SVIDs, in the SPIFFE bundle format.
const JWT_KEYS: &str = "jwt-keys.json";

/// Why what is kept cannot be used. Nothing of it is quoted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// An entry is missing.
    #[error("it has no entry {0}")]
    Missing(String),
    /// The state cannot be read.
    #[error("its entry {STATE} is not what this version of the signer writes")]
    State,
    /// It was written by a later version.
    #[error(
        "its entry {STATE} is of version {0}, and this signer knows version {VERSION}: install the newer one again"
    )]
    Version(u32),
    /// It belongs to another trust domain.
    #[error("it holds the authority of the trust domain {0}, and the signer is set to another")]
    TrustDomain(String),
    /// A certificate or a key cannot be read.
    #[error("its entry {0} is damaged")]
    Damaged(String),
    /// Two entries do not belong together.
    #[error("its entries {0} and {1} do not belong together")]
    Apart(String, String),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    version: u32,
    trust_domain: String,
    state: State,
}

/// What is kept of an authority. Copies share their keys.
#[derive(Clone, Debug)]
pub struct Kept {
    pub(super) trust_domain: TrustDomain,
    pub(super) state: State,
    pub(super) roots: BTreeMap<String, CertificateDer<'static>>,
    pub(super) root_keys: BTreeMap<String, CaKey>,
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: Option<CaKey>,
    pub(super) jwt_public: BTreeMap<String, VerificationKey>,
    pub(super) jwt_keys: BTreeMap<String, CaKey>,
}

impl Kept {
    /// Nothing yet.
    pub fn new(trust_domain: TrustDomain) -> Self {
        Self {
            trust_domain,
            state: State::default(),
            roots: BTreeMap::new(),
            root_keys: BTreeMap::new(),
            chain: Vec::new(),
            key: None,
            jwt_public: BTreeMap::new(),
            jwt_keys: BTreeMap::new(),
        }
    }

    /// The trust domain.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// Where roots and intermediates stand.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Its roots, and what signs below them, each by what it is.
    pub(super) fn certificates(&self) -> impl Iterator<Item = (&'static str, &CertificateDer<'static>)> {
        let roots = self.roots.values().map(|root| ("root", root));
        roots.chain(self.chain.iter().map(|below| ("intermediate", below)))
    }

    /// What certificates are signed with; none if there is no intermediate.
    pub fn authority(&self) -> Option<Authority> {
        let root = self.state.root(&self.state.signing.as_ref()?.under)?;
        let authority = Authority::new(self.chain.clone(), self.key.clone()?).ok()?;
        Some(authority.until(root.ends))
    }

    /// What JWT-SVIDs are signed with, and until when; none if there is no key.
    pub fn jwt_signer(&self) -> Option<(JwtSigner, Timestamp)> {
        self.state.jwt_keys.iter().find_map(|key| match key.stage {
            Stage::Active { ends, .. } => {
                let signer = JwtSigner::from_pkcs8(&key.id, self.jwt_keys.get(&key.id)?.der()).ok()?;
                Some((signer, ends))
            }
            _ => None,
        })
    }

    fn jwt_bundle(&self) -> Bundle {
        let mut bundle = Bundle::new(self.trust_domain.clone());
        for key in self.jwt_public.values() {
            bundle.add_jwt_key(key.clone());
        }
        bundle
    }

    /// The roots and the keys of JWT-SVIDs, for those who verify.
    pub fn bundle(&self) -> Bundle {
        let mut bundle = self.jwt_bundle();
        bundle.sequence = (self.state.sequence > 0).then_some(self.state.sequence);
        bundle.refresh_hint = (self.state.refresh_hint > 0).then_some(self.state.refresh_hint);
        for certificate in self.roots.values() {
            // Each was read before it was kept.
            if let Ok(root) = TrustedRoot::read(certificate.clone()) {
                bundle.add_root(root);
            }
        }
        bundle
    }

    /// Throws away what the state does not need: certificates of roots and public keys that are withdrawn, and keys that
    /// nothing is signed with any more.
    pub(super) fn tidy(&mut self) {
        let state = &self.state;
        if state.signing.is_none() {
            self.chain.clear();
            self.key = None;
        }
        self.roots.retain(|sha256, _| state.root(sha256).is_some());
        self.root_keys.retain(|sha256, _| state.needs_key(sha256));
        self.jwt_public.retain(|id, _| state.jwt_key(id).is_some());
        self.jwt_keys
            .retain(|id, _| state.jwt_key(id).is_some_and(JwtKey::needs_key));
    }

    /// The entries of the Secret.
    pub(super) fn write(&self) -> BTreeMap<String, ByteString> {
        let document = Document {
            version: VERSION,
            trust_domain: self.trust_domain.to_string(),
            state: self.state.clone(),
        };
        let mut entries = BTreeMap::new();
        let json = serde_json::to_vec(&document).unwrap_or_default();
        entries.insert(STATE.to_owned(), ByteString(json));
        for (sha256, certificate) in &self.roots {
            let text = pem::certificate(certificate).into_bytes();
            entries.insert(root_entry(sha256, "crt"), ByteString(text));
        }
        for (sha256, key) in &self.root_keys {
            entries.insert(root_entry(sha256, "key"), ByteString(key.to_pem().as_bytes().to_vec()));
        }
        if let Some(key) = &self.key {
            let chain: String = self.chain.iter().map(pem::certificate).collect();
            entries.insert(CHAIN.to_owned(), ByteString(chain.into_bytes()));
            entries.insert(KEY.to_owned(), ByteString(key.to_pem().as_bytes().to_vec()));
        }
        if !self.jwt_public.is_empty() {
            let text = self.jwt_bundle().to_jwks().into_bytes();
            entries.insert(JWT_KEYS.to_owned(), ByteString(text));
        }
        for (id, key) in &self.jwt_keys {
            entries.insert(jwt_entry(id), ByteString(key.to_pem().as_bytes().to_vec()));
        }
        entries
    }

    /// Reads the entries of the Secret.
    ///
    /// # Errors
    ///
    /// If anything is missing, damaged or does not fit. Then it must not be written over: the keys in it may be the only
    /// ones.
    pub(super) fn read(trust_domain: &TrustDomain, entries: &BTreeMap<String, ByteString>) -> Result<Self, Unreadable> {
        let entry = |name: &str| {
            let bytes = entries.get(name).map(|bytes| bytes.0.as_slice());
            bytes.ok_or_else(|| Unreadable::Missing(name.to_owned()))
        };
        let document = document(entry(STATE)?)?;
        if document.trust_domain != trust_domain.as_str() {
            return Err(Unreadable::TrustDomain(document.trust_domain));
        }
        let mut kept = Self::new(trust_domain.clone());
        kept.state = document.state;
        for root in &kept.state.roots {
            let name = root_entry(&root.sha256, "crt");
            let certificate = one_certificate(entry(&name)?).ok_or_else(|| Unreadable::Damaged(name.clone()))?;
            if Fingerprint::of(&certificate).to_string() != root.sha256
                || TrustedRoot::read(certificate.clone()).is_err()
            {
                return Err(Unreadable::Apart(name, STATE.to_owned()));
            }
            if kept.state.needs_key(&root.sha256) {
                let key_name = root_entry(&root.sha256, "key");
                let key = read_key(entry(&key_name)?, &key_name)?;
                if !belongs(&key, &certificate) {
                    return Err(Unreadable::Apart(name, key_name));
                }
                kept.root_keys.insert(root.sha256.clone(), key);
            }
            kept.roots.insert(root.sha256.clone(), certificate);
        }
        if let Some(signing) = &kept.state.signing {
            let damaged = |_| Unreadable::Damaged(CHAIN.to_owned());
            kept.chain = pem::certificates(entry(CHAIN)?)
                .collect::<Result<_, _>>()
                .map_err(damaged)?;
            let first = kept.chain.first().map(|first| Fingerprint::of(first).to_string());
            if first.as_ref() != Some(&signing.sha256) {
                return Err(Unreadable::Apart(CHAIN.to_owned(), STATE.to_owned()));
            }
            kept.key = Some(read_key(entry(KEY)?, KEY)?);
            if kept.authority().is_none() {
                return Err(Unreadable::Apart(CHAIN.to_owned(), KEY.to_owned()));
            }
        }
        kept.read_jwt_keys(&entry)?;
        Ok(kept)
    }

    fn read_jwt_keys<'a>(&mut self, entry: &impl Fn(&str) -> Result<&'a [u8], Unreadable>) -> Result<(), Unreadable> {
        if self.state.jwt_keys.is_empty() {
            // Before there was the first one, or written by a signer that had none.
            return Ok(());
        }
        let damaged = || Unreadable::Damaged(JWT_KEYS.to_owned());
        let text = std::str::from_utf8(entry(JWT_KEYS)?).map_err(|_| damaged())?;
        let received = Bundle::from_jwks(self.trust_domain.clone(), text).map_err(|_| damaged())?;
        for key in received.bundle.jwt_keys() {
            let id = key.id().unwrap_or_default().to_owned();
            self.jwt_public.insert(id, key.clone());
        }
        for key in &self.state.jwt_keys {
            let public = self
                .jwt_public
                .get(&key.id)
                .ok_or_else(|| Unreadable::Apart(JWT_KEYS.to_owned(), STATE.to_owned()))?;
            if !key.needs_key() {
                continue;
            }
            let name = jwt_entry(&key.id);
            let private = read_key(entry(&name)?, &name)?;
            let signer = JwtSigner::from_pkcs8(&key.id, private.der()).and_then(|signer| signer.verification_key());
            if signer.as_ref() != Ok(public) {
                return Err(Unreadable::Apart(name, JWT_KEYS.to_owned()));
            }
            self.jwt_keys.insert(key.id.clone(), private);
        }
        Ok(())
    }
}

/// Overwrites the values of entries: keys are among them.
pub(super) fn wipe(entries: &mut BTreeMap<String, ByteString>) {
    for bytes in entries.values_mut() {
        bytes.0.zeroize();
    }
}

fn document(json: &[u8]) -> Result<Document, Unreadable> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let Versioned { version } = serde_json::from_slice(json).map_err(|_| Unreadable::State)?;
    if version != VERSION {
        return Err(Unreadable::Version(version));
    }
    serde_json::from_slice(json).map_err(|_| Unreadable::State)
}

fn root_entry(sha256: &str, kind: &str) -> String {
    format!("root-{sha256}.{kind}")
}

fn jwt_entry(id: &str) -> String {
    format!("jwt-{id}.key")
}

/// The identifier of a key of JWT-SVIDs: it says which key it is, and nothing else.
pub(super) fn jwt_id(key: &CaKey) -> String {
    const LENGTH: usize = 16;
    let digest = Sha256::digest(key.der_bytes());
    super::hex(digest.get(..LENGTH).unwrap_or(&digest))
}

fn one_certificate(text: &[u8]) -> Option<CertificateDer<'static>> {
    let mut certificates = pem::certificates(text);
    let first = certificates.next()?.ok()?;
    certificates.next().is_none().then_some(first)
}

fn read_key(text: &[u8], name: &str) -> Result<CaKey, Unreadable> {
    CaKey::from_pem(text).map_err(|_| Unreadable::Damaged(name.to_owned()))
}

fn belongs(key: &CaKey, certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate)
        .is_ok_and(|(_, parsed)| parsed.public_key().subject_public_key.data.as_ref() == key.der_bytes())
}

#[cfg(test)]
mod tests;
