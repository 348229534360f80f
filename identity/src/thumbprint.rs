//! The thumbprint of a public key (RFC 7638): what a token that is bound to a key names it by (`jkt`).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::jwks::{VerificationKey, member};

/// How long a SHA-256 thumbprint is in base64url, in characters.
pub const LENGTH: usize = 43;

impl VerificationKey {
    /// Its SHA-256 thumbprint, in base64url without padding (RFC 7638 section 3, RFC 8037 section 2 for Ed25519).
    pub fn thumbprint(&self) -> String {
        of(self.public())
    }
}

/// Over just the members that a key of its type must have, in the order of their names.
fn of(public: &Map<String, Value>) -> String {
    let members: &[&str] = match member(public, "kty") {
        Some("RSA") => &["e", "kty", "n"],
        Some("OKP") => &["crv", "kty", "x"],
        _ => &["crv", "kty", "x", "y"],
    };
    // Texts of base64url and names of curves: nothing in them needs an escape, as section 3.3 asks.
    let members: Vec<String> = members
        .iter()
        .map(|name| format!("\"{name}\":\"{}\"", member(public, name).unwrap_or_default()))
        .collect();
    sha256(format!("{{{}}}", members.join(",")).as_bytes())
}

/// The SHA-256 of bytes, in base64url without padding.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, bytes))
}

/// Whether a text can be a SHA-256 in base64url without padding.
pub fn is_thumbprint(text: &str) -> bool {
    text.len() == LENGTH && URL_SAFE_NO_PAD.decode(text).is_ok()
}
