//! What literals in a text lead to: URLs, headers, connection strings, hashes, statements.

mod connection;
pub(super) mod hash;
mod header;
mod statement;
mod url;

use super::literal::{self, Value};
use crate::finding::{Mitigation, Tier};
use crate::hit::{Anchor, Hit};
use crate::rule::Rule;

const PARTS: [&[Anchor]; 5] = [
    url::ANCHORS,
    header::ANCHORS,
    connection::ANCHORS,
    hash::ANCHORS,
    statement::ANCHORS,
];

const COUNT: usize = {
    let (mut count, mut part) = (0, 0);
    while part < PARTS.len() {
        count += PARTS[part].len();
        part += 1;
    }
    count
};

const JOINED: [Anchor; COUNT] = {
    let mut all = [PARTS[0][0]; COUNT];
    let (mut to, mut part) = (0, 0);
    while part < PARTS.len() {
        let mut from = 0;
        while from < PARTS[part].len() {
            all[to] = PARTS[part][from];
            to += 1;
            from += 1;
        }
        part += 1;
    }
    all
};

/// What to search texts for.
pub(super) const ANCHORS: &[Anchor] = &JOINED;

/// How far any of these looks, in bytes: what is longer is none.
const FAR: usize = 1024;

/// The text from an offset, cut where nothing looks any more.
fn ahead(text: &str, at: usize) -> &str {
    let rest = text.get(at..).unwrap_or_default();
    rest.get(..rest.floor_char_boundary(FAR)).unwrap_or(rest)
}

/// The text up to an offset, as far back as anything looks.
fn behind(text: &str, at: usize, far: usize) -> &str {
    let start = text.ceil_char_boundary(at.saturating_sub(far));
    text.get(start..at).unwrap_or_default()
}

/// The beginning of a text, of characters that pass.
fn while_in(text: &str, passes: impl Fn(u8) -> bool) -> &str {
    let end = text.bytes().position(|byte| !passes(byte)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// A hit for a value at an offset, if it is a literal or stands for one.
fn literal_hit(rule: &'static Rule, tier: Tier, at: usize, value: &str) -> Option<Hit> {
    if value.is_empty() {
        return None;
    }
    let span = at..at + value.len();
    if hash::is_hash(value) {
        return Some(hash::hit(span));
    }
    match literal::judge(value) {
        Value::Literal => Some(Hit::new(rule, tier, span)),
        Value::Placeholder => Some(Hit::new(rule, tier, span).mitigated(Mitigation::Placeholder)),
        Value::Reference | Value::Harmless => None,
    }
}
