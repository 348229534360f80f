//! A literal under a name that asks for a secret.

use super::anchor::hash;
use super::name::{self, Asked, Kind, Strength};
use super::{literal, rules};
use crate::finding::{Mitigation, Tier};
use crate::hit::{Hit, Input};
use crate::key;
use crate::rule::Rule;

/// No secret of one line is longer. What is longer is a file, and is read as one.
const LONGEST: usize = 4096;

/// Judges the text under its name. What ends with a colon is the label of a field.
pub(super) fn named(input: &Input<'_>) -> Option<Hit> {
    let asked = name::judge(input.name?)?;
    let text = trim(input.text);
    if text.is_empty() || text.len() > LONGEST || text.contains('\n') || text.ends_with(':') || has_own_detector(text) {
        return None;
    }
    let (kind, text) = narrow(asked, text)?;
    let start = text.as_ptr() as usize - input.text.as_ptr() as usize;
    let span = start..start + text.len();
    if hash::is_hash(text) {
        return Some(hash::hit(span));
    }
    let hit = |tier| Hit::new(rule(kind), tier, span.clone());
    match literal::judge(text) {
        literal::Value::Harmless | literal::Value::Reference => None,
        literal::Value::Placeholder if literal::is_prose(text) && text.split_ascii_whitespace().count() > 3 => None,
        literal::Value::Placeholder => matches!(asked.strength, Strength::Certain | Strength::Probable)
            .then(|| hit(Tier::Named).mitigated(Mitigation::Placeholder)),
        // The name of a type is what the example of a schema has.
        literal::Value::Literal if kind == Kind::Password && text == "string" => {
            Some(hit(Tier::Named).mitigated(Mitigation::Placeholder))
        }
        literal::Value::Literal if kind == Kind::Hash => is_hex_digest(text).then(|| hash::hit(span)),
        literal::Value::Literal => tier(kind, asked.strength, text).map(hit),
    }
}

/// Without the white space and the quotes around it.
fn trim(text: &str) -> &str {
    let text = text.trim();
    ['"', '\'']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(text)
}

fn rule(kind: Kind) -> &'static Rule {
    match kind {
        Kind::Password => rules::PASSWORD,
        Kind::Token => rules::TOKEN,
        Kind::ApiKey => rules::API_KEY,
        Kind::Secret => rules::SECRET,
        Kind::ClientSecret => rules::CLIENT_SECRET,
        Kind::Signing => rules::SIGNING_SECRET,
        Kind::Authorization => rules::BEARER_TOKEN,
        Kind::BasicAuth => rules::BASIC_AUTH,
        Kind::Hash => rules::PASSWORD_HASH,
    }
}

/// What others judge better, by its form: JSON Web Tokens, PEM, keys that are public or half of a pair.
pub(super) fn has_own_detector(text: &str) -> bool {
    let jwt = text.starts_with("eyJ") && text.bytes().filter(|byte| *byte == b'.').count() >= 2 || key::is_token(text);
    let key_id = text.len() == 20
        && ["AKIA", "ASIA", "AROA", "AIDA"]
            .iter()
            .any(|start| text.starts_with(start));
    jwt || key_id
        || [
            "-----BEGIN",
            "pk_live_",
            "pk_test_",
            "AIza",
            "ssh-rsa ",
            "ssh-ed25519 ",
            "ecdsa-sha2-",
        ]
        .iter()
        .any(|start| text.starts_with(start))
}

/// The part that is secret: what follows the scheme in a header, the password after the user.
fn narrow(asked: Asked, text: &str) -> Option<(Kind, &str)> {
    match asked.kind {
        Kind::Authorization => {
            let (scheme, rest) = text.split_once(' ').unwrap_or(("", text));
            let rest = rest.trim_start();
            // Basic is found by its form, and a signature is for one request.
            let other = literal::judge(text) != literal::Value::Literal
                || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                || scheme.eq_ignore_ascii_case("basic")
                || scheme.starts_with("AWS4")
                || rest.contains(' ');
            (!other && !has_own_detector(rest)).then_some((Kind::Authorization, rest))
        }
        Kind::BasicAuth => match text
            .split_once(':')
            .or_else(|| text.strip_prefix("neo4j/").map(|rest| ("neo4j", rest)))
        {
            Some((user, password)) if is_user(user) && !password.starts_with('/') => Some((Kind::BasicAuth, password)),
            Some(_) => None,
            None if asked.strength == Strength::Ambiguous => Some((Kind::Secret, text)),
            None => None,
        },
        kind => Some((kind, text)),
    }
}

fn is_user(user: &str) -> bool {
    !user.is_empty()
        && user.len() <= 64
        && user
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'@' | b'+'))
}

fn is_hex_digest(text: &str) -> bool {
    matches!(text.len(), 32 | 40 | 64 | 128) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn tier(kind: Kind, strength: Strength, text: &str) -> Option<Tier> {
    if kind == Kind::Password {
        return password(text);
    }
    if literal::looks_random(text) {
        return Some(Tier::Named);
    }
    // Under a name that is clear the commonest of all secrets counts.
    let common = strength == Strength::Certain && ["secret", "password", "random"].contains(&text);
    if (literal::is_setting(text) && !common) || literal::is_prose(text) || text.contains(' ') {
        return None;
    }
    let wordy = literal::is_wordy(text) || (literal::is_object_name(text) && text.contains('-'));
    match strength {
        Strength::Certain if is_secrets_name(text) && kind != Kind::BasicAuth => Some(Tier::Statistical),
        Strength::Certain => Some(Tier::Named),
        Strength::Probable if wordy => Some(Tier::Statistical),
        // `token: root`
        Strength::Nameable if wordy => {
            (kind == Kind::Token && ["root", "admin"].contains(&text)).then_some(Tier::Statistical)
        }
        Strength::Probable | Strength::Nameable => Some(Tier::Named),
        Strength::Ambiguous => None,
    }
}

/// A literal under a password's name. There is no measure of how random it is: `mysql` is a password.
fn password(text: &str) -> Option<Tier> {
    let few_digits = text.len() < 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    // The label of a field.
    if few_digits || text == "Password" {
        return None;
    }
    if !literal::is_prose(text) {
        return Some(Tier::Named);
    }
    // A passphrase, or a few words about one.
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b' ');
    (plain && text.split(' ').count() <= 4).then_some(Tier::Statistical)
}

/// `oauth-client-secret`: more likely the name of a Secret than a secret.
fn is_secrets_name(text: &str) -> bool {
    text.contains('-')
        && literal::is_object_name(text)
        && literal::is_wordy(text)
        && text
            .split('-')
            .any(|word| matches!(word, "secret" | "secrets" | "credentials" | "creds" | "config"))
}
