//! The claims of a verified token.

use serde_json::{Map, Value};

/// Claims that enforcers read as space-delimited lists (RFC 6749 section 3.3, RFC 8693 section 4.2).
const SPACE_DELIMITED: [&str; 2] = ["scope", "permission"];

/// The claims of a token whose signature, issuer and times were verified (RFC 7519 section 4).
#[derive(Clone, Debug, PartialEq)]
pub struct Claims(Map<String, Value>);

impl Claims {
    pub(crate) fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    /// All of them, by name.
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The issuer (`iss`).
    pub fn issuer(&self) -> Option<&str> {
        self.0.get("iss").and_then(Value::as_str)
    }

    /// Whether a claim has a value: it is that string, or an array that holds it. Claims that are neither have none.
    pub fn has(&self, claim: &str, value: &str) -> bool {
        match self.0.get(claim) {
            Some(Value::String(text)) if SPACE_DELIMITED.contains(&claim) => text.split(' ').any(|part| part == value),
            Some(Value::String(text)) => text == value,
            Some(Value::Array(items)) => items.iter().any(|item| item.as_str() == Some(value)),
            _ => false,
        }
    }
}
