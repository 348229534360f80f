//! Passwords and keys in connection strings: `Server=…;Password=…`, `host=… password=…`, `?user=…&password=…`.

use super::url::in_comment;
use super::{FAR, ahead, behind, literal_hit, while_in};
use crate::carrier::{literal, named, rules};
use crate::finding::{Mitigation, Tier};
use crate::hit::{Anchor, Hit, Input};
use crate::rule::Rule;

pub(super) const ANCHORS: &[Anchor] = &[
    password("Password="),
    password("password="),
    password("PASSWORD="),
    password("Password ="),
    password("Pwd="),
    password("pwd="),
    password("PWD="),
    key("AccountKey="),
    key("SharedAccessKey="),
    key("SharedSecretValue="),
    token("token="),
    api_key("api_key="),
    api_key("apikey="),
    api_key("apiKey="),
    api_key("api-key="),
    Anchor {
        literal: "client_secret=",
        find: |input, at| in_query(input, at, rules::CLIENT_SECRET),
    },
    registry(":_authToken="),
    registry(":_auth="),
    registry(":_password="),
];

const fn password(literal: &'static str) -> Anchor {
    Anchor {
        literal,
        find: |input, at| pair(input, at, rules::CONNECTION_STRING_PASSWORD),
    }
}

const fn key(literal: &'static str) -> Anchor {
    Anchor {
        literal,
        find: |input, at| pair(input, at, rules::CONNECTION_STRING_KEY),
    }
}

const fn token(literal: &'static str) -> Anchor {
    Anchor {
        literal,
        find: |input, at| in_query(input, at, rules::TOKEN),
    }
}

const fn api_key(literal: &'static str) -> Anchor {
    Anchor {
        literal,
        find: |input, at| in_query(input, at, rules::API_KEY),
    }
}

const fn registry(literal: &'static str) -> Anchor {
    Anchor {
        literal,
        find: of_registry,
    }
}

/// How far back a connection string's other pairs are looked for, in bytes.
const CONTEXT: usize = 256;

/// What a connection string has beside its password.
#[rustfmt::skip]
const NEIGHBOURS: &[&str] = &[
    "host", "user", "username", "user id", "uid", "server", "data source", "database", "dbname", "accountname",
    "endpoint", "sharedaccesskeyname", "hostname", "port", "initial catalog", "ssl", "addr", "driver",
    "defaultendpointsprotocol", "abortconnect", "service",
];

/// The longest password or key of a connection string.
const LONGEST: usize = 256;

/// A password's or a key's pair, where others stand beside it.
fn pair(input: &Input<'_>, at: usize, rule: &'static Rule) -> Option<Hit> {
    let before = behind(input.text, at, CONTEXT);
    // `trustStorePassword=` too.
    let before =
        before.trim_end_matches(|letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-'));
    let line = before.rsplit('\n').next().unwrap_or_default();
    let delimiter = match line.trim_end().bytes().next_back() {
        Some(mark @ (b';' | b'&' | b'?' | b',')) => mark,
        _ => line.bytes().next_back().unwrap_or(b'^'),
    };
    if !matches!(delimiter, b';' | b'&' | b'?' | b',' | b' ' | b'^' | b'"' | b'\'' | b'=') {
        return None;
    }
    let (start, value) = value(input.text, at, delimiter, LONGEST)?;
    if value.len() > LONGEST {
        return None;
    }
    let hit = literal_hit(rule, Tier::Named, start, value)?;
    let after = ahead(input.text, start + value.len());
    let after = after.get(..after.floor_char_boundary(CONTEXT)).unwrap_or(after);
    let after = after.split('\n').next().unwrap_or_default();
    if !has_neighbour(line) && !has_neighbour(after) {
        return None;
    }
    Some(
        if hit.mitigation.is_none() && !literal::looks_random(value) && in_comment(input.text, at) {
            hit.mitigated(Mitigation::Placeholder)
        } else {
            hit
        },
    )
}

/// Whether another pair of a connection string is in a text. It looks at a few only.
fn has_neighbour(text: &str) -> bool {
    text.contains("jdbc:")
        || text.contains("LoginModule")
        || text.match_indices('=').take(12).any(|(at, _)| {
            let name = text[..at].trim_end().as_bytes();
            NEIGHBOURS.iter().any(|other| {
                name.len() >= other.len() && name[name.len() - other.len()..].eq_ignore_ascii_case(other.as_bytes())
            })
        })
}

/// Where the value begins, and the value. It may be in quotes. One that is longer than `longest` may be cut there.
fn value(text: &str, at: usize, delimiter: u8, longest: usize) -> Option<(usize, &str)> {
    let name = while_in(ahead(text, at), |byte| byte != b'=');
    let mut start = at + name.len() + 1;
    let rest = ahead(text, start);
    // The quotes around it with their backslashes, which is also enough to tell that what follows is too long.
    let mut rest = rest.get(..rest.ceil_char_boundary(longest + 4)).unwrap_or(rest);
    if let Some(quote @ ('"' | '\'')) = rest.chars().next() {
        start += 1;
        rest = rest.get(1..)?;
        return rest.split_once(quote).map(|(value, _)| (start, value));
    }
    if let Some(inner) = rest.strip_prefix("\\\"") {
        return inner.split_once("\\\"").map(|(value, _)| (start + 2, value));
    }
    let value = while_in(rest, |byte| match byte {
        b'\n' | b'\r' | b'"' | b'\'' | b';' | b'<' | b'\\' => false,
        b' ' | b'\t' => delimiter == b';',
        b'&' | b'#' => !matches!(delimiter, b'&' | b'?'),
        b',' => delimiter != b',',
        _ => true,
    });
    Some((start, value))
}

/// A token in the query of a URL. It must look random: `?token=next` is a place in a list.
fn in_query(input: &Input<'_>, at: usize, rule: &'static Rule) -> Option<Hit> {
    let before = behind(input.text, at, 40);
    let before = before.trim_end_matches(|letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-'));
    if !before.ends_with(['?', '&']) {
        return None;
    }
    let (start, value) = value(input.text, at, b'&', FAR)?;
    (literal::looks_random(value) && !named::has_own_detector(value))
        .then(|| literal_hit(rule, Tier::Named, start, value))
        .flatten()
}

/// `//registry.npmjs.org/:_authToken=…`
fn of_registry(input: &Input<'_>, at: usize) -> Option<Hit> {
    let (start, value) = value(input.text, at, b' ', FAR)?;
    literal_hit(rules::TOKEN, Tier::Named, start, value.trim_end())
}
