//! Names that ask for a secret and what stands after them, in any file of lines: properties, INI, HCL, PHP, and what no
//! parser takes because it is a template.
//!
//! The stems of such names are searched for; what is around each is looked at, within its line and a bound.

mod line;
mod value;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};

use crate::carrier::literal::{self, Value};
use crate::carrier::name::{self, Kind};
use crate::tree::Node;
use line::{Line, is_code};
use value::{is_expression, value};

/// The parts that a name must have, for all that [`asked`] accepts.
#[rustfmt::skip]
const STEMS: &[&str] = &[
    "pass", "pwd", "secret", "token", "key", "cred", "auth", "cookie", "salt", "psk", "pw", "bearer", "seed", "unseal",
];

/// What only a parser shows: objects of Kubernetes, keys.
const SIGNS: &[&str] = &["apiversion", "-----begin", "\"kty\"", "\\\"kty\\\"", "kty:"];

/// Programs that take passwords without a name.
#[rustfmt::skip]
const PROGRAMS: &[&str] = &[
    "mysql", "mariadb", "curl ", "sshpass", "redis-cli", "mongo", "rabbitmqctl", "kubeadm join", "ldapsearch", "sqlcmd",
    "htpasswd", "chpasswd",
];

static SEARCH: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasickBuilder::new()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA))
        .match_kind(MatchKind::LeftmostLongest)
        .build(STEMS.iter().chain(SIGNS).chain(PROGRAMS))
        .ok()
});

/// The longest value that is looked at.
const LONGEST: usize = 1024;
/// The same, once much was looked at in vain: a row of names without values must not cost its length for each.
const LONGEST_OF_MANY: usize = 64;
/// How often, on average, each byte may be looked at in vain before.
const IN_VAIN: usize = 2;
/// The longest name.
const LONGEST_NAME: usize = 120;
/// How far back the section of a file is looked for.
const SECTION: usize = 8192;

/// A name, and the value after it.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    name: &'a str,
    value: Cow<'a, str>,
    at: usize,
}

/// The `[section]` in which a place is: the last one that begins between two places, or none of them.
fn section(text: &str, after: usize, at: usize) -> Option<&str> {
    let from = text.ceil_char_boundary(at.saturating_sub(SECTION).max(after));
    let before = text.get(from..at)?;
    let start = before
        .rfind("\n[")
        .map(|start| start + 2)
        .or_else(|| (from == 0 && before.starts_with('[')).then_some(1))?;
    let line = before[start..].lines().next()?;
    line.trim_start_matches('[').split(']').next()
}

/// Candidates as members of an object, in their order. The section of the file stands before each name.
pub(super) fn members<'a>(text: &'a str, candidates: Vec<Candidate<'a>>) -> Vec<(Cow<'a, str>, Node<'a>)> {
    let (mut after, mut current) = (0, None);
    candidates
        .into_iter()
        .map(|pair| {
            // What was looked at for the one before is not looked at again.
            current = section(text, after, pair.at).or(current);
            after = pair.at;
            let fits = |section: &&str| !section.is_empty() && section.len() <= LONGEST_NAME;
            let name = current.filter(fits).map_or(Cow::Borrowed(pair.name), |section| {
                Cow::Owned(format!("{section}.{}", pair.name))
            });
            (name, Node::String(pair.value))
        })
        .collect()
}

/// Names and values with the line of each, from 0.
pub(in crate::carrier) fn pairs(text: &str) -> Vec<(Cow<'_, str>, Cow<'_, str>, usize)> {
    let (mut line, mut from) = (0, 0);
    find(text, "")
        .candidates
        .into_iter()
        .map(|pair| {
            line += memchr::memchr_iter(b'\n', &text.as_bytes()[from..pair.at]).count();
            from = pair.at;
            (Cow::Borrowed(pair.name), pair.value, line)
        })
        .collect()
}

/// What one pass over a text finds.
#[derive(Debug, Default)]
pub(super) struct Found<'a> {
    /// Everything that a name may make a secret.
    pub candidates: Vec<Candidate<'a>>,
    /// Whether there is what only a parser shows, such as a name where a value is: `- name: DB_PASSWORD`.
    pub more: bool,
    /// Whether there may be commands that take a password.
    pub commands: bool,
}

/// How much of the line after a name is looked at, to see whether anything stands in it.
const LONGEST_OPENING: usize = 64;

/// Looks through a text.
pub(super) fn find<'a>(text: &'a str, file: &str) -> Found<'a> {
    let mut found = Found::default();
    let Some(search) = SEARCH.as_ref() else {
        return found;
    };
    let code = is_code(file, text);
    let mut line = Line::default();
    let mut past = 0;
    let mut left = IN_VAIN * text.len() + LONGEST;
    for part in search.find_iter(text) {
        let pattern = part.pattern().as_usize();
        found.commands |= pattern >= STEMS.len() + SIGNS.len();
        found.more |= (STEMS.len()..STEMS.len() + SIGNS.len()).contains(&pattern);
        if pattern >= STEMS.len() || part.start() < past {
            continue;
        }
        let (start, end) = name_around(text.as_bytes(), part.start(), part.end());
        past = end;
        line.advance(text, start);
        if let Some((pair, end)) = candidate(text, start..end, &line, code, &mut left) {
            past = end;
            found.candidates.push(pair);
        } else if !found.more {
            found.more = is_mention(text, start, end) || opens_block(text, start, end);
        }
    }
    found
}

/// What follows a name in its line, up to a length.
fn after(text: &str, end: usize, longest: usize) -> &str {
    let rest = text
        .get(end..text.floor_char_boundary((end + longest).min(text.len())))
        .unwrap_or_default();
    let line = memchr::memchr2(b'\n', b'\r', rest.as_bytes()).unwrap_or(rest.len());
    &rest[..line]
}

/// Whether a name is the value of something that may be called `name`.
fn is_mention(text: &str, start: usize, end: usize) -> bool {
    matches!(byte_before(text, start), Some(b':' | b'>' | b'='))
        && text.get(start..end).is_some_and(|name| name::judge(name).is_some())
}

/// Whether what a name stands for begins after its line: in a block or a member of YAML, or in a section of its own.
fn opens_block(text: &str, start: usize, end: usize) -> bool {
    if !matches!(
        text.as_bytes().get(end),
        None | Some(b':' | b']' | b'"' | b'\'' | b' ' | b'\t' | b'\r' | b'\n')
    ) {
        return false;
    }
    let rest = after(text, end, LONGEST_OPENING).trim_start_matches(['"', '\'']).trim();
    let opens = match rest.strip_prefix(':') {
        Some(value) => {
            let value = value.split(" #").next().unwrap_or_default().trim();
            value.is_empty() || value.starts_with(['|', '>', '{', '[', '!', '&'])
        }
        // `? password` and `[password]`, whose values come in other lines.
        None if rest.is_empty() => byte_before(text, start) == Some(b'?'),
        None => matches!(rest, "]" | "]]") && byte_before(text, start) == Some(b'['),
    };
    opens && text.get(start..end).is_some_and(|name| asked(name).is_some())
}

/// The byte before a place, but for a few blanks and quotes.
fn byte_before(text: &str, at: usize) -> Option<u8> {
    let bytes = text.as_bytes()[..at].iter().rev().take(4);
    bytes.copied().find(|byte| !matches!(byte, b' ' | b'"' | b'\''))
}

fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn name_around(bytes: &[u8], start: usize, end: usize) -> (usize, usize) {
    let before = bytes[..start]
        .iter()
        .rev()
        .take(LONGEST_NAME)
        .take_while(|byte| in_name(**byte))
        .count();
    let after = bytes[end..]
        .iter()
        .take(LONGEST_NAME)
        .take_while(|byte| in_name(**byte))
        .count();
    (start - before, end + after)
}

/// Names of keys that are known by their form and their name, which the name alone does not make a secret.
const KEYS: [&str; 6] = ["privatekey", "presharedkey", "wireguard", "unseal", "seed", "nkey"];

/// What a name asks for: all of it, or what stands after its last dot.
fn asked(name: &str) -> Option<Kind> {
    let judged = |name| name::judge(name).map(|asked| asked.kind);
    let last = || name.rsplit_once('.').and_then(|(_, last)| judged(last));
    judged(name)
        .or_else(last)
        .or_else(|| KEYS.iter().any(|key| contains_word(name, key)).then_some(Kind::Signing))
}

/// Whether a name has a word in it, written in any way: `private_key`, `PrivateKey`.
fn contains_word(name: &str, word: &str) -> bool {
    let letters = |from: usize| {
        name.as_bytes()[from..]
            .iter()
            .filter(|byte| byte.is_ascii_alphanumeric())
    };
    (0..name.len()).any(|from| {
        let mut there = letters(from);
        word.bytes()
            .all(|byte| there.next().is_some_and(|other| other.eq_ignore_ascii_case(&byte)))
    })
}

/// The pair whose name is between two places, and where its value ends. `left` is how much may still be looked at in
/// vain.
fn candidate<'a>(
    text: &'a str,
    Range { start, end }: Range<usize>,
    line: &Line,
    code: bool,
    left: &mut usize,
) -> Option<(Candidate<'a>, usize)> {
    if line.comment {
        return None;
    }
    let name = text.get(start..end)?;
    let rest = after(text, end, if *left > 0 { LONGEST } else { LONGEST_OF_MANY });
    if !rest.starts_with(['"', '\'', ']', ' ', '\t', '=', ':', '?', '+', '>', '\\']) {
        return None;
    }
    // A part of something else: `urn:k8s:secret:name`.
    if rest.starts_with(':') && text.as_bytes()[..start].ends_with(b":") {
        return None;
    }
    let kind = asked(name)?;
    let before = text
        .get(line.start..start)
        .filter(|before| before.len() <= LONGEST_NAME);
    let (value, quoted) = value(before, rest, kind, line.inline)?;
    *left = left.saturating_sub(value.len());
    if value.is_empty() || (!quoted && (code || line.code || is_expression(&value))) {
        return None;
    }
    // A sentence: `and the password: see there`.
    let after_word =
        before.is_some_and(|before| before.ends_with(' ') && before.trim_end().ends_with(char::is_alphabetic));
    if !quoted && after_word && value.contains(' ') && !value.contains(" -") {
        return None;
    }
    // In a command's line the first word is the value: `PGPASSWORD=$X psql -h db`.
    let word = value.split(' ').next().unwrap_or_default();
    let harmless = |text: &str| matches!(literal::judge(text), Value::Harmless | Value::Reference);
    if word.is_empty() || harmless(&value) || (!quoted && harmless(word)) {
        return None;
    }
    let past = end + value.len();
    let command = !quoted && value.contains(" -");
    let value = if command { Cow::Owned(word.to_owned()) } else { value };
    Some((Candidate { name, value, at: start }, past))
}
