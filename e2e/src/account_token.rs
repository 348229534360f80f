//! Tokens of service accounts.

use std::fs;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::Value;

use crate::{Namespace, Testbed};

impl Namespace {
    /// A token of a service account here, as `kubectl create token` makes it with these options.
    pub async fn account_token(&self, account: &str, options: &[&str]) -> Result<String> {
        let create = [&["create", "token", account][..], options].concat();
        Ok(self.kubectl(&create).await?.trim().to_owned())
    }
}

impl Testbed {
    /// A token of the API server with other claims, signed by its own key: what it would have made at another time.
    pub fn resigned(&self, token: &str, change: impl FnOnce(&mut Value)) -> Result<String> {
        let mut parts = token.split('.');
        let header = parts.next().context("no header")?;
        let claims = BASE64.decode(parts.next().context("no claims")?)?;
        let mut claims: Value = serde_json::from_slice(&claims)?;
        change(&mut claims);
        let message = format!("{header}.{}", BASE64.encode(claims.to_string()));
        let key = EncodingKey::from_ec_pem(&fs::read(self.data().join("pki/service-accounts.key"))?)?;
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::ES256)?;
        Ok(format!("{message}.{signature}"))
    }
}
