//! The settings file: what is denied where, and who may write Secrets.

mod controllers;

use std::path::Path;

use countersign_scan::{Actions, Limits};
use serde::Deserialize;

pub use controllers::{Controllers, Owner};

/// What the person who installs the webhook decided. Everything has a default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// How long credentials may live.
    pub limits: Limits,
    /// Whether every value of a Secret that a person writes is a credential, whatever its name and form.
    pub forbid_literal_secrets: bool,
    /// What becomes of findings, by rule, tier and namespace; the first entry that fits counts.
    pub actions: Actions,
    /// Who may write Secrets with values in them.
    pub controllers: Controllers,
    /// What waivers may do.
    pub waivers: WaiverSettings,
    /// What Countersign's own kinds are held to.
    pub own_kinds: OwnKinds,
}

/// What Countersign's own kinds are held to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct OwnKinds {
    /// What becomes of a policy that names a `TokenIssuer` that does not exist. It denies all until the issuer is there.
    pub unknown_issuer: UnknownIssuer,
}

/// What becomes of a policy that names a `TokenIssuer` that does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownIssuer {
    /// It does not get in.
    #[default]
    Deny,
    /// It gets in, with a warning: for what applies policies before issuers.
    Warn,
}

/// What waivers may do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct WaiverSettings {
    /// How far away a waiver's end may be, in seconds. Written like `90d`.
    #[serde(deserialize_with = "seconds")]
    pub max_duration: i64,
}

impl Default for WaiverSettings {
    fn default() -> Self {
        Self {
            max_duration: 90 * 86_400,
        }
    }
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is no YAML.
    #[error("the settings are not YAML: {0}")]
    Syntax(String),
    /// A field is unknown or has a wrong value.
    #[error("{field}: {problem}")]
    Field {
        /// The field.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Settings {
    /// Reads the settings file.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path).map_err(|source| SettingsError::File {
            path: path.display().to_string(),
            source,
        })?;
        Self::parse(&text)
    }

    /// Reads settings.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let value: serde_json::Value =
            serde_saphyr::from_str(text).map_err(|error| SettingsError::Syntax(error.without_snippet().to_string()))?;
        let settings: Self = serde_path_to_error::deserialize(value).map_err(|error| SettingsError::Field {
            field: error.path().to_string(),
            problem: error.inner().to_string(),
        })?;
        match settings.actions.unknown_rules().first() {
            Some(unknown) => Err(SettingsError::Field {
                field: "actions[].rules".to_owned(),
                problem: format!("no rule is called `{unknown}`"),
            }),
            None => Ok(settings),
        }
    }
}

fn seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = String::deserialize(deserializer)?;
    countersign_scan::parse_seconds(&text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests;
