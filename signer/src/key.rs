//! The public key of a request: the one thing that is taken from it.

use std::fmt;

use aws_lc_rs::signature::{ECDSA_P521_SHA512_ASN1, UnparsedPublicKey};
use countersign_crds::service_identity::KeyAlgorithm;
use rcgen::{KeyPair, PublicKeyData, RsaKeySize, SignatureAlgorithm, SubjectPublicKeyInfo};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey as Parsed;
use x509_parser::x509::SubjectPublicKeyInfo as ParsedInfo;

/// The longest request that is read, in bytes: a hundred times that of an ordinary one.
pub const LONGEST_REQUEST: usize = 64 << 10;

/// Kinds of keys that certificates are made for, by the names that Kubernetes gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyType {
    /// On the curve P-256.
    EcdsaP256,
    /// On the curve P-384.
    EcdsaP384,
    /// On the curve P-521.
    EcdsaP521,
    /// Edwards curve 25519.
    Ed25519,
    /// RSA with a modulus of 3072 bits.
    Rsa3072,
    /// RSA with a modulus of 4096 bits.
    Rsa4096,
}

impl KeyType {
    /// The name, as in `keyType` of a `podCertificate` volume.
    pub fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ECDSAP256",
            Self::EcdsaP384 => "ECDSAP384",
            Self::EcdsaP521 => "ECDSAP521",
            Self::Ed25519 => "ED25519",
            Self::Rsa3072 => "RSA3072",
            Self::Rsa4096 => "RSA4096",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [
            Self::EcdsaP256,
            Self::EcdsaP384,
            Self::EcdsaP521,
            Self::Ed25519,
            Self::Rsa3072,
            Self::Rsa4096,
        ];
        all.into_iter().find(|kind| kind.name() == name)
    }

    /// Makes a key of this kind. RSA takes seconds.
    ///
    /// # Errors
    ///
    /// If the library cannot.
    pub fn generate(self) -> Result<KeyPair, rcgen::Error> {
        match self {
            Self::EcdsaP256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            Self::EcdsaP384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            Self::EcdsaP521 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512),
            Self::Ed25519 => KeyPair::generate_for(&rcgen::PKCS_ED25519),
            Self::Rsa3072 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_3072),
            Self::Rsa4096 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_4096),
        }
    }
}

impl From<KeyAlgorithm> for KeyType {
    fn from(algorithm: KeyAlgorithm) -> Self {
        match algorithm {
            KeyAlgorithm::EcdsaP256 => Self::EcdsaP256,
            KeyAlgorithm::EcdsaP384 => Self::EcdsaP384,
            KeyAlgorithm::EcdsaP521 => Self::EcdsaP521,
            KeyAlgorithm::Ed25519 => Self::Ed25519,
            KeyAlgorithm::Rsa3072 => Self::Rsa3072,
            KeyAlgorithm::Rsa4096 => Self::Rsa4096,
        }
    }
}

/// Why a key is not taken. Nothing of the request is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is too long.
    #[error("the request is longer than {LONGEST_REQUEST} bytes")]
    TooLong,
    /// It cannot be read.
    #[error("the request is not a PKCS#10 certification request in DER")]
    Unreadable,
    /// Whoever asks does not have the private key.
    #[error("the request is not signed with the key that it asks a certificate for")]
    Signature,
    /// A key that certificates are not made for: another algorithm, or too weak.
    #[error("the key is none of ECDSAP256, ECDSAP384, ECDSAP521, ED25519, RSA3072, RSA4096")]
    Unsupported,
}

/// A public key that a certificate can be made for.
#[derive(Clone)]
pub struct PublicKey {
    info: SubjectPublicKeyInfo,
    key_type: KeyType,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.key_type.name())
    }
}

impl PublicKey {
    /// The key of a `SubjectPublicKeyInfo` (RFC 5280, section 4.1) in DER.
    ///
    /// # Errors
    ///
    /// If it is none that certificates are made for.
    pub fn from_info(der: &[u8]) -> Result<Self, KeyError> {
        if der.len() > LONGEST_REQUEST {
            return Err(KeyError::TooLong);
        }
        let (rest, parsed) = ParsedInfo::from_der(der).map_err(|_| KeyError::Unreadable)?;
        if !rest.is_empty() {
            return Err(KeyError::Unreadable);
        }
        let key_type = key_type(&parsed).ok_or(KeyError::Unsupported)?;
        let info = SubjectPublicKeyInfo::from_der(der).map_err(|_| KeyError::Unsupported)?;
        Ok(Self { info, key_type })
    }

    /// The key of a PKCS#10 request (RFC 2986) in DER, which must be signed with it. All else in it is ignored.
    ///
    /// # Errors
    ///
    /// If the request cannot be read or was signed with another key, or the key is none that certificates are made for.
    pub fn from_request(der: &[u8]) -> Result<Self, KeyError> {
        if der.len() > LONGEST_REQUEST {
            return Err(KeyError::TooLong);
        }
        let (rest, request) = X509CertificationRequest::from_der(der).map_err(|_| KeyError::Unreadable)?;
        if !rest.is_empty() {
            return Err(KeyError::Unreadable);
        }
        let key = Self::from_info(request.certification_request_info.subject_pki.raw)?;
        let signed = match key.key_type {
            // x509-parser does not know its signatures.
            KeyType::EcdsaP521 => {
                let public = &request.certification_request_info.subject_pki.subject_public_key.data;
                UnparsedPublicKey::new(&ECDSA_P521_SHA512_ASN1, public)
                    .verify(request.certification_request_info.raw, &request.signature_value.data)
                    .is_ok()
            }
            _ => request.verify_signature().is_ok(),
        };
        signed.then_some(key).ok_or(KeyError::Signature)
    }

    /// What kind of key it is.
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }
}

impl PublicKeyData for PublicKey {
    fn der_bytes(&self) -> &[u8] {
        self.info.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.info.algorithm()
    }
}

/// The kind of a key; none if it is one that certificates are not made for.
fn key_type(info: &ParsedInfo<'_>) -> Option<KeyType> {
    const ED25519: &str = "1.3.101.112";
    if info.algorithm.algorithm.to_id_string() == ED25519 {
        return (info.subject_public_key.data.len() == 32).then_some(KeyType::Ed25519);
    }
    match info.parsed().ok()? {
        Parsed::EC(_) => {
            let curve = info.algorithm.parameters.as_ref()?.as_oid().ok()?;
            match curve.to_id_string().as_str() {
                "1.2.840.10045.3.1.7" => Some(KeyType::EcdsaP256),
                "1.3.132.0.34" => Some(KeyType::EcdsaP384),
                "1.3.132.0.35" => Some(KeyType::EcdsaP521),
                _ => None,
            }
        }
        Parsed::RSA(key) => match key.key_size() {
            3072 => Some(KeyType::Rsa3072),
            4096 => Some(KeyType::Rsa4096),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests;
