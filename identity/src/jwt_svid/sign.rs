//! Making JWT-SVIDs.

use aws_lc_rs::rand::SecureRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::jwks::VerificationKey;
use crate::spiffe::SpiffeId;

/// Why a JWT-SVID was not made.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum JwtSignerError {
    /// The key cannot be used.
    #[error("not a private EC key on P-256 or P-384 in PKCS#8")]
    Key,
    /// The key has no name.
    #[error("a key for JWT-SVIDs needs an identifier (`kid`)")]
    NoKeyId,
    /// The subject is not a workload.
    #[error("a JWT-SVID is for a workload: its SPIFFE ID must have a path")]
    NoPath,
    /// It would be for nobody, or for a name that is empty.
    #[error("a JWT-SVID needs an audience, and none that is empty")]
    NoAudience,
    /// It would not be valid at all, or end beyond all time.
    #[error("a JWT-SVID must be valid for at least a second, and end within the calendar")]
    Lifetime,
    /// It would have no identifier.
    #[error("a JWT-SVID needs an identifier (`jti`), so that it can be found again")]
    NoTokenId,
    /// The key could not sign.
    #[error("the signature could not be made")]
    Signature,
}

/// A key that signs JWT-SVIDs, with its identifier.
pub struct JwtSigner {
    id: String,
    algorithm: &'static str,
    key: EcdsaKeyPair,
}

/// Without the key.
impl std::fmt::Debug for JwtSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JwtSigner")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl JwtSigner {
    /// Takes a private key in PKCS#8 (RFC 5958): EC on P-256, which signs with ES256, or on P-384, with ES384.
    ///
    /// # Errors
    ///
    /// If it is another key, or the identifier is empty.
    pub fn from_pkcs8(id: &str, key: &[u8]) -> Result<Self, JwtSignerError> {
        if id.is_empty() {
            return Err(JwtSignerError::NoKeyId);
        }
        let (algorithm, key) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key)
            .map(|key| ("ES256", key))
            .or_else(|_| EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, key).map(|key| ("ES384", key)))
            .map_err(|_| JwtSignerError::Key)?;
        Ok(Self {
            id: id.to_owned(),
            algorithm,
            key,
        })
    }

    /// The identifier (`kid`).
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public key, for the bundle.
    ///
    /// # Errors
    ///
    /// If the key is not what it was taken for.
    pub fn verification_key(&self) -> Result<VerificationKey, JwtSignerError> {
        let (curve, size) = if self.algorithm == "ES256" {
            ("P-256", 32)
        } else {
            ("P-384", 48)
        };
        let point = self.key.public_key().as_ref();
        let coordinates = point.strip_prefix(&[4]).filter(|xy| xy.len() == 2 * size);
        let (x, y) = coordinates.ok_or(JwtSignerError::Key)?.split_at(size);
        let jwk = json!({
            "kty": "EC", "crv": curve, "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
            "alg": self.algorithm, "kid": self.id,
        });
        let Value::Object(jwk) = jwk else {
            return Err(JwtSignerError::Key);
        };
        VerificationKey::read(&jwk).map_err(|_| JwtSignerError::Key)
    }

    /// Makes a token for a workload. Few audiences are better than many: each of them can use the token with the others
    /// (section 7.2). The same holds for its lifetime (section 3.3). `token_id` is its `jti` (RFC 7519 section 4.1.7), and must
    /// differ from token to token.
    ///
    /// # Errors
    ///
    /// If the token would not be valid.
    pub fn sign(
        &self,
        id: &SpiffeId,
        audiences: &[&str],
        lifetime: SignedDuration,
        now: Timestamp,
        token_id: &str,
        random: &dyn SecureRandom,
    ) -> Result<String, JwtSignerError> {
        if !id.has_path() {
            return Err(JwtSignerError::NoPath);
        }
        if audiences.is_empty() || audiences.contains(&"") {
            return Err(JwtSignerError::NoAudience);
        }
        if token_id.is_empty() {
            return Err(JwtSignerError::NoTokenId);
        }
        let expires = now.checked_add(lifetime).map_err(|_| JwtSignerError::Lifetime)?;
        if expires.as_second() <= now.as_second() {
            return Err(JwtSignerError::Lifetime);
        }
        let header = json!({ "alg": self.algorithm, "kid": self.id, "typ": "JWT" });
        let claims = json!({
            "sub": id.to_string(), "aud": audiences, "iat": now.as_second(), "exp": expires.as_second(),
            "jti": token_id,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self
            .key
            .sign(random, signed.as_bytes())
            .map_err(|_| JwtSignerError::Signature)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref())))
    }
}
