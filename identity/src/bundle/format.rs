//! The SPIFFE bundle format, a JWK Set (standard, section 4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Bundle, Root};
use crate::jwks::{VerificationKey, has_private_member, member};
use crate::spiffe::TrustDomain;

/// Why a text is not a bundle.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum BundleError {
    /// It is not JSON of the right shape.
    #[error(
        "not a SPIFFE bundle: it must be a JSON object with an array `keys` of objects and, if they are there, with whole \
         numbers of at most 64 bits in `spiffe_sequence` and `spiffe_refresh_hint`"
    )]
    Malformed,
    /// A key holds its private part, or is a shared secret. Whoever reads the bundle could sign with it.
    #[error(
        "key {0} holds private key material: publish the public part only, and replace the key, since it was disclosed"
    )]
    PrivateKey(usize),
}

/// A bundle that was read, and what of it was passed over.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// What can be used of it.
    pub bundle: Bundle,
    /// Why each key that cannot be used was passed over, for whoever asks why an SVID is not trusted.
    pub passed_over: Vec<String>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Map<String, Value>>,
    spiffe_sequence: Option<u64>,
    spiffe_refresh_hint: Option<u64>,
}

impl Bundle {
    /// Reads the bundle of a trust domain. Its name is not in the text: it is known from where the text came from (section 3).
    ///
    /// A key of a type or a use that is not known is passed over (sections 4.2.1 and 4.2.2), and so is one that lacks what its
    /// use asks for or cannot be read (RFC 7517 section 5). What is left may be empty, and then nothing of the trust domain is
    /// to be trusted (section 4.1.3).
    ///
    /// # Errors
    ///
    /// If it is not a JWK Set, or holds private key material.
    pub fn from_jwks(trust_domain: TrustDomain, text: &str) -> Result<Received, BundleError> {
        let document: Document = serde_json::from_str(text).map_err(|_| BundleError::Malformed)?;
        if let Some(at) = document.keys.iter().position(has_private_member) {
            return Err(BundleError::PrivateKey(at));
        }
        let mut bundle = Self::new(trust_domain);
        bundle.sequence = document.spiffe_sequence;
        bundle.refresh_hint = document.spiffe_refresh_hint;
        let mut passed_over = Vec::new();
        for (at, jwk) in document.keys.iter().enumerate() {
            if let Err(why) = bundle.take(jwk) {
                passed_over.push(format!("key {at} {why}"));
            }
        }
        Ok(Received { bundle, passed_over })
    }

    fn take(&mut self, jwk: &Map<String, Value>) -> Result<(), String> {
        match member(jwk, "use") {
            Some("x509-svid") => {
                self.add_root(root(jwk)?);
                Ok(())
            }
            Some("jwt-svid") => {
                let key = VerificationKey::read(jwk)?;
                let id = key.id().ok_or("lacks its `kid`")?;
                if self.jwt_keys.contains_key(id) {
                    return Err("has the `kid` of another".to_owned());
                }
                if self.add_jwt_key(key) {
                    Ok(())
                } else {
                    Err("is of a type that is not for JWT-SVIDs".to_owned())
                }
            }
            Some(_) => Err("has a `use` that is neither x509-svid nor jwt-svid".to_owned()),
            None => Err("lacks its `use`".to_owned()),
        }
    }

    /// The bundle in the SPIFFE bundle format.
    pub fn to_jwks(&self) -> String {
        let roots = self.roots.iter().map(Root::to_jwk);
        let jwt_keys = self.jwt_keys.values().map(|key| {
            let mut jwk = key.public().clone();
            jwk.insert("use".to_owned(), json!("jwt-svid"));
            jwk
        });
        let keys: Vec<Value> = roots.chain(jwt_keys).map(Value::Object).collect();
        let mut document = json!({ "keys": keys });
        for (name, value) in [
            ("spiffe_sequence", self.sequence),
            ("spiffe_refresh_hint", self.refresh_hint),
        ] {
            if let Some(value) = value {
                document[name] = value.into();
            }
        }
        document.to_string()
    }
}

/// The certificate of an entry (X509-SVID standard, section 6.2): the first of its `x5c`.
fn root(jwk: &Map<String, Value>) -> Result<Root, String> {
    let text = jwk
        .get("x5c")
        .and_then(Value::as_array)
        .and_then(|chain| chain.first())
        .and_then(Value::as_str)
        .ok_or("lacks its certificate (`x5c`)")?;
    let der = STANDARD
        .decode(text)
        .map_err(|_| "has a certificate (`x5c`) that is not base64")?;
    let root =
        Root::read(CertificateDer::from(der)).map_err(|error| format!("has a certificate (`x5c`) that is {error}"))?;
    if root.has_key(jwk) {
        Ok(root)
    } else {
        Err("is another key than that of its certificate (`x5c`)".to_owned())
    }
}
