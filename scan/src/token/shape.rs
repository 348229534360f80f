//! Alphabets, boundaries, and the one detector that reads the forms of tokens from tables.

use std::ops::Range;

use crate::finding::{Lifetime, Mitigation, Tier};
use crate::hit::{Hit, Input};
use crate::rule::Rule;

use super::placeholder::is_placeholder;

/// A set of ASCII characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alphabet(u128);

impl Alphabet {
    pub const fn of(characters: &str) -> Self {
        Self(0).and(characters)
    }

    pub const fn and(self, characters: &str) -> Self {
        let bytes = characters.as_bytes();
        let mut set = self.0;
        let mut at = 0;
        while at < bytes.len() {
            set |= 1 << bytes[at];
            at += 1;
        }
        Self(set)
    }

    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn has(self, byte: u8) -> bool {
        byte < 128 && self.0 >> byte & 1 == 1
    }

    /// How many of the characters are of this alphabet.
    pub fn run_of(self, text: &str) -> usize {
        text.bytes().filter(|byte| self.has(*byte)).count()
    }

    /// How many characters from `from` on are of this alphabet, but not more than `most`.
    pub fn run(self, bytes: &[u8], from: usize, most: usize) -> usize {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take(most).take_while(|byte| self.has(**byte)).count()
    }
}

pub(super) const DIGIT: Alphabet = Alphabet::of("0123456789");
pub(super) const HEX: Alphabet = DIGIT.and("abcdef");
/// Hexadecimal digits of either case.
pub(super) const ANY_HEX: Alphabet = HEX.and("ABCDEF");
pub(super) const LOWER: Alphabet = Alphabet::of("abcdefghijklmnopqrstuvwxyz");
pub(super) const UPPER: Alphabet = Alphabet::of("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
pub(super) const LETTER: Alphabet = LOWER.or(UPPER);
pub(super) const LOWER_DIGIT: Alphabet = LOWER.or(DIGIT);
pub(super) const UPPER_DIGIT: Alphabet = UPPER.or(DIGIT);
pub(super) const BASE62: Alphabet = LETTER.or(DIGIT);
/// RFC 4648 section 6.
pub(super) const BASE32: Alphabet = UPPER.and("234567");
/// RFC 4648 section 4, without the padding.
pub(super) const BASE64: Alphabet = BASE62.and("+/");
/// RFC 4648 section 5, without the padding.
pub(super) const BASE64URL: Alphabet = BASE62.and("-_");

/// A piece of a token.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// So many characters of an alphabet, at least and at most. It takes as many as there are.
    Run(Alphabet, usize, usize),
    /// Just this.
    Is(&'static str),
    /// The padding of base64, if there is some: up to two `=`.
    Padding,
}

impl Part {
    /// Where this part ends, if it stands at `from`.
    fn end(self, bytes: &[u8], from: usize) -> Option<usize> {
        match self {
            Self::Run(alphabet, least, most) => {
                let length = alphabet.run(bytes, from, most);
                (length >= least).then_some(from + length)
            }
            Self::Is(text) => bytes
                .get(from..)?
                .starts_with(text.as_bytes())
                .then_some(from + text.len()),
            Self::Padding => Some(from + PADDING.run(bytes, from, 2)),
        }
    }
}

const PADDING: Alphabet = Alphabet::of("=");

/// Where the parts end that begin at `from`, if they are there and the last is whole.
pub(super) fn parts_end(parts: &[Part], bytes: &[u8], from: usize) -> Option<usize> {
    let end = parts.iter().try_fold(from, |at, part| part.end(bytes, at))?;
    let last = parts.iter().rev().find_map(|part| match part {
        Part::Run(alphabet, ..) => Some(*alphabet),
        _ => None,
    });
    let goes_on = bytes
        .get(end)
        .is_some_and(|&next| is_word(next) || last.is_some_and(|alphabet| alphabet.has(next)));
    (!goes_on).then_some(end)
}

/// Whether a token can begin here: not within a word.
pub(super) fn begins(bytes: &[u8], at: usize) -> bool {
    match bytes.get(..at) {
        Some([.., before]) => !is_word(*before) || escape_ends(bytes, at),
        _ => true,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether an escape ends here, whose last letter is none of the text: `\n`, `\u0026`, `%3D`.
fn escape_ends(bytes: &[u8], at: usize) -> bool {
    match bytes.get(..at) {
        Some([.., b'\\', b'n' | b'r' | b't']) => true,
        Some([.., b'%', a, b]) => a.is_ascii_hexdigit() && b.is_ascii_hexdigit(),
        Some([.., b'\\', b'u', a, b, c, d]) => [a, b, c, d].into_iter().all(u8::is_ascii_hexdigit),
        _ => false,
    }
}

/// What can be a token: it has the characters of one.
pub(super) struct Candidate<'a> {
    /// All of it.
    pub token: &'a str,
    /// What follows its literal.
    pub body: &'a str,
    pub input: &'a Input<'a>,
}

/// What a closer look says of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is none.
    No,
    /// It has the form, and more cannot be told.
    Shaped,
    /// Its checksum fits, or it was parsed.
    Proven,
    /// It has a checksum, which does not fit.
    Unproven,
    /// It is for tests by its form.
    Test,
    /// It was parsed, and says when it ends, in seconds since 1970; or that it never does.
    Lives { issued: Option<i64>, end: Option<i64> },
}

impl Verdict {
    /// For a checksum that decides.
    pub fn by_checksum(fits: bool) -> Self {
        if fits { Self::Proven } else { Self::Unproven }
    }

    /// For a checksum that speaks for a token, never against it.
    pub fn for_checksum(fits: bool) -> Self {
        if fits { Self::Proven } else { Self::Shaped }
    }

    /// The hit that it makes of a candidate.
    pub fn hit(self, rule: &'static Rule, span: Range<usize>, candidate: &Candidate<'_>) -> Option<Hit> {
        let shaped = Hit::new(rule, Tier::Shaped, span.clone());
        match self {
            Self::No => None,
            Self::Proven => Some(Hit::new(rule, Tier::Proven, span)),
            Self::Lives { issued, end } => lives(Hit::new(rule, Tier::Proven, span), candidate.input, issued, end),
            Self::Test => Some(shaped.mitigated(Mitigation::Test)),
            Self::Shaped | Self::Unproven if is_placeholder(candidate.body) => {
                Some(shaped.mitigated(Mitigation::Placeholder))
            }
            Self::Shaped => Some(shaped),
            Self::Unproven => Some(shaped.mitigated(Mitigation::Unproven)),
        }
    }
}

/// A token that lives no longer than it may is no finding.
fn lives(hit: Hit, input: &Input<'_>, issued: Option<i64>, end: Option<i64>) -> Option<Hit> {
    let Some(end) = end else {
        return Some(hit.living(Lifetime::Endless));
    };
    if end <= input.now {
        return Some(hit.mitigated(Mitigation::Expired));
    }
    let seconds = end.saturating_sub(issued.unwrap_or(input.now));
    (seconds > input.limits.token).then(|| hit.living(Lifetime::Seconds(seconds)))
}

/// The form of a kind of token.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub rule: &'static Rule,
    /// What stands before the literal: the alphabet, and how many at least and at most.
    pub before: Option<(Alphabet, usize, usize)>,
    /// What follows the literal.
    pub parts: &'static [Part],
    pub check: fn(&Candidate<'_>) -> Verdict,
}

/// A literal and the parts that follow it.
pub(super) const fn shape(rule: &'static Rule, parts: &'static [Part]) -> Shape {
    Shape {
        rule,
        before: None,
        parts,
        check: |_| Verdict::Shaped,
    }
}

impl Shape {
    /// So many characters of an alphabet stand before the literal.
    pub const fn before(mut self, alphabet: Alphabet, least: usize, most: usize) -> Self {
        self.before = Some((alphabet, least, most));
        self
    }

    /// More has to be looked at than the characters.
    pub const fn check(mut self, check: fn(&Candidate<'_>) -> Verdict) -> Self {
        self.check = check;
        self
    }

    /// It is for tests by its form.
    pub const fn for_tests(self) -> Self {
        self.check(|_| Verdict::Test)
    }

    /// The token whose literal stands at `at`.
    pub fn find(&self, literal: &str, input: &Input<'_>, at: usize) -> Option<Hit> {
        let bytes = input.text.as_bytes();
        let start = self.start(bytes, at)?;
        let behind = at + literal.len();
        let end = parts_end(self.parts, bytes, behind)?;
        let token = input.text.get(start..end)?;
        let body = if start == at {
            input.text.get(behind..end)?
        } else {
            token
        };
        let candidate = Candidate { token, body, input };
        (self.check)(&candidate).hit(self.rule, start..end, &candidate)
    }

    fn start(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let start = match self.before {
            None => at,
            Some((alphabet, least, most)) => {
                let length = run_back(alphabet, bytes, at, most + 1);
                if !(least..=most).contains(&length) {
                    return None;
                }
                at - length
            }
        };
        begins(bytes, start).then_some(start)
    }
}

/// How many characters before `at` are of the alphabet, but not more than `most`. An escape is none of them.
fn run_back(alphabet: Alphabet, bytes: &[u8], at: usize, most: usize) -> usize {
    (0..most)
        .find(|length| {
            let here = at - length;
            here == 0 || !alphabet.has(bytes[here - 1]) || (is_word(bytes[here - 1]) && escape_ends(bytes, here))
        })
        .unwrap_or(most)
}
