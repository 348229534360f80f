//! JWS in compact form (RFC 7515 section 7.1), read without any leniency: what clients and partners sign for the token
//! service. Tokens that proxies verify as well are read by [`crate::token`], as leniently as proxies do.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::json;
use crate::jwks::VerificationKey;

/// The longest text that is read, in bytes.
pub const LONGEST: usize = 16 * 1024;
/// The longest `kid` that is looked for, in bytes.
const LONGEST_KEY_ID: usize = 256;
/// How many keys without a `kid` to tell them apart are tried: each costs a verification.
const MOST_CANDIDATES: usize = 16;

/// Why a JWS is not valid: the first rule that it breaks.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JwsError {
    /// It is too long to be read.
    #[error("longer than {LONGEST} bytes")]
    TooLong,
    /// It is not three parts in base64url, without padding and without bits that are left over.
    #[error("not a JWS in compact form: three parts in base64url without padding, separated by dots")]
    Form,
    /// Its header is not an object, or has a member twice.
    #[error("its header is not a JSON object in which each member is there once")]
    Header,
    /// Its payload is not an object, or has a member twice.
    #[error("its claims are not a JSON object in which each member is there once")]
    Claims,
    /// It has extensions that must be understood, and none is (RFC 7515 section 4.1.11).
    #[error("its header has `crit`: no extension is understood here, so sign without one")]
    Critical,
    /// Its `alg` is not one of those that are allowed (RFC 8725 section 3.1).
    #[error("its `alg` is not one that is allowed here")]
    Algorithm,
    /// Its `kid` is not a text of a usable length.
    #[error("its `kid` is not a text of 1 to {LONGEST_KEY_ID} bytes")]
    KeyId,
    /// No key fits its `kid` and `alg`.
    #[error("no key fits its `kid` and `alg`")]
    NoKey,
    /// The signature is wrong.
    #[error("its signature is wrong")]
    Signature,
}

/// A JWS whose form is right. Whether its signature is, [`Jws::check_signature`] says.
pub struct Jws<'a> {
    header: Map<String, Value>,
    payload: Vec<u8>,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Takes it apart.
    ///
    /// # Errors
    ///
    /// If it is too long, not three parts in base64url, its header is not an object or has a member twice, or names
    /// extensions in `crit`.
    pub fn parse(text: &'a str) -> Result<Self, JwsError> {
        if text.len() > LONGEST {
            return Err(JwsError::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(JwsError::Form)?;
        let (header, payload) = signed.split_once('.').ok_or(JwsError::Form)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| JwsError::Form);
        let jws = Self {
            header: json::object(&decode(header)?).ok_or(JwsError::Header)?,
            payload: decode(payload)?,
            signed,
            signature: decode(signature)?,
        };
        if jws.header.contains_key("crit") {
            return Err(JwsError::Critical);
        }
        Ok(jws)
    }

    /// Its protected header.
    pub fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    /// What was signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The payload as claims of a JWT (RFC 7519 section 7.2).
    ///
    /// # Errors
    ///
    /// If it is not an object, or has a member twice.
    pub fn claims(&self) -> Result<Map<String, Value>, JwsError> {
        json::object(&self.payload).ok_or(JwsError::Claims)
    }

    /// Its algorithm, if it is one of those that are allowed.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn algorithm(&self, allowed: &[Algorithm]) -> Result<Algorithm, JwsError> {
        self.header
            .get("alg")
            .and_then(Value::as_str)
            .and_then(|name| name.parse().ok())
            .filter(|algorithm| allowed.contains(algorithm))
            .ok_or(JwsError::Algorithm)
    }

    /// Checks its signature with the key that its `kid` names, or without one with each key that fits its `alg`. Keys in its
    /// header (`jwk`, `jku`, `x5c`, `x5u`) are never used (RFC 8725 section 3.10).
    ///
    /// # Errors
    ///
    /// With the first rule that it breaks.
    pub fn check_signature<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k VerificationKey>,
        allowed: &[Algorithm],
    ) -> Result<Algorithm, JwsError> {
        let algorithm = self.algorithm(allowed)?;
        let id = match self.header.get("kid") {
            None => None,
            Some(Value::String(id)) if (1..=LONGEST_KEY_ID).contains(&id.len()) => Some(id.as_str()),
            Some(_) => return Err(JwsError::KeyId),
        };
        // A key without a `kid` may be meant by any. One with another is not.
        let mut candidates = keys
            .into_iter()
            .filter(|key| id.is_none() || key.id.is_none() || key.id.as_deref() == id)
            .filter(|key| key.algorithms.contains(&algorithm.primitive()))
            .take(MOST_CANDIDATES)
            .peekable();
        if candidates.peek().is_none() {
            return Err(JwsError::NoKey);
        }
        if candidates.any(|key| self.is_signed_by(key, algorithm)) {
            Ok(algorithm)
        } else {
            Err(JwsError::Signature)
        }
    }

    /// Checks its signature with one key, whatever its `kid` says.
    ///
    /// # Errors
    ///
    /// If its `alg` is not allowed or does not fit the key, or the signature is wrong.
    pub fn check_signature_with(&self, key: &VerificationKey, allowed: &[Algorithm]) -> Result<Algorithm, JwsError> {
        let algorithm = self.algorithm(allowed)?;
        if !key.algorithms.contains(&algorithm.primitive()) {
            return Err(JwsError::NoKey);
        }
        if self.is_signed_by(key, algorithm) {
            Ok(algorithm)
        } else {
            Err(JwsError::Signature)
        }
    }

    fn is_signed_by(&self, key: &VerificationKey, algorithm: Algorithm) -> bool {
        (DEFAULT_PROVIDER.verifier_factory)(&algorithm.primitive(), &key.key)
            .is_ok_and(|verifier| verifier.verify(self.signed.as_bytes(), &self.signature).is_ok())
    }
}
