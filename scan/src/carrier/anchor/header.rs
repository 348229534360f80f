//! Credentials in headers: `Basic` (RFC 7617), `Bearer` (RFC 6750), and headers of keys in free text.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{ahead, behind, while_in};
use crate::carrier::literal::{self, Value};
use crate::carrier::{named, rules};
use crate::finding::{Mitigation, Tier};
use crate::hit::{Anchor, Hit, Input};
use crate::rule::Rule;

pub(super) const ANCHORS: &[Anchor] = &[
    Anchor {
        literal: "Basic ",
        find: basic,
    },
    Anchor {
        literal: "basic ",
        find: basic,
    },
    Anchor {
        literal: "Bearer ",
        find: bearer,
    },
    Anchor {
        literal: "bearer ",
        find: bearer,
    },
    key("X-Api-Key"),
    key("X-API-Key"),
    key("X-API-KEY"),
    key("x-api-key"),
    token("PRIVATE-TOKEN"),
    token("Private-Token"),
    token("private-token"),
    token("X-Auth-Token"),
    token("x-auth-token"),
    token("X-Vault-Token"),
    token("x-vault-token"),
    token("Authorization: token "),
    token("Authorization: Token "),
    token("Authorization: ApiKey "),
];

const fn key(literal: &'static str) -> Anchor {
    Anchor {
        literal,
        find: |input, at| free(input, at, rules::API_KEY),
    }
}

const fn token(literal: &'static str) -> Anchor {
    Anchor {
        literal,
        find: |input, at| free(input, at, rules::TOKEN),
    }
}

/// Padding is left out often enough.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// No user with a password is longer, in base64.
const LONGEST_BASIC: usize = 700;

fn begins_word(text: &str, at: usize) -> bool {
    !behind(text, at, 1).ends_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_')
}

fn basic(input: &Input<'_>, at: usize) -> Option<Hit> {
    let start = at + "Basic ".len();
    let run = while_in(ahead(input.text, start), |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
    });
    if run.len() < 8 || run.len() > LONGEST_BASIC || !begins_word(input.text, at) {
        return None;
    }
    let decoded = BASE64.decode(run.trim_end_matches('=')).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (user, password) = decoded.trim_end_matches(['\n', '\r']).split_once(':')?;
    if decoded.trim_end().chars().any(char::is_control) || user.contains(' ') || password.is_empty() {
        return None;
    }
    let hit = Hit::new(rules::BASIC_AUTH, Tier::Proven, start..start + run.len());
    match literal::judge(password) {
        Value::Literal => Some(hit),
        Value::Placeholder => Some(hit.mitigated(Mitigation::Placeholder)),
        Value::Reference | Value::Harmless => None,
    }
}

fn bearer(input: &Input<'_>, at: usize) -> Option<Hit> {
    let start = at + "Bearer ".len();
    let run = token_run(ahead(input.text, start));
    if !begins_word(input.text, at) || !is_opaque(run, behind(input.text, at, 24).contains("uthorization")) {
        return None;
    }
    Some(Hit::new(rules::BEARER_TOKEN, Tier::Named, start..start + run.len()))
}

/// The characters of a token (RFC 6750 section 2.1), and those that others use.
fn token_run(text: &str) -> &str {
    while_in(text, |byte| {
        byte.is_ascii_alphanumeric() || b"._~+/=-:!@".contains(&byte)
    })
    .trim_end_matches(['.', ':', '!'])
}

/// Whether a text is a token that nobody else judges. After a header's name it need not look random, but be no words.
fn is_opaque(run: &str, after_name: bool) -> bool {
    let digits = run.bytes().filter(u8::is_ascii_digit).count();
    let shaped = literal::looks_random(run) || (after_name && run.len() >= 8 && digits >= 3 && !literal::is_wordy(run));
    shaped && !named::has_own_detector(run) && !literal::is_setting(run) && literal::judge(run) == Value::Literal
}

/// A header's name and its value in free text: Lua, a web server's configuration, a script.
fn free(input: &Input<'_>, at: usize, rule: &'static Rule) -> Option<Hit> {
    if !begins_word(input.text, at) {
        return None;
    }
    let rest = ahead(input.text, at);
    let name = while_in(rest, |byte| byte.is_ascii_alphabetic() || byte == b'-');
    let mut rest = rest.get(name.len()..)?;
    let gap = while_in(rest, |byte| {
        matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b':' | b',' | b'=')
    });
    if gap.is_empty() || gap.len() > 8 {
        return None;
    }
    rest = rest.get(gap.len()..)?;
    let mut start = at + name.len() + gap.len();
    for scheme in ["token ", "Token ", "ApiKey "] {
        if let Some(after) = rest.strip_prefix(scheme) {
            rest = after;
            start += scheme.len();
        }
    }
    let run = token_run(rest);
    is_opaque(run, true).then(|| Hit::new(rule, Tier::Named, start..start + run.len()))
}
