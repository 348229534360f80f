//! What a value is: a literal, something that stands for one, or nothing secret at all.

mod place;
mod placeholder;
mod reference;
mod shape;

pub(super) use shape::{is_object_name, is_prose, is_wordy, looks_random};

use place::{is_pattern, is_place, is_structure};
use placeholder::is_placeholder;
use reference::{is_encrypted, is_reference};

/// What a value is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// It may be a secret, if its name asks for one.
    Literal,
    /// It is to be replaced by one: `CHANGEME`, `<password>`.
    Placeholder,
    /// It says where one is, or is one that is encrypted: `$(DB_PASSWORD)`, `vault:secret/db`, `ENC[AES256_GCM,…]`.
    Reference,
    /// It cannot be one: empty, `true`, `/etc/tls/key.pem`, a URL without a password.
    Harmless,
}

/// What a value is. It is trimmed already.
pub(super) fn judge(text: &str) -> Value {
    if is_nothing(text) || is_masked(text) {
        Value::Harmless
    } else if is_reference(text) || is_encrypted(text) {
        Value::Reference
    } else if is_place(text) || is_structure(text) || is_pattern(text) {
        Value::Harmless
    } else if is_placeholder(text) {
        Value::Placeholder
    } else {
        Value::Literal
    }
}

/// Words that say that there is none, under any name.
#[rustfmt::skip]
const NOTHING: &[&str] = &[
    "true", "false", "yes", "no", "on", "off", "none", "null", "nil", "undefined", "n/a", "na", "unset", "empty", "~",
    "enabled", "disabled",
];

fn is_nothing(text: &str) -> bool {
    text.len() < 2 || is_one_of(text, NOTHING)
}

fn is_one_of(text: &str, words: &[&str]) -> bool {
    text.len() <= 24 && words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// `******`, `------`.
fn is_masked(text: &str) -> bool {
    let first = text.as_bytes()[0];
    text.starts_with('•')
        // `**SOPS**`
        || (text.starts_with("**") && text.ends_with("**"))
        || !first.is_ascii_alphanumeric() && text.bytes().all(|byte| byte == first)
}

/// Words that are settings, where the name only may ask for a secret.
#[rustfmt::skip]
const SETTINGS: &[&str] = &[
    "required", "optional", "default", "auto", "automatic", "always", "never", "bearer", "basic", "digest", "token",
    "jwt", "oidc", "oauth", "oauth2", "saml", "ldap", "file", "string", "object", "array", "boolean", "integer",
    "password", "passwd", "secret", "secrets", "key", "apikey", "api-key", "api_key", "header", "query", "cookie",
    "body", "env", "any", "all", "allow", "deny", "opaque", "plain", "plaintext", "text", "literal", "raw", "json",
    "yaml", "hmac", "rsa", "aes", "internal", "external", "vault", "kubernetes", "k8s", "aws", "gcp", "azure",
    "client_secret_basic", "client_secret_post", "private_key_jwt", "authorization", "access_token", "id_token",
    "refresh_token", "username", "user", "name", "value", "data", "tls", "random", "generated", "generate",
    "serviceaccount", "service-account", "service_account",
];

/// Whether a value is a word of a setting, a number, a time or a size: a secret only under a password's name.
pub(super) fn is_setting(text: &str) -> bool {
    is_one_of(text, SETTINGS) || is_quantity(text)
}

/// `3600`, `-1`, `10m`, `1h30m`, `512Mi`, `0.5`, `50%`.
fn is_quantity(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    if text.len() > 20 || !text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let mut units = 0;
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'.' | b',' | b':' => units = 0,
            b'n' | b'u' | b's' | b'm' | b'h' | b'd' | b'w' | b'y' | b'k' | b'K' | b'M' | b'G' | b'T' | b'P' | b'i'
            | b'B' | b'%'
                if units < 2 =>
            {
                units += 1;
            }
            _ => return false,
        }
    }
    true
}
