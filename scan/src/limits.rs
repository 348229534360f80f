//! How long each class of credential may live.

use jiff::{Span, SpanRelativeTo, Unit};
use serde::{Deserialize, Deserializer};

/// The longest lives, in seconds. In settings each is written like `24h` or `90d`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Of a token that carries its own end: JSON Web Tokens, reference tokens, registry tokens.
    #[serde(deserialize_with = "seconds")]
    pub token: i64,
    /// Of a service-account token that is asked for: projected volumes, `TokenRequest`, annotations that set one.
    #[serde(deserialize_with = "seconds")]
    pub service_account_token: i64,
    /// Of a bootstrap token.
    #[serde(deserialize_with = "seconds")]
    pub bootstrap_token: i64,
    /// Of a URL that carries its own permission: presigned URLs, shared access signatures.
    #[serde(deserialize_with = "seconds")]
    pub signed_url: i64,
    /// Of an X.509 certificate of a client or a server, and of one that a `CertificateSigningRequest` asks for.
    #[serde(deserialize_with = "seconds")]
    pub certificate: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            token: 86_400,
            service_account_token: 86_400,
            bootstrap_token: 86_400,
            signed_url: 86_400,
            certificate: 90 * 86_400,
        }
    }
}

/// A life that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LimitsError {
    /// It is not a length of time.
    #[error("`{0}` is no length of time: write one like 15m, 24h or 90d")]
    Unreadable(String),
    /// It is not more than nothing.
    #[error("`{0}` is not longer than nothing")]
    Nothing(String),
}

/// Reads a length of time like `24h` or `90d`. A day has 24 hours.
///
/// # Errors
///
/// If it is none, or not longer than nothing.
pub fn parse_seconds(text: &str) -> Result<i64, LimitsError> {
    let unreadable = || LimitsError::Unreadable(text.to_owned());
    let span: Span = text.parse().map_err(|_| unreadable())?;
    let total = span
        .total((Unit::Second, SpanRelativeTo::days_are_24_hours()))
        .map_err(|_| unreadable())?;
    #[expect(clippy::cast_possible_truncation, reason = "a span is far below 2^53 seconds")]
    let seconds = total as i64;
    if seconds < 1 {
        Err(LimitsError::Nothing(text.to_owned()))
    } else {
        Ok(seconds)
    }
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_seconds(&text).map_err(serde::de::Error::custom)
}
