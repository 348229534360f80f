//! Issuers that sign tokens, with keys made at run time. For tests only: the feature `testing` brings it in.
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "tests want to fail at once"
)]

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

/// A key that signs, with its `kid`.
#[derive(Clone)]
pub struct SigningKey {
    /// The key's identifier.
    pub id: String,
    /// The algorithm it signs with.
    pub algorithm: Algorithm,
    key: EncodingKey,
}

impl SigningKey {
    /// A fresh key. Algorithms: ES256, ES384, `EdDSA`, and those of RSA.
    pub fn generate(id: &str, algorithm: Algorithm) -> Self {
        let _ = DEFAULT_PROVIDER.install_default();
        let key = match algorithm {
            Algorithm::ES256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a P-256 key");
                EncodingKey::from_ec_der(pair.to_pkcs8v1().expect("PKCS#8").as_ref())
            }
            Algorithm::ES384 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a P-384 key");
                EncodingKey::from_ec_der(pair.to_pkcs8v1().expect("PKCS#8").as_ref())
            }
            Algorithm::EdDSA => {
                let pair = Ed25519KeyPair::generate().expect("an Ed25519 key");
                EncodingKey::from_ed_der(pair.to_pkcs8v1().expect("PKCS#8").as_ref())
            }
            _ => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key");
                let der: Pkcs8V1Der = pair.as_der().expect("PKCS#8");
                let label = "PRIVATE KEY";
                let pem = format!(
                    "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
                    STANDARD.encode(der.as_ref())
                );
                EncodingKey::from_rsa_pem(pem.as_bytes()).expect("PEM")
            }
        };
        Self {
            id: id.to_owned(),
            algorithm,
            key,
        }
    }

    /// The public key as a JWK.
    pub fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).expect("a JWK");
        jwk.common.key_id = Some(self.id.clone());
        serde_json::to_value(jwk).expect("JSON")
    }

    /// The public keys of several keys, as a JWK Set.
    pub fn jwks(keys: &[&Self]) -> String {
        json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() }).to_string()
    }

    /// A token with these claims and the header that goes with the key.
    pub fn token(&self, claims: &Value) -> String {
        let header = json!({ "alg": format!("{:?}", self.algorithm), "typ": "at+jwt", "kid": self.id });
        self.token_with_header(&header, claims)
    }

    /// A token with a header of one's own, also one that does not go with the key.
    pub fn token_with_header(&self, header: &Value, claims: &Value) -> String {
        self.sign(&header.to_string(), claims.to_string().as_bytes())
    }

    /// An assertion (RFC 7523) with these claims.
    pub fn assertion(&self, claims: &Value) -> String {
        let header = json!({ "alg": format!("{:?}", self.algorithm), "typ": "JWT", "kid": self.id });
        self.token_with_header(&header, claims)
    }

    /// A `DPoP` proof (RFC 9449) with these claims, and the public key in its header.
    pub fn dpop_proof(&self, claims: &Value) -> String {
        let header = json!({ "alg": format!("{:?}", self.algorithm), "typ": "dpop+jwt", "jwk": self.jwk() });
        self.token_with_header(&header, claims)
    }

    /// A JWS of just these bytes, also of what is no JSON.
    pub fn sign(&self, header: &str, payload: &[u8]) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let key = (DEFAULT_PROVIDER.signer_factory)(&self.algorithm, &self.key).expect("a signer");
        format!(
            "{signed}.{}",
            URL_SAFE_NO_PAD.encode(key.try_sign(signed.as_bytes()).expect("a signature"))
        )
    }
}

/// A token with `alg: none` and no signature (RFC 7519 section 6).
pub fn unsigned_token(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(&json!({ "alg": "none", "typ": "JWT" })), part(claims))
}

/// A token with a shared secret: what an attacker makes who takes a public key for one.
pub fn hmac_token(secret: &[u8], key_id: &str, claims: &Value) -> String {
    let key = SigningKey {
        id: key_id.to_owned(),
        algorithm: Algorithm::HS256,
        key: EncodingKey::from_secret(secret),
    };
    key.token(claims)
}
