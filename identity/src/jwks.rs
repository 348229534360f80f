//! JWK Sets (RFC 7517): the keys that verify an issuer's tokens.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

use crate::{json, rsa};

/// Members of a JWK that hold private or symmetric key material (RFC 7518 section 6).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Why a text is not a usable key set.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum KeySetError {
    /// It is not JSON of the right shape.
    #[error(
        "not a JWK Set: it must be a JSON object with an array `keys` of objects, with each member there once (RFC 7517 section 5)"
    )]
    Malformed,
    /// A key holds its private part, or is a shared secret. Whoever reads the set could sign with it.
    #[error(
        "key {0} holds private key material: publish the public part only, and replace the key, since it was disclosed"
    )]
    PrivateKey(usize),
    /// No key can be used. Holds why each was passed over.
    #[error("no usable key: it needs an RSA key of at least {bits} bits, an EC key on P-256 or P-384, or an Ed25519 key: {}", .0.join("; "), bits = rsa::MIN_BITS)]
    NoUsableKey(Vec<String>),
}

/// One key that can verify signatures.
#[derive(Clone, Debug)]
pub struct VerificationKey {
    pub(crate) id: Option<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) key: DecodingKey,
    public: Map<String, Value>,
}

impl VerificationKey {
    /// Its identifier (`kid`).
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Its JWK, with just the members that verification needs.
    pub(crate) fn public(&self) -> &Map<String, Value> {
        &self.public
    }
}

impl PartialEq for VerificationKey {
    fn eq(&self, other: &Self) -> bool {
        self.public == other.public
    }
}

/// The keys of an issuer that can verify its tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeySet {
    keys: Vec<VerificationKey>,
}

/// The members of the keys of a JWK Set, in which none is there twice.
fn entries(json: &str) -> Option<Vec<Map<String, Value>>> {
    let Value::Array(keys) = json::object(json.as_bytes())?.remove("keys")? else {
        return None;
    };
    keys.into_iter()
        .map(|key| match key {
            Value::Object(members) => Some(members),
            _ => None,
        })
        .collect()
}

impl KeySet {
    /// Reads a JWK Set, and keeps the keys that can be used: RSA from 2048 bits, EC on P-256 or P-384,
    /// and Ed25519, for signatures.
    /// Others are passed over, as RFC 7517 section 5 asks.
    ///
    /// # Errors
    ///
    /// If it is not a JWK Set, holds private key material, or has no key that can be used.
    pub fn parse(json: &str) -> Result<Self, KeySetError> {
        let entries = entries(json).ok_or(KeySetError::Malformed)?;
        if let Some(at) = entries.iter().position(has_private_member) {
            return Err(KeySetError::PrivateKey(at));
        }
        let mut keys = Vec::new();
        let mut passed_over = Vec::new();
        for (at, jwk) in entries.iter().enumerate() {
            match VerificationKey::read_for_signatures(jwk) {
                Ok(key) => keys.push(key),
                Err(why) => passed_over.push(format!("key {at} {why}")),
            }
        }
        if keys.is_empty() {
            return Err(KeySetError::NoUsableKey(passed_over));
        }
        Ok(Self { keys })
    }

    /// The keys that can be used, as a JWK Set with just the members that verification needs.
    pub fn to_json(&self) -> String {
        let keys: Vec<Value> = self.keys.iter().map(|key| Value::Object(key.public.clone())).collect();
        serde_json::json!({ "keys": keys }).to_string()
    }

    /// The keys.
    pub fn keys(&self) -> &[VerificationKey] {
        &self.keys
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key: then no token can be verified.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// Whether a JWK holds private or symmetric key material.
pub(crate) fn has_private_member(jwk: &Map<String, Value>) -> bool {
    PRIVATE_MEMBERS.iter().any(|member| jwk.contains_key(*member))
}

pub(crate) fn member<'a>(jwk: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    jwk.get(name).and_then(Value::as_str)
}

impl VerificationKey {
    /// Reads a public key that is for signatures.
    pub(crate) fn read_for_signatures(jwk: &Map<String, Value>) -> Result<Self, &'static str> {
        if jwk.get("use").is_some_and(|usage| usage != "sig") {
            return Err("is not for signatures (`use`)");
        }
        if jwk.get("key_ops").is_some_and(|operations| {
            !operations
                .as_array()
                .is_some_and(|names| names.contains(&"verify".into()))
        }) {
            return Err("is not for verifying (`key_ops`)");
        }
        Self::read(jwk)
    }

    /// Reads a public key, whatever its `use`.
    pub(crate) fn read(jwk: &Map<String, Value>) -> Result<Self, &'static str> {
        let (members, mut algorithms): (&[&str], Vec<Algorithm>) = match (member(jwk, "kty"), member(jwk, "crv")) {
            (Some("RSA"), _) => {
                use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
                (&["n", "e"], vec![RS256, RS384, RS512, PS256, PS384, PS512])
            }
            (Some("EC"), Some("P-256")) => (&["crv", "x", "y"], vec![Algorithm::ES256]),
            (Some("EC"), Some("P-384")) => (&["crv", "x", "y"], vec![Algorithm::ES384]),
            (Some("OKP"), Some("Ed25519")) => (&["crv", "x"], vec![Algorithm::EdDSA]),
            _ => return Err("is of a type that is not supported"),
        };
        let mut public: Map<String, Value> = Map::new();
        for name in members.iter().chain(&["kty"]) {
            public.insert(
                (*name).to_owned(),
                member(jwk, name).ok_or("lacks a member of its type")?.into(),
            );
        }
        if let Some(name) = member(jwk, "alg") {
            // RFC 9864 section 2.2: another name for what EdDSA is with this curve.
            let named = if name == "Ed25519" { "EdDSA" } else { name }.parse::<Algorithm>();
            algorithms.retain(|algorithm| named.as_ref() == Ok(algorithm));
            if algorithms.is_empty() {
                return Err("has an `alg` that does not fit its type");
            }
        }
        if let [algorithm] = algorithms[..] {
            public.insert("alg".to_owned(), format!("{algorithm:?}").into());
        }
        let id = member(jwk, "kid").filter(|id| !id.is_empty()).map(str::to_owned);
        if let Some(id) = &id {
            public.insert("kid".to_owned(), id.as_str().into());
        }
        Ok(Self {
            id,
            algorithms,
            key: decoding_key(&public)?,
            public,
        })
    }
}

fn decoding_key(public: &Map<String, Value>) -> Result<DecodingKey, &'static str> {
    const MALFORMED: &str = "is malformed";
    let bytes = |name| {
        URL_SAFE_NO_PAD
            .decode(member(public, name).unwrap_or_default())
            .map_err(|_| MALFORMED)
    };
    let text = |name| member(public, name).unwrap_or_default();
    if text("kty") == "RSA" {
        let (modulus, exponent) = (bytes("n")?, bytes("e")?);
        rsa::check(&modulus, &exponent)?;
        return Ok(DecodingKey::from_rsa_raw_components(&modulus, &exponent));
    }
    if text("kty") == "OKP" {
        if bytes("x")?.len() != 32 {
            return Err(MALFORMED);
        }
        return DecodingKey::from_ed_components(text("x")).map_err(|_| MALFORMED);
    }
    let (size, curve) = if text("crv") == "P-384" {
        (48, &ECDSA_P384_SHA384_FIXED)
    } else {
        (32, &ECDSA_P256_SHA256_FIXED)
    };
    let (x, y) = (bytes("x")?, bytes("y")?);
    if x.len() != size || y.len() != size {
        return Err(MALFORMED);
    }
    // RFC 8725 section 3.4: what is used in an operation is checked, so the point must be one of the curve.
    ParsedPublicKey::new(curve, [&[4], x.as_slice(), &y].concat()).map_err(|_| "is not a point of its curve")?;
    DecodingKey::from_ec_components(text("x"), text("y")).map_err(|_| MALFORMED)
}
