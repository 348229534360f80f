//! What a scan gives. A value that was found is never in it.

use std::fmt;

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::rule::Rule;

/// A credential in an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where it is.
    pub location: Location,
    /// What it is.
    pub rule: &'static Rule,
    /// How sure that is.
    pub tier: Tier,
    /// Why it weighs less than its tier says, if it does.
    pub mitigation: Option<Mitigation>,
    /// How long it lives, where that can be told.
    pub lifetime: Option<Lifetime>,
    /// What tells it from others, and recognises it again, without the value.
    pub fingerprint: Fingerprint,
}

impl Finding {
    /// What becomes of an object with it, unless settings say otherwise.
    pub fn action(&self) -> Action {
        match (self.tier, self.mitigation) {
            (Tier::Statistical, _) | (_, Some(_)) => Action::Warn,
            (Tier::Proven | Tier::Shaped | Tier::Named, None) => Action::Deny,
        }
    }
}

/// `/data/config → base64 → yaml → users[0].user.token is a JSON Web Token without expiry (proven): …`
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {} ({}", self.location, self.rule.title, self.tier)?;
        if let Some(lifetime) = self.lifetime {
            write!(f, ", {lifetime}")?;
        }
        if let Some(mitigation) = self.mitigation {
            write!(f, ", {mitigation}")?;
        }
        write!(f, "): {}", self.rule.remedy)
    }
}

/// How sure it is that something is a credential. The order is from the surest down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// A checksum fits, or it was parsed: it cannot well be anything else.
    Proven,
    /// Prefix, length and alphabet are those of a known kind.
    Shaped,
    /// A literal value under a name that asks for a secret.
    Named,
    /// It looks random, and nothing else is known.
    Statistical,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proven => "proven",
            Self::Shaped => "shaped",
            Self::Named => "named",
            Self::Statistical => "statistical",
        })
    }
}

/// Why a credential weighs less than its tier says: it is worth a warning only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mitigation {
    /// It stands for a value that is still to be filled in, such as `CHANGEME`.
    Placeholder,
    /// It is for tests only by its own form, such as `sk_test_…`, or a published example.
    Test,
    /// It is a hash of a password.
    Hash,
    /// It is encrypted with a passphrase.
    Encrypted,
    /// It has ended.
    Expired,
    /// It has the form, but its checksum does not fit.
    Unproven,
}

impl fmt::Display for Mitigation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Placeholder => "a placeholder",
            Self::Test => "for tests only",
            Self::Hash => "a hash",
            Self::Encrypted => "encrypted",
            Self::Expired => "expired",
            Self::Unproven => "its checksum does not fit",
        })
    }
}

/// What becomes of an object with a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Nothing is said to who wrote it; the audit and the metrics have it.
    Audit,
    /// It gets in, with a warning to who wrote it.
    Warn,
    /// It does not get in.
    Deny,
}

/// How long a credential lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lifetime {
    /// It has no end.
    Endless,
    /// So many seconds, from when it was issued or, where that is not known, from now.
    Seconds(i64),
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Endless => f.write_str("without an end"),
            Self::Seconds(seconds) if seconds >= 2 * 86_400 => write!(f, "lives {} days", seconds / 86_400),
            Self::Seconds(seconds) if seconds >= 2 * 3600 => write!(f, "lives {} hours", seconds / 3600),
            Self::Seconds(seconds) if seconds >= 120 => write!(f, "lives {} minutes", seconds / 60),
            Self::Seconds(seconds) => write!(f, "lives {seconds} seconds"),
        }
    }
}

/// Where a credential is: the field of the object, and the way to it within the field's value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The field, as a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// What had to be decoded or read within its value.
    pub steps: Vec<Step>,
}

/// `/data/config → base64 → yaml → users[0].user.token`
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.pointer.is_empty() {
            "(the whole document)"
        } else {
            &self.pointer
        })?;
        self.steps.iter().try_for_each(|step| write!(f, " → {step}"))
    }
}

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// It was decoded or read as this: `base64`, `gzip`, `json`, `yaml`, `properties`, `shell` and so on.
    Read(&'static str),
    /// A place in what was read: `users[0].user.token`.
    Field(String),
    /// A line of text, from 1.
    Line(usize),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(format) => f.write_str(format),
            Self::Field(path) => f.write_str(path),
            Self::Line(line) => write!(f, "line {line}"),
        }
    }
}

/// The key of fingerprints: without it a short password could be guessed from its fingerprint.
#[derive(Clone)]
pub struct FingerprintKey([u8; 32]);

impl FingerprintKey {
    /// Takes 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The fingerprint of a value: HMAC-SHA-256 (RFC 2104), cut to 128 bits.
    pub fn fingerprint(&self, value: &[u8]) -> Fingerprint {
        // HMAC fills a key up with zeros to the block of its hash (RFC 2104 section 2).
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.0);
        let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new(&block.into());
        mac.update(value);
        let digest = mac.finalize().into_bytes();
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        Fingerprint(short)
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey(…)")
    }
}

/// What recognises a value again for who has the key. In text it is 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 16]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
