//! A source of tokens for tests: fresh keys, and tokens as good or as bad as a test wants them.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::EncodingKey;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use serde_json::{Map, Value, json};

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSA PKCS#1 with SHA-256.
    Rs256,
}

/// An issuer of JWTs whose keys are made when it is.
pub struct Issuer {
    url: String,
    ec: KeyPair,
    rsa: KeyPair,
}

impl Issuer {
    /// An issuer whose tokens say `iss: url`.
    pub fn new(url: &str) -> Result<Self> {
        let ec = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let rsa = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
        Ok(Self {
            url: url.to_owned(),
            ec,
            rsa,
        })
    }

    /// The issuer's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The public keys, as a JSON Web Key Set.
    pub fn jwks(&self) -> Result<Value> {
        let point = self.ec.public_key_raw();
        let (x, y) = point[1..].split_at(32);
        let rsa = RsaKeyPair::from_pkcs8(self.rsa.serialized_der())?;
        let public = rsa.public_key();
        let number = |bytes: &[u8]| BASE64.encode(bytes);
        Ok(json!({"keys": [
            {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "ec", "x": number(x), "y": number(y)},
            {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "rsa",
             "n": number(public.modulus().big_endian_without_leading_zero()),
             "e": number(public.exponent().big_endian_without_leading_zero())},
        ]}))
    }

    /// A token of these claims that is good for five minutes. `iss`, `iat`, `exp` and `jti` are added where `claims` has
    /// none of its own; a claim that is `null` is left out.
    pub fn token(&self, claims: &Value) -> Result<String> {
        self.token_with(Algorithm::Es256, &json!({}), claims)
    }

    /// The same with an algorithm, and with header parameters that replace or (being `null`) remove the usual ones.
    /// The signature is always one of `algorithm`, whatever the header says.
    pub fn token_with(&self, algorithm: Algorithm, header: &Value, claims: &Value) -> Result<String> {
        let (alg, kid) = match algorithm {
            Algorithm::Es256 => ("ES256", "ec"),
            Algorithm::Rs256 => ("RS256", "rsa"),
        };
        let now = now();
        let jti = uuid::Uuid::new_v4().to_string();
        let header = merge(json!({"alg": alg, "typ": "JWT", "kid": kid}), header)?;
        let claims = merge(
            json!({"iss": self.url, "iat": now, "exp": now + 300, "jti": jti}),
            claims,
        )?;
        self.sign(algorithm, &header, &claims)
    }

    /// A token without a signature, whose header says `alg: none`.
    pub fn unsigned_token(&self, claims: &Value) -> Result<String> {
        let token = self.token_with(Algorithm::Es256, &json!({"alg": "none", "kid": null}), claims)?;
        let end = token.rfind('.').unwrap_or_default();
        Ok(token[..=end].to_owned())
    }

    /// A token of this issuer and of its key's name, signed by another key.
    pub fn forged_token(&self, claims: &Value) -> Result<String> {
        Self::new(&self.url)?.token(claims)
    }

    /// Signs a header and claims exactly as they are.
    pub fn sign(&self, algorithm: Algorithm, header: &Value, claims: &Value) -> Result<String> {
        let message = format!(
            "{}.{}",
            BASE64.encode(header.to_string()),
            BASE64.encode(claims.to_string())
        );
        let signature = match algorithm {
            Algorithm::Es256 => {
                let key = EncodingKey::from_ec_pem(self.ec.serialize_pem().as_bytes())?;
                jsonwebtoken::crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::ES256)?
            }
            Algorithm::Rs256 => {
                let key = EncodingKey::from_rsa_pem(self.rsa.serialize_pem().as_bytes())?;
                jsonwebtoken::crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::RS256)?
            }
        };
        Ok(format!("{message}.{signature}"))
    }
}

fn merge(usual: Value, own: &Value) -> Result<Value> {
    let (Value::Object(mut all), Value::Object(own)) = (usual, own) else {
        bail!("not a JSON object: {own}")
    };
    all.extend(own.clone());
    Ok(Value::Object(
        all.into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect::<Map<_, _>>(),
    ))
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "test code: a panic is how a test fails")]

    use jsonwebtoken::{DecodingKey, Validation, decode};

    use super::*;

    fn accepted(issuer: &Issuer, token: &str, algorithm: jsonwebtoken::Algorithm, index: usize) -> bool {
        let key = serde_json::from_value(issuer.jwks().unwrap()["keys"][index].clone()).unwrap();
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&["api"]);
        decode::<Value>(token, &DecodingKey::from_jwk(&key).unwrap(), &validation).is_ok()
    }

    #[test]
    fn tokens_fit_the_published_keys() {
        let issuer = Issuer::new("https://idp.test").unwrap();
        let claims = json!({"aud": "api"});
        let ec = issuer.token(&claims).unwrap();
        let rsa = issuer.token_with(Algorithm::Rs256, &json!({}), &claims).unwrap();
        assert!(accepted(&issuer, &ec, jsonwebtoken::Algorithm::ES256, 0));
        assert!(accepted(&issuer, &rsa, jsonwebtoken::Algorithm::RS256, 1));
    }

    #[test]
    fn bad_tokens_do_not_fit() {
        let issuer = Issuer::new("https://idp.test").unwrap();
        let claims = json!({"aud": "api"});
        for token in [
            issuer.forged_token(&claims).unwrap(),
            issuer.unsigned_token(&claims).unwrap(),
            issuer.token(&json!({"aud": "api", "exp": 1})).unwrap(),
        ] {
            assert!(!accepted(&issuer, &token, jsonwebtoken::Algorithm::ES256, 0), "{token}");
        }
    }

    #[test]
    fn null_removes_a_claim() {
        let issuer = Issuer::new("https://idp.test").unwrap();
        let token = issuer.token(&json!({"exp": null})).unwrap();
        let claims = BASE64.decode(token.split('.').nth(1).unwrap()).unwrap();
        assert!(serde_json::from_slice::<Value>(&claims).unwrap().get("exp").is_none());
    }
}
