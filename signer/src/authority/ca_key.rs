//! The private key of an authority, which is wiped from memory when nobody needs it any more.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_crds::certificate_authority::CaKeyAlgorithm;
use rcgen::{KeyPair, PublicKeyData, SignatureAlgorithm, SigningKey};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use zeroize::Zeroizing;

/// Why a text is no private key. Nothing of it is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// There is no section with a private key.
    #[error("there is no private key in PEM: PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY, not encrypted")]
    Missing,
    /// The section is damaged.
    #[error("the private key is damaged: it is not base64")]
    Damaged,
    /// It is of a kind that nothing can be signed with here.
    #[error("the private key cannot be read, or is of a kind that is not known here")]
    Unknown,
}

/// A private key of an authority. Copies are of one key; it is wiped when the last one goes.
#[derive(Clone)]
pub struct CaKey(Arc<Zeroizing<KeyPair>>);

impl fmt::Debug for CaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CaKey")
    }
}

impl From<KeyPair> for CaKey {
    fn from(pair: KeyPair) -> Self {
        Self(Arc::new(Zeroizing::new(pair)))
    }
}

impl CaKey {
    /// Makes a key.
    ///
    /// # Errors
    ///
    /// If there is no randomness.
    pub fn generate(algorithm: CaKeyAlgorithm) -> Result<Self, rcgen::Error> {
        let algorithm = match algorithm {
            CaKeyAlgorithm::EcdsaP256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            CaKeyAlgorithm::EcdsaP384 => &rcgen::PKCS_ECDSA_P384_SHA384,
        };
        Ok(KeyPair::generate_for(algorithm)?.into())
    }

    /// Reads the first private key of a PEM text (RFC 7468, sections 10 and following).
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be used here.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyTextError> {
        let text = std::str::from_utf8(text).map_err(|_| KeyTextError::Missing)?;
        let (label, body) = ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"]
            .into_iter()
            .find_map(|label| Some((label, section(text, label)?)))
            .ok_or(KeyTextError::Missing)?;
        let body: Zeroizing<String> = Zeroizing::new(
            body.chars()
                .filter(|character| !character.is_ascii_whitespace())
                .collect(),
        );
        let der = Zeroizing::new(STANDARD.decode(body.as_bytes()).map_err(|_| KeyTextError::Damaged)?);
        let der = match label {
            "PRIVATE KEY" => PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der.as_slice())),
            "EC PRIVATE KEY" => PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(der.as_slice())),
            _ => PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(der.as_slice())),
        };
        let pair = KeyPair::try_from(&der).map_err(|_| KeyTextError::Unknown)?;
        Ok(pair.into())
    }

    /// As DER, in the form in which it came: PKCS#8 if it was made here.
    pub(super) fn der(&self) -> &[u8] {
        self.0.serialized_der()
    }

    /// As PEM, to be kept. A key that came in another form than PKCS#8 keeps that form.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let der = self.der();
        let body = Zeroizing::new(STANDARD.encode(der));
        let label = match PrivateKeyDer::try_from(der) {
            Ok(PrivateKeyDer::Sec1(_)) => "EC PRIVATE KEY",
            Ok(PrivateKeyDer::Pkcs1(_)) => "RSA PRIVATE KEY",
            _ => "PRIVATE KEY",
        };
        // With its final size, so that no part of it stays behind in a buffer that was too small.
        let mut text = Zeroizing::new(String::with_capacity(
            body.len() + body.len() / 64 + 2 * label.len() + 40,
        ));
        text.push_str("-----BEGIN ");
        text.push_str(label);
        text.push_str("-----\n");
        for start in (0..body.len()).step_by(64) {
            text.push_str(body.get(start..(start + 64).min(body.len())).unwrap_or_default());
            text.push('\n');
        }
        text.push_str("-----END ");
        text.push_str(label);
        text.push_str("-----\n");
        text
    }
}

/// What stands between the lines of a section.
fn section<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    Some(body)
}

impl PublicKeyData for CaKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        PublicKeyData::algorithm(&**self.0)
    }
}

impl SigningKey for CaKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    fn a_key_is_read_as_it_was_written(
        #[values(CaKeyAlgorithm::EcdsaP256, CaKeyAlgorithm::EcdsaP384)] algorithm: CaKeyAlgorithm,
    ) {
        let key = CaKey::generate(algorithm).unwrap();
        let text = key.to_pem();
        assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n") && text.ends_with("-----END PRIVATE KEY-----\n"));
        assert!(text.lines().all(|line| line.len() <= 64));
        let again = CaKey::from_pem(text.as_bytes()).unwrap();
        assert_eq!(again.subject_public_key_info(), key.subject_public_key_info());
        assert_eq!(
            KeyPair::from_pem(&text).unwrap().subject_public_key_info(),
            key.subject_public_key_info()
        );
        assert_eq!(format!("{key:?}"), "CaKey");
    }

    #[rstest]
    #[case("", KeyTextError::Missing)]
    #[case(
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
        KeyTextError::Missing
    )]
    #[case("-----BEGIN PRIVATE KEY-----\nAAAA", KeyTextError::Missing)]
    #[case("-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----", KeyTextError::Damaged)]
    #[case(
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        KeyTextError::Unknown
    )]
    fn what_is_no_key_is_not_taken(#[case] text: &str, #[case] expected: KeyTextError) {
        assert_eq!(CaKey::from_pem(text.as_bytes()).unwrap_err(), expected);
    }
}
