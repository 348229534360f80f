//! How an issuer's keys are kept: one entry of a Secret, written whole.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_policy::tokens::SigningAlgorithm;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// All that is kept of the keys of an issuer.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Document {
    /// The keys, oldest first.
    pub keys: Vec<KeptKey>,
    /// What nonces for proofs of possession are made with, so that every replica knows the others' (base64).
    pub nonce_key: String,
    /// The value of the annotation that last asked for a rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated_for: Option<String>,
}

/// A key, and when what happens to it, in seconds since 1970.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeptKey {
    /// What it signs by: a name of RFC 7518.
    pub algorithm: Algorithm,
    /// The private key, in PKCS #8 (base64).
    pub private: String,
    /// When it was made, and so published.
    pub made: i64,
    /// From when on it signs: verifiers have had the time to fetch it.
    pub signs_from: i64,
    /// When another took its place; none while none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<i64>,
}

/// [`SigningAlgorithm`], as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names of RFC 7518 and RFC 8037")]
pub enum Algorithm {
    ES256,
    EdDSA,
    RS256,
    PS256,
}

impl From<SigningAlgorithm> for Algorithm {
    fn from(algorithm: SigningAlgorithm) -> Self {
        match algorithm {
            SigningAlgorithm::Es256 => Self::ES256,
            SigningAlgorithm::EdDsa => Self::EdDSA,
            SigningAlgorithm::Rs256 => Self::RS256,
            SigningAlgorithm::Ps256 => Self::PS256,
        }
    }
}

impl From<Algorithm> for SigningAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::ES256 => Self::Es256,
            Algorithm::EdDSA => Self::EdDsa,
            Algorithm::RS256 => Self::Rs256,
            Algorithm::PS256 => Self::Ps256,
        }
    }
}

/// What is kept cannot be read. It is told without what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its entry is damaged: put it back from a backup, or take it out of the Secret to begin with new keys")]
pub struct Damaged;

impl Document {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// If it is damaged.
    pub fn read(json: &[u8]) -> Result<Self, Damaged> {
        serde_json::from_slice(json).map_err(|_| Damaged)
    }

    /// As it is kept.
    pub fn write(&self) -> Zeroizing<Vec<u8>> {
        // A struct of texts and numbers always becomes JSON.
        Zeroizing::new(serde_json::to_vec(self).unwrap_or_default())
    }

    /// What nonces are made with.
    pub fn nonce_key(&self) -> Result<Zeroizing<Vec<u8>>, Damaged> {
        let key = STANDARD.decode(&self.nonce_key).map_err(|_| Damaged)?;
        if key.len() < 32 {
            return Err(Damaged);
        }
        Ok(Zeroizing::new(key))
    }
}

impl KeptKey {
    /// The private key.
    pub fn private(&self) -> Result<Zeroizing<Vec<u8>>, Damaged> {
        STANDARD.decode(&self.private).map(Zeroizing::new).map_err(|_| Damaged)
    }
}
