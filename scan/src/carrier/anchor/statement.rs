//! Passwords in statements: SQL's `IDENTIFIED BY '…'`, netrc's `machine … login … password …`.

use super::url::in_comment;
use super::{ahead, behind, literal_hit, while_in};
use crate::carrier::{literal, rules};
use crate::finding::{Mitigation, Tier};
use crate::hit::{Anchor, Hit, Input};

pub(super) const ANCHORS: &[Anchor] = &[
    sql("IDENTIFIED BY "),
    sql("identified by "),
    sql("PASSWORD '"),
    sql("password '"),
    sql("Password '"),
    Anchor {
        literal: "machine ",
        find: netrc,
    },
];

const fn sql(literal: &'static str) -> Anchor {
    Anchor {
        literal,
        find: in_quotes,
    }
}

/// What stands before a password in a statement that sets one.
const STATEMENTS: &[&str] = &["user", "role", "login", "with", "grant", "identified"];

/// `CREATE USER app WITH PASSWORD '…'`
fn in_quotes(input: &Input<'_>, at: usize) -> Option<Hit> {
    let rest = ahead(input.text, at);
    let opening = while_in(rest, |byte| byte.is_ascii_alphabetic() || byte == b' ');
    let quote = rest
        .as_bytes()
        .get(opening.len())
        .filter(|byte| matches!(byte, b'\'' | b'"'))?;
    let identified = rest
        .get(..10)
        .is_some_and(|word| word.eq_ignore_ascii_case("identified"));
    if !identified && !in_statement(behind(input.text, at, 160)) {
        return None;
    }
    let start = at + opening.len() + 1;
    let (value, _) = rest.get(opening.len() + 1..)?.split_once(char::from(*quote))?;
    let hit = literal_hit(rules::PASSWORD, Tier::Named, start, value)?;
    // `'` || variable || `'`, and `%s`.
    if literal::is_prose(value) || value.contains(['\n', '$']) {
        return None;
    }
    Some(if in_comment(input.text, at) {
        hit.mitigated(Mitigation::Placeholder)
    } else {
        hit
    })
}

fn in_statement(before: &str) -> bool {
    let statement = before.rsplit(';').next().unwrap_or_default();
    let mut words = statement.split_ascii_whitespace();
    words.any(|word| STATEMENTS.iter().any(|other| word.eq_ignore_ascii_case(other)))
}

/// An entry of a `.netrc` file: after the machine's name, words and their values.
fn netrc(input: &Input<'_>, at: usize) -> Option<Hit> {
    if !behind(input.text, at, 1).trim().is_empty() {
        return None;
    }
    let start = at + "machine ".len();
    let rest = ahead(input.text, start);
    let mut words = rest.split_ascii_whitespace().take(12);
    words.next()?;
    while let (Some(word), Some(value)) = (words.next(), words.next()) {
        match word {
            "login" | "account" => {}
            "password" => {
                let offset = value.as_ptr() as usize - rest.as_ptr() as usize;
                return literal_hit(rules::PASSWORD, Tier::Named, start + offset, value);
            }
            _ => return None,
        }
    }
    None
}
