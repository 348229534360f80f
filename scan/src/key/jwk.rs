//! Keys that are objects: JSON Web Keys (RFC 7517) and the key files of Google Cloud's service accounts.

use super::{armor, pem};
use crate::finding::{Mitigation, Tier};
use crate::hit::{Hit, Input};
use crate::rule::Remedy::{ExternalSecret, ProjectedToken, TokenClient};
use crate::rule::Rule;
use crate::tree::Node;

pub(super) static PRIVATE: Rule = Rule {
    id: "jwk-private",
    title: "a JSON Web Key with its private part",
    remedy: TokenClient,
};
pub(super) static SYMMETRIC: Rule = Rule {
    id: "symmetric-jwk",
    title: "a symmetric JSON Web Key",
    remedy: ExternalSecret,
};
pub(super) static GOOGLE: Rule = Rule {
    id: "gcp-service-account-key",
    title: "a key of a service account of Google Cloud",
    remedy: ProjectedToken,
};

/// What an object is, if it is a key: the member that makes it one, the secret in it, and the hit.
pub(super) fn in_object<'n>(object: &'n Node<'_>, input: &Input<'_>) -> Option<(&'static str, &'n str, Hit)> {
    if let Some(kind) = object.get("kty") {
        return web_key(object, kind.as_str()?);
    }
    if object.get("type")?.as_str()? == "service_account" {
        return google(object, input);
    }
    None
}

/// The member of a key that is secret, by the key's type (RFC 7518 section 6, RFC 8037 section 2).
fn web_key<'n>(object: &'n Node<'_>, kind: &str) -> Option<(&'static str, &'n str, Hit)> {
    let (field, rule) = match kind {
        "RSA" | "EC" | "OKP" => ("d", &PRIVATE),
        "AKP" => ("priv", &PRIVATE),
        "oct" => ("k", &SYMMETRIC),
        _ => return None,
    };
    let value = object.get(field)?.as_str()?;
    if value.is_empty() || armor::is_template(value) {
        return None;
    }
    let hit = |tier| Hit::new(rule, tier, 0..value.len());
    let hit = match armor::base64url(value) {
        Some(_) if armor::is_repetition(value) => hit(Tier::Shaped).mitigated(Mitigation::Placeholder),
        Some(bytes) if fits(kind, object, bytes.len()) => hit(Tier::Proven),
        None if armor::is_placeholder(value) => hit(Tier::Shaped).mitigated(Mitigation::Placeholder),
        _ => hit(Tier::Shaped).mitigated(Mitigation::Unproven),
    };
    Some((field, value, hit))
}

/// Whether a secret member has a length that a key of that type has, in bytes.
fn fits(kind: &str, object: &Node<'_>, length: usize) -> bool {
    let curve = object.get("crv").and_then(Node::as_str);
    match (kind, curve) {
        ("RSA", _) => length >= 64,
        ("AKP", _) => length >= 32,
        ("oct", _) => length >= 8,
        (_, Some("P-256" | "secp256k1" | "Ed25519" | "X25519")) => length == 32,
        (_, Some("P-384")) => length == 48,
        // The number may be written without a leading zero.
        (_, Some("P-521")) => matches!(length, 65 | 66),
        (_, Some("Ed448")) => length == 57,
        (_, Some("X448")) => length == 56,
        _ => length >= 32,
    }
}

/// The key file that Google Cloud gives out for a service account: its type, and a private key in PEM.
fn google<'n>(object: &'n Node<'_>, input: &Input<'_>) -> Option<(&'static str, &'n str, Hit)> {
    let value = object.get("private_key")?.as_str()?;
    let inner = Input {
        text: value,
        name: Some("private_key"),
        ..*input
    };
    let hit = pem::find(&inner, value.find(pem::BEGIN)?)?;
    // The same part of the value as is found in it by itself: one credential, not two.
    let key = value.get(hit.span.clone())?;
    Some(("private_key", key, Hit { rule: &GOOGLE, ..hit }))
}
