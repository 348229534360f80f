//! Hashes of passwords, as crypt(5), Apache's htpasswd and LDAP (RFC 3112, RFC 2307) write them.

use crate::carrier::rules;
use std::ops::Range;

use crate::finding::{Mitigation, Tier};
use crate::hit::{Anchor, Hit, Input};

/// What begins a hash, and how much must follow at least, of the alphabets of crypt(5) and base64.
const KINDS: &[(&str, usize)] = &[
    ("$2y$", 50),
    ("$2a$", 50),
    ("$2b$", 50),
    ("$apr1$", 20),
    ("$1$", 20),
    ("$5$", 40),
    ("$6$", 80),
    ("$y$", 50),
    ("$argon2", 40),
    ("$pbkdf2", 30),
    ("{SHA}", 28),
    ("{SSHA}", 32),
    ("{SHA256}", 40),
    ("{SSHA256}", 40),
    ("{SHA512}", 80),
    ("{SSHA512}", 80),
    ("{PBKDF2", 30),
];

/// What to search texts for.
pub(super) const ANCHORS: &[Anchor] = &[
    anchor("$2y$"),
    anchor("$2a$"),
    anchor("$2b$"),
    anchor("$apr1$"),
    anchor("$1$"),
    anchor("$5$"),
    anchor("$6$"),
    anchor("$y$"),
    anchor("$argon2"),
    anchor("$pbkdf2"),
    anchor("{SHA}"),
    anchor("{SSHA}"),
    anchor("{SHA256}"),
    anchor("{SSHA256}"),
    anchor("{SHA512}"),
    anchor("{SSHA512}"),
    anchor("{PBKDF2"),
];

const fn anchor(literal: &'static str) -> Anchor {
    Anchor { literal, find }
}

/// No hash is longer.
const LONGEST: usize = 256;

fn find(input: &Input<'_>, at: usize) -> Option<Hit> {
    let text = &input.text[at..];
    let (start, _) = KINDS.iter().find(|(start, _)| text.starts_with(start))?;
    let body = text.as_bytes()[start.len()..]
        .iter()
        .take(LONGEST)
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"./+=$,-_}".contains(byte))
        .count();
    let end = at + start.len() + body;
    is_hash(input.text.get(at..end)?).then(|| hit(at..end))
}

/// A hash that is all of a text.
pub(in crate::carrier) fn is_hash(text: &str) -> bool {
    let Some((start, least)) = KINDS.iter().find(|(start, _)| text.starts_with(start)) else {
        return false;
    };
    let body = &text[start.len()..];
    // Salt and hash, and perhaps rounds before them.
    let parts = body.split('$').count();
    let parted = match *start {
        "$1$" | "$apr1$" => parts == 2,
        "$5$" | "$6$" => parts == 2 || parts == 3,
        "$y$" => parts == 3,
        _ => true,
    };
    parted && body.len() >= *least && body.len() <= LONGEST && !body.contains(char::is_whitespace)
}

/// What a hash is reported as.
pub(in crate::carrier) fn hit(span: Range<usize>) -> Hit {
    Hit::new(rules::PASSWORD_HASH, Tier::Shaped, span).mitigated(Mitigation::Hash)
}
