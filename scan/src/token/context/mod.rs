//! Keys that only the name beside them tells: they have no prefix, and their form alone is that of many other things.

mod table;

use crate::hit::{Hit, Input};
use crate::rule::Rule;

use super::shape::{Part, parts_end};
use super::verdict::{Candidate, Verdict};

pub(super) use table::{NAMED, RULES};

/// A kind of key under a name.
pub(super) struct Named {
    pub rule: &'static Rule,
    /// What the name contains, in lower case and without what separates its words: all of these.
    pub words: &'static [&'static str],
    /// The whole value.
    pub parts: &'static [Part],
    /// How long the value is, at least and at most.
    length: (usize, usize),
    check: fn(&Candidate<'_>) -> Verdict,
}

const fn named(rule: &'static Rule, words: &'static [&'static str], parts: &'static [Part]) -> Named {
    Named {
        rule,
        words,
        parts,
        length: length(parts),
        check: |_| Verdict::Shaped,
    }
}

impl Named {
    const fn by(mut self, check: fn(&Candidate<'_>) -> Verdict) -> Self {
        self.check = check;
        self
    }
}

/// Most rows are out by the length of the value alone.
const fn length(parts: &[Part]) -> (usize, usize) {
    let (mut least, mut most) = (0, 0);
    let mut at = 0;
    while at < parts.len() {
        let (shortest, longest) = match parts[at] {
            Part::Run(_, shortest, longest) => (shortest, longest),
            Part::Is(text) => (text.len(), text.len()),
            Part::Padding => (0, 2),
        };
        least += shortest;
        most += longest;
        at += 1;
    }
    (least, most)
}

/// What a name ends with that says it names something else.
const NOT_SECRET: &[&str] = &[
    "id",
    "hash",
    "checksum",
    "digest",
    "fingerprint",
    "sha",
    "url",
    "host",
    "file",
    "path",
];

/// A provider's key that only the name beside it tells: 32 hexadecimal digits under `DATADOG_API_KEY`.
pub(super) fn find(input: &Input<'_>) -> Option<Hit> {
    let value = input
        .text
        .trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
    let fitting = |row: &&Named| (row.length.0..=row.length.1).contains(&value.len());
    if !NAMED.iter().any(|row| fitting(&row)) {
        return None;
    }
    let name = Name::of(input.name?);
    if NOT_SECRET.iter().any(|end| name.text().ends_with(end)) {
        return None;
    }
    let start = value.as_ptr().addr() - input.text.as_ptr().addr();
    let candidate = Candidate {
        token: value,
        body: value,
        input,
    };
    NAMED
        .iter()
        .filter(fitting)
        .filter(|row| row.words.iter().all(|word| name.text().contains(word)))
        .filter(|row| parts_end(row.parts, value.as_bytes(), 0) == Some(value.len()))
        .find_map(|row| (row.check)(&candidate).hit(row.rule, start..start + value.len(), &candidate))
}

/// A name in lower case and without what separates its words. Of a long one, the end.
struct Name {
    letters: [u8; Self::MOST],
    length: usize,
}

impl Name {
    const MOST: usize = 96;

    fn of(name: &str) -> Self {
        let mut letters = [0; Self::MOST];
        let mut start = Self::MOST;
        for byte in name.bytes().rev().filter(u8::is_ascii_alphanumeric).take(Self::MOST) {
            start -= 1;
            letters[start] = byte.to_ascii_lowercase();
        }
        Self {
            letters,
            length: Self::MOST - start,
        }
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.letters[Self::MOST - self.length..]).unwrap_or_default()
    }
}
