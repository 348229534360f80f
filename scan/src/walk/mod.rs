//! The walk: an object in, findings out.

use serde::Deserialize;

use crate::finding::{Finding, FingerprintKey};
use crate::limits::Limits;
use crate::rule::Rule;
use crate::tree::Node;

/// Every rule of this module.
pub(crate) const RULES: &[&Rule] = &[];

/// What a scanner is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// How long things may live.
    pub limits: Limits,
    /// Whether every value of a Secret counts as a credential, whatever its name and form.
    pub forbid_literal_secrets: bool,
}

/// Why an object cannot be scanned. What cannot be scanned is not harmless.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// It is no JSON, or nested too deep.
    #[error("not JSON that can be read, at line {line} column {column}")]
    Unreadable {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
}

/// Finds credentials. It is made once and used from many threads.
#[derive(Debug)]
pub struct Scanner {
    settings: Settings,
    key: FingerprintKey,
}

impl Scanner {
    /// Makes a scanner.
    pub fn new(settings: Settings, key: FingerprintKey) -> Self {
        Self { settings, key }
    }

    /// Scans an object as an API server sends it. `now` is in seconds since 1970.
    ///
    /// # Errors
    ///
    /// If it is not JSON.
    pub fn scan_json(&self, object: &[u8], now: i64) -> Result<Vec<Finding>, ScanError> {
        let node: Node<'_> = serde_json::from_slice(object).map_err(|error| ScanError::Unreadable {
            line: error.line(),
            column: error.column(),
        })?;
        Ok(self.scan(&node, now))
    }

    /// Scans an object. `now` is in seconds since 1970. Findings are in the order of the object's fields.
    pub fn scan(&self, _object: &Node<'_>, _now: i64) -> Vec<Finding> {
        let _ = (&self.settings, &self.key);
        Vec::new()
    }

    /// Scans a text that is no object: a file that cannot be parsed, such as a template.
    pub fn scan_text(&self, _text: &str, _name: Option<&str>, _now: i64) -> Vec<Finding> {
        Vec::new()
    }

    /// What is in `new` and was not in `old`: an update is judged by what it changes.
    pub fn scan_update(&self, old: &Node<'_>, new: &Node<'_>, now: i64) -> Vec<Finding> {
        let _ = old;
        self.scan(new, now)
    }
}
