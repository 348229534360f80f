//! One key.

use std::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use countersign_identity::KeySet;
use countersign_policy::tokens::SigningAlgorithm;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

/// Why a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It could not be made.
    #[error("a signing key could not be made")]
    Generate,
    /// What is kept is no key.
    #[error("what is kept is no private key in PKCS #8 of its algorithm")]
    Unreadable,
    /// It could not sign.
    #[error("a token could not be signed")]
    Sign,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

/// A private key with its public one. It is never shown.
pub struct SigningKey {
    algorithm: SigningAlgorithm,
    id: String,
    public: Map<String, Value>,
    pair: Pair,
}

/// Without the private part.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The name of an algorithm in a JWS header (RFC 7518 section 3.1, RFC 8037 section 3.1).
pub fn name(algorithm: SigningAlgorithm) -> &'static str {
    match algorithm {
        SigningAlgorithm::Es256 => "ES256",
        SigningAlgorithm::EdDsa => "EdDSA",
        SigningAlgorithm::Rs256 => "RS256",
        SigningAlgorithm::Ps256 => "PS256",
    }
}

/// Makes a private key, in PKCS #8.
///
/// # Errors
///
/// If there is no randomness.
pub fn generate(algorithm: SigningAlgorithm) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let random = SystemRandom::new();
    let failed = |_| KeyError::Generate;
    let der = match algorithm {
        SigningAlgorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map_err(failed)?
            .as_ref()
            .to_vec(),
        SigningAlgorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random)
            .map_err(failed)?
            .as_ref()
            .to_vec(),
        SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa3072).map_err(failed)?;
            let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
            der.as_ref().to_vec()
        }
    };
    Ok(Zeroizing::new(der))
}

impl SigningKey {
    /// Reads a private key in PKCS #8. Its identifier is its thumbprint (RFC 7638), so that no two keys share one.
    ///
    /// # Errors
    ///
    /// If it is none of the algorithm.
    pub fn read(algorithm: SigningAlgorithm, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let wrong = |_| KeyError::Unreadable;
        let (pair, mut public) = match algorithm {
            SigningAlgorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map_err(wrong)?;
                let public = ec_public(pair.public_key().as_ref())?;
                (Pair::Ecdsa(pair), public)
            }
            SigningAlgorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(wrong)?;
                let x = BASE64URL.encode(pair.public_key().as_ref());
                (Pair::Ed25519(pair), json!({"kty": "OKP", "crv": "Ed25519", "x": x}))
            }
            SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 => {
                let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(wrong)?;
                let public = rsa_public(&pair);
                (Pair::Rsa(Box::new(pair)), public)
            }
        };
        let id = thumbprint(&public).ok_or(KeyError::Unreadable)?;
        public["alg"] = name(algorithm).into();
        public["use"] = "sig".into();
        public["kid"] = id.as_str().into();
        let Value::Object(public) = public else {
            return Err(KeyError::Unreadable);
        };
        Ok(Self {
            algorithm,
            id,
            public,
            pair,
        })
    }

    /// Its identifier (`kid`).
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it signs by.
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// Its public part, as a JWK (RFC 7517).
    pub fn public(&self) -> &Map<String, Value> {
        &self.public
    }

    /// Signs claims as a JWT of this type (`typ`), in compact form (RFC 7515 section 7.1).
    ///
    /// # Errors
    ///
    /// If there is no randomness.
    pub fn sign(&self, kind: &str, claims: &str) -> Result<String, KeyError> {
        let header = format!(
            r#"{{"alg":"{}","typ":"{kind}","kid":"{}"}}"#,
            name(self.algorithm),
            self.id
        );
        let mut token = String::with_capacity((header.len() + claims.len()) * 4 / 3 + 100);
        BASE64URL.encode_string(header, &mut token);
        token.push('.');
        BASE64URL.encode_string(claims, &mut token);
        let signature = self.signature(token.as_bytes())?;
        token.push('.');
        BASE64URL.encode_string(signature, &mut token);
        Ok(token)
    }

    fn signature(&self, signed: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ecdsa(pair) => {
                let signature = pair.sign(&random, signed).map_err(|_| KeyError::Sign)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.sign(signed).as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let padding = match self.algorithm {
                    SigningAlgorithm::Ps256 => &RSA_PSS_SHA256,
                    _ => &RSA_PKCS1_SHA256,
                };
                pair.sign(padding, &random, signed, &mut signature)
                    .map_err(|_| KeyError::Sign)?;
                Ok(signature)
            }
        }
    }
}

/// An uncompressed point on P-256 (SEC 1 section 2.3.3).
fn ec_public(point: &[u8]) -> Result<Value, KeyError> {
    let Some((4, coordinates)) = point.split_first().map(|(first, rest)| (*first, rest)) else {
        return Err(KeyError::Unreadable);
    };
    if coordinates.len() != 64 {
        return Err(KeyError::Unreadable);
    }
    let (x, y) = coordinates.split_at(32);
    Ok(json!({"kty": "EC", "crv": "P-256", "x": BASE64URL.encode(x), "y": BASE64URL.encode(y)}))
}

fn rsa_public(pair: &RsaKeyPair) -> Value {
    let key = pair.public_key();
    let n = key.modulus().big_endian_without_leading_zero();
    let e = key.exponent().big_endian_without_leading_zero();
    json!({"kty": "RSA", "n": BASE64URL.encode(n), "e": BASE64URL.encode(e)})
}

fn thumbprint(public: &Value) -> Option<String> {
    let keys = KeySet::parse(&json!({"keys": [public]}).to_string()).ok()?;
    keys.keys()
        .first()
        .map(countersign_identity::jwks::VerificationKey::thumbprint)
}

/// Random bytes, for identifiers and handles.
///
/// # Errors
///
/// If there is no randomness.
pub fn random<const N: usize>(source: &dyn SecureRandom) -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    source.fill(&mut bytes).map_err(|_| KeyError::Generate)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use countersign_identity::{KeySet, token};
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(SigningAlgorithm::Es256)]
    #[case(SigningAlgorithm::EdDsa)]
    #[case(SigningAlgorithm::Rs256)]
    #[case(SigningAlgorithm::Ps256)]
    fn what_a_key_signs_its_public_part_verifies(#[case] algorithm: SigningAlgorithm) {
        let key = SigningKey::read(algorithm, &generate(algorithm).unwrap()).unwrap();
        let token = key.sign("at+jwt", r#"{"iss":"https://issuer","exp":1000}"#).unwrap();
        let keys = KeySet::parse(&json!({"keys": [key.public()]}).to_string()).unwrap();
        token::verify(&token, "https://issuer", &keys, 900).unwrap();
        let other = SigningKey::read(algorithm, &generate(algorithm).unwrap()).unwrap();
        let keys = KeySet::parse(&json!({"keys": [other.public()]}).to_string()).unwrap();
        assert!(token::verify(&token, "https://issuer", &keys, 900).is_err());
        assert_ne!(key.id(), other.id());
    }

    #[test]
    fn a_key_of_another_algorithm_is_refused() {
        let key = generate(SigningAlgorithm::EdDsa).unwrap();
        assert_eq!(
            SigningKey::read(SigningAlgorithm::Es256, &key).unwrap_err(),
            KeyError::Unreadable
        );
    }
}
