//! The forms of tokens, as the tables write them, and the one detector that reads them.

use crate::hit::{Hit, Input};
use crate::rule::Rule;

use super::alphabet::Alphabet;
use super::verdict::{Candidate, Verdict};

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
