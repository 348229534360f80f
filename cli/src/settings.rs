//! What counts: settings, and the key of fingerprints.

use std::fs;
use std::path::{Path, PathBuf};

use countersign_scan::{Actions, FingerprintKey, Settings};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::args::RuleSettings;

/// The fewest bytes of a key.
const KEY_LENGTH: usize = 32;

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {reason}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// What counts.
#[derive(Debug)]
pub struct What {
    /// For the scanner.
    pub settings: Settings,
    /// What becomes of findings.
    pub actions: Actions,
    /// What makes fingerprints, if there is a key to print them with.
    pub key: Option<FingerprintKey>,
    /// What to tell about the settings.
    pub notes: Vec<String>,
}

/// Reads the files that the command line names.
pub fn load(rules: &RuleSettings) -> Result<What, SettingsError> {
    let mut notes = Vec::new();
    let file = match &rules.config {
        Some(path) => read(path, &mut notes)?,
        None => File::default(),
    };
    for rule in file.actions.unknown_rules() {
        notes.push(format!(
            "no rule is called {rule}, which the settings name; see `countersign rules`"
        ));
    }
    let key = rules.fingerprint_key_file.as_deref().map(key).transpose()?;
    Ok(What {
        settings: file.settings,
        actions: file.actions,
        key,
        notes,
    })
}

#[derive(Debug, Default)]
struct File {
    settings: Settings,
    actions: Actions,
}

/// The webhook's settings say more than what counts here: who is exempt, for example, which only a cluster can tell.
fn read(path: &Path, notes: &mut Vec<String>) -> Result<File, SettingsError> {
    let text = fs::read_to_string(path).map_err(|source| unreadable(path, source))?;
    let mut members: Map<String, Value> =
        serde_saphyr::from_str(&text).map_err(|error| wrong(path, error.without_snippet().to_string()))?;
    let actions = members.remove("actions").unwrap_or(Value::Array(Vec::new()));
    let mut scanner = Map::new();
    for name in ["limits", "forbidLiteralSecrets"] {
        scanner.extend(members.remove_entry(name));
    }
    for name in members.keys() {
        notes.push(format!("{}: {name} counts in a cluster only", path.display()));
    }
    let actions = Actions::deserialize(actions).map_err(|error| wrong(path, format!("actions: {error}")))?;
    let settings = Settings::deserialize(Value::Object(scanner)).map_err(|error| wrong(path, error.to_string()))?;
    Ok(File { settings, actions })
}

fn key(path: &Path) -> Result<FingerprintKey, SettingsError> {
    let bytes = fs::read(path).map_err(|source| unreadable(path, source))?;
    if bytes.len() < KEY_LENGTH {
        let reason = format!(
            "a key of fingerprints has {KEY_LENGTH} bytes or more; this one has {}",
            bytes.len()
        );
        return Err(wrong(path, reason));
    }
    let key = <[u8; KEY_LENGTH]>::try_from(bytes.as_slice()).unwrap_or_else(|_| Sha256::digest(&bytes).into());
    Ok(FingerprintKey::new(key))
}

fn unreadable(path: &Path, source: std::io::Error) -> SettingsError {
    let path = path.to_owned();
    SettingsError::Unreadable { path, source }
}

fn wrong(path: &Path, reason: String) -> SettingsError {
    let path = path.to_owned();
    SettingsError::Wrong { path, reason }
}
