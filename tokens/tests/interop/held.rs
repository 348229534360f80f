//! What clients hold: keys, certificates and secrets, made for each test.

use argon2::Argon2;
use argon2::password_hash::PasswordHasher as _;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use pem::Pem;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::rig::{Rig, unique};

/// A key of a client, as programs read them.
pub struct Key {
    /// The name of its algorithm.
    pub algorithm: &'static str,
    /// PKCS #8 in PEM.
    pub pem: String,
    /// The public key in a JWK Set.
    pub jwks: String,
    signs: (EncodingKey, Algorithm),
}

/// What its `kid` is.
pub const KEY_ID: &str = "one";

impl Key {
    /// A new one, of the algorithm with this name.
    pub fn new(name: &'static str) -> Self {
        let (kind, algorithm) = match name {
            "ES256" => (Some(&rcgen::PKCS_ECDSA_P256_SHA256), Algorithm::ES256),
            "PS256" => (Some(&rcgen::PKCS_RSA_SHA256), Algorithm::PS256),
            "EdDSA" => (None, Algorithm::EdDSA),
            other => panic!("no such algorithm: {other}"),
        };
        let pem = if let Some(kind) = kind {
            KeyPair::generate_for(kind).unwrap().serialize_pem()
        } else {
            // Without the public key in it, which some libraries do not read (RFC 5958 section 2, version 1).
            let pair = Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap();
            pem::encode(&Pem::new("PRIVATE KEY", pair.as_ref()))
        };
        let key = match algorithm {
            Algorithm::ES256 => EncodingKey::from_ec_pem(pem.as_bytes()),
            Algorithm::EdDSA => EncodingKey::from_ed_pem(pem.as_bytes()),
            _ => EncodingKey::from_rsa_pem(pem.as_bytes()),
        };
        let key = key.unwrap();
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let mut jwk = Jwk::from_encoding_key(&key, algorithm).unwrap();
        jwk.common.key_id = Some(KEY_ID.to_owned());
        Self {
            algorithm: name,
            pem,
            jwks: json!({"keys": [jwk]}).to_string(),
            signs: (key, algorithm),
        }
    }

    /// What a client states about itself for a grant (RFC 7523 section 2.1).
    pub fn statement(&self, rig: &Rig, client: &str) -> String {
        let mut header = Header::new(self.signs.1);
        header.kid = Some(KEY_ID.to_owned());
        jsonwebtoken::encode(&header, &rig.assertion_claims(client), &self.signs.0).unwrap()
    }
}

/// A certificate that nobody vouches for, with its key, in PEM; and its thumbprint (RFC 8705 section 2.2).
pub fn self_signed() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["partner.example".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let thumbprint = BASE64URL.encode(Sha256::digest(certificate.der()));
    (certificate.pem() + &key.serialize_pem(), thumbprint)
}

/// A secret, and the hash of it that is kept.
pub fn secret() -> (String, Value) {
    let secret = BASE64URL.encode(unique());
    let hash = Argon2::default().hash_password(secret.as_bytes()).unwrap().to_string();
    let end = jiff::Timestamp::from_second(countersign_runtime::clock::now().as_second() + 86_400).unwrap();
    let kept = json!({"hash": hash, "notAfter": end.to_string()});
    (secret, kept)
}
