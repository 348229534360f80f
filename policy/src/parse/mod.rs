//! The one reader of what users write. The operator and the webhook both call it.
//!
//! It never fails as a whole: an object that is not understood is held with what is wrong with it, field by field, so
//! that it can be given a status and can go on denying.

mod field;
pub(crate) mod fields;
mod identity;
mod issuer;
mod policy;
mod rules;

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) use field::Field;
pub use identity::{CertificateProfile, Identity, ParsedIdentity, service_identity};
pub use issuer::{Issuer, KeySource, ParsedIssuer, token_issuer};
pub use policy::{ParsedPolicy, policy};

/// What is wrong with a field, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field's path, such as `spec.rules[0].scopes[1]`.
    pub field: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Problems in one line, for a condition's message.
pub fn summary(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

/// Reads a spec into its wire type. A field that the type does not know is a problem, never ignored.
pub(crate) fn wire<T: DeserializeOwned>(spec: &Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(spec).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." {
            "spec".to_owned()
        } else {
            format!("spec.{path}")
        };
        Problem::new(field, error.into_inner().to_string())
    })
}
