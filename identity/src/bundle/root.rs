//! One X.509 authority of a trust domain.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use serde_json::{Map, Value, json};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::fingerprint::Fingerprint;

/// Why a certificate cannot be an authority of a trust domain.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum RootError {
    /// It is not one X.509 certificate in DER.
    #[error("not an X.509 certificate of version 3 in DER, or followed by more")]
    Malformed,
    /// It may not sign certificates.
    #[error("not a CA certificate: it needs basic constraints with CA set and, if it names key usages, keyCertSign")]
    NotCa,
    /// Its key is of a type that no JWK and no verifier here knows.
    #[error("its key is neither RSA of at least 2048 bits, nor EC on P-256, P-384 or P-521, nor Ed25519")]
    Key,
}

/// A CA certificate that is trusted to sign the SVIDs of a trust domain.
#[derive(Clone)]
pub struct Root {
    certificate: CertificateDer<'static>,
    fingerprint: Fingerprint,
    not_before: Timestamp,
    not_after: Timestamp,
    pub(crate) path_length: Option<u32>,
    pub(crate) serial: Vec<u8>,
    jwk: Map<String, Value>,
}

impl Root {
    /// Reads a CA certificate. Its names are not looked at: that it is in the bundle of a trust domain is what it is trusted for.
    ///
    /// # Errors
    ///
    /// If it is not the certificate of a CA, or has a key that cannot be used here.
    pub fn read(certificate: CertificateDer<'static>) -> Result<Self, RootError> {
        let (rest, parsed) = X509Certificate::from_der(&certificate).map_err(|_| RootError::Malformed)?;
        if !rest.is_empty() || webpki::anchor_from_trusted_cert(&certificate).is_err() {
            return Err(RootError::Malformed);
        }
        let constraints = parsed.basic_constraints().map_err(|_| RootError::Malformed)?;
        let path_length = match constraints {
            Some(extension) if extension.value.ca => extension.value.path_len_constraint,
            _ => return Err(RootError::NotCa),
        };
        let usage = parsed.key_usage().map_err(|_| RootError::Malformed)?;
        if usage.is_some_and(|extension| !extension.value.key_cert_sign()) {
            return Err(RootError::NotCa);
        }
        let at = |seconds| Timestamp::from_second(seconds).map_err(|_| RootError::Malformed);
        Ok(Self {
            fingerprint: Fingerprint::of(&certificate),
            not_before: at(parsed.validity().not_before.timestamp())?,
            not_after: at(parsed.validity().not_after.timestamp())?,
            path_length,
            serial: parsed.raw_serial().to_vec(),
            jwk: jwk(parsed.public_key()).ok_or(RootError::Key)?,
            certificate,
        })
    }

    /// The certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The SHA-256 of the certificate.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The first moment at which it is valid.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The last moment at which it is valid.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Its entry in a SPIFFE bundle (X509-SVID standard, section 6.1).
    pub(super) fn to_jwk(&self) -> Map<String, Value> {
        let mut jwk = self.jwk.clone();
        jwk.insert("use".to_owned(), json!("x509-svid"));
        jwk.insert("x5c".to_owned(), json!([STANDARD.encode(&self.certificate)]));
        jwk
    }

    /// Whether a JWK is that of this certificate's key, as it must be (RFC 7517 section 4.7).
    pub(super) fn has_key(&self, jwk: &Map<String, Value>) -> bool {
        self.jwk.iter().all(|(name, own)| {
            let (Some(own), Some(there)) = (own.as_str(), jwk.get(name).and_then(Value::as_str)) else {
                return false;
            };
            own == there
                || (matches!(name.as_str(), "n" | "e") && number(own).is_some_and(|own| number(there) == Some(own)))
        })
    }
}

impl PartialEq for Root {
    fn eq(&self, other: &Self) -> bool {
        self.certificate == other.certificate
    }
}

impl Eq for Root {}

/// The one that begins first comes first.
impl Ord for Root {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = |root: &Self| (root.not_before, root.fingerprint);
        order(self).cmp(&order(other))
    }
}

impl PartialOrd for Root {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Root")
            .field("fingerprint", &self.fingerprint)
            .field("not_before", &self.not_before)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// The bytes of a `Base64urlUInt` (RFC 7518 section 2), also of one with zeros in front, which some write.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    Some(without_zeros(&bytes).to_vec())
}

fn without_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// The members of a public key's JWK (RFC 7518 section 6, RFC 8037 section 2).
fn jwk(key: &SubjectPublicKeyInfo<'_>) -> Option<Map<String, Value>> {
    const ED25519: &str = "1.3.101.112";
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let members = match key.parsed().ok()? {
        PublicKey::RSA(rsa) if without_zeros(rsa.modulus).len() >= 256 => {
            json!({"kty": "RSA", "n": text(without_zeros(rsa.modulus)), "e": text(without_zeros(rsa.exponent))})
        }
        PublicKey::EC(point) => {
            let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
            let (name, size) = match curve.to_id_string().as_str() {
                "1.2.840.10045.3.1.7" => ("P-256", 32),
                "1.3.132.0.34" => ("P-384", 48),
                "1.3.132.0.35" => ("P-521", 66),
                _ => return None,
            };
            let coordinates = point.data().strip_prefix(&[4]).filter(|xy| xy.len() == 2 * size)?;
            let (x, y) = coordinates.split_at(size);
            json!({"kty": "EC", "crv": name, "x": text(x), "y": text(y)})
        }
        PublicKey::Unknown(bytes) if key.algorithm.algorithm.to_id_string() == ED25519 && bytes.len() == 32 => {
            json!({"kty": "OKP", "crv": "Ed25519", "x": text(bytes)})
        }
        _ => return None,
    };
    match members {
        Value::Object(members) => Some(members),
        _ => None,
    }
}
