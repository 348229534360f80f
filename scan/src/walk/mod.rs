//! The walk: an object in, findings out.

mod decode;
mod engine;
mod helm;
mod kube;
mod matcher;
mod object;
mod place;
pub(crate) mod random;
mod rules;
mod sieve;
#[cfg(test)]
mod tests;
mod text;

use std::collections::HashMap;

use serde::Deserialize;

use crate::finding::{Finding, FingerprintKey};
use crate::limits::Limits;
use crate::tree::Node;
use engine::{Context, Engine};
use matcher::Matcher;
use place::Place;

pub(crate) use rules::RULES;

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
    matcher: Matcher,
}

impl Scanner {
    /// Makes a scanner.
    pub fn new(settings: Settings, key: FingerprintKey) -> Self {
        Self {
            settings,
            key,
            matcher: Matcher::new(),
        }
    }

    /// Scans an object as an API server sends it. `now` is in seconds since 1970.
    ///
    /// # Errors
    ///
    /// If it is not JSON.
    pub fn scan_json(&self, object: &[u8], now: i64) -> Result<Vec<Finding>, ScanError> {
        Ok(self.scan(&read_json(object)?, now))
    }

    /// Scans an object. `now` is in seconds since 1970. Findings are in the order of the object's fields, each value once
    /// per field; what is in `last-applied-configuration` counts only if it is nowhere else.
    pub fn scan(&self, object: &Node<'_>, now: i64) -> Vec<Finding> {
        let mut engine = Engine::new(self, now);
        engine.document(&Place::root(), object, Context::top());
        engine.finish()
    }

    /// Scans a text that is no object: a file that cannot be parsed, such as a template. `name` is the file's name.
    pub fn scan_text(&self, text: &str, name: Option<&str>, now: i64) -> Vec<Finding> {
        let mut engine = Engine::new(self, now);
        engine.text(&Place::root(), name, text, Context::top());
        engine.finish()
    }

    /// What is in `new` and was not in `old`: an update is judged by what it changes. A value that was there once and is
    /// there twice is new.
    pub fn scan_update(&self, old: &Node<'_>, new: &Node<'_>, now: i64) -> Vec<Finding> {
        let findings = self.scan(new, now);
        if findings.is_empty() {
            return findings;
        }
        let mut before: HashMap<_, usize> = HashMap::new();
        for finding in self.scan(old, now) {
            *before.entry((finding.rule.id, finding.fingerprint)).or_default() += 1;
        }
        let is_new = |finding: &Finding| match before.get_mut(&(finding.rule.id, finding.fingerprint)) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        };
        findings.into_iter().filter(is_new).collect()
    }
}

/// Reads JSON.
///
/// # Errors
///
/// If it is none, or nested deeper than 127 levels.
pub fn read_json(bytes: &[u8]) -> Result<Node<'_>, ScanError> {
    // To check all of it for UTF-8 costs less than to check each string.
    let read = match std::str::from_utf8(bytes) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(bytes),
    };
    read.map_err(|error| ScanError::Unreadable {
        line: error.line(),
        column: error.column(),
    })
}
