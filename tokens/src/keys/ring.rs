//! The keys of an issuer, as requests use them.

use std::sync::Arc;

use countersign_identity::KeySet;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::document::{Damaged, Document};
use super::schedule;
use super::signing::{KeyError, SigningKey};

/// Why what is kept cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// It is damaged.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// A key is none.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The keys of an issuer.
pub struct Ring {
    document: Document,
    keys: Vec<Arc<SigningKey>>,
    verify: KeySet,
    jwks: String,
    nonce_key: Zeroizing<Vec<u8>>,
}

impl Ring {
    /// From what is kept.
    ///
    /// # Errors
    ///
    /// If it is damaged.
    pub fn read(document: Document) -> Result<Self, RingError> {
        let mut keys = Vec::new();
        for kept in &document.keys {
            keys.push(Arc::new(SigningKey::read(kept.algorithm.into(), &kept.private()?)?));
        }
        let public: Vec<Value> = keys.iter().map(|key| Value::Object(key.public().clone())).collect();
        let jwks = json!({"keys": public}).to_string();
        Ok(Self {
            verify: KeySet::parse(&jwks).map_err(|_| Damaged)?,
            nonce_key: document.nonce_key()?,
            document,
            keys,
            jwks,
        })
    }

    /// The key that signs now. By the time alone, so that all replicas turn at once.
    pub fn signing(&self, now: i64) -> Option<&Arc<SigningKey>> {
        self.keys.get(schedule::signing(&self.document.keys, now)?)
    }

    /// The keys that verify what this issuer signed.
    pub fn verify(&self) -> &KeySet {
        &self.verify
    }

    /// The published key set (RFC 7517 section 5).
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// What nonces are made with.
    pub fn nonce_key(&self) -> &[u8] {
        &self.nonce_key
    }

    /// The keys and when they turn, oldest first.
    pub fn turns(&self) -> impl Iterator<Item = (&SigningKey, &super::document::KeptKey)> {
        self.keys.iter().map(Arc::as_ref).zip(&self.document.keys)
    }

    /// What it was read from.
    pub fn document(&self) -> &Document {
        &self.document
    }
}
