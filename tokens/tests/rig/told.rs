//! What the service answered.

use base64::Engine as _;
use reqwest::{Response, StatusCode};
use serde_json::Value;

/// What the service answered.
#[derive(Debug)]
pub struct Told {
    pub status: StatusCode,
    pub body: Value,
    pub nonce: Option<String>,
    pub headers: reqwest::header::HeaderMap,
}

impl Told {
    pub(super) async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let nonce = headers
            .get("dpop-nonce")
            .map(|nonce| nonce.to_str().unwrap().to_owned());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self {
            status,
            body,
            nonce,
            headers,
        }
    }

    /// The error code; empty if it was granted.
    pub fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }

    /// The access token. Panics with the answer if there is none.
    pub fn token(&self) -> &str {
        self.body["access_token"]
            .as_str()
            .unwrap_or_else(|| panic!("no token: {self:?}"))
    }

    /// The claims of the access token, unverified.
    pub fn claims(&self) -> Value {
        claims_of(self.token())
    }

    /// Panics unless it was refused so.
    pub fn refused(&self, error: &str) -> &Self {
        assert_eq!(self.error(), error, "{self:?}");
        assert!(self.body.get("access_token").is_none());
        self
    }
}

/// The claims of a signed token, unverified.
pub fn claims_of(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(payload)
        .unwrap();
    serde_json::from_slice(&payload).unwrap()
}
