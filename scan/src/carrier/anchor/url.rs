//! Passwords in URLs: `scheme://user:password@host` (RFC 3986 section 3.2.1).

use super::{ahead, behind, literal_hit, while_in};
use crate::carrier::{literal, rules};
use crate::finding::{Mitigation, Tier};
use crate::hit::{Anchor, Hit, Input};

pub(super) const ANCHORS: &[Anchor] = &[
    Anchor {
        literal: "://",
        find: userinfo,
    },
    Anchor {
        literal: "jdbc:oracle:thin:",
        find: oracle,
    },
];

fn userinfo(input: &Input<'_>, at: usize) -> Option<Hit> {
    let start = at + "://".len();
    let authority = while_in(ahead(input.text, start), |byte| {
        byte > b' ' && !matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\')
    });
    let (userinfo, host) = authority.rsplit_once('@')?;
    if host.is_empty() || host.starts_with("sha256:") || !has_scheme(input.text, at) {
        return None;
    }
    let Some((user, password)) = userinfo.split_once(':') else {
        return user_only(input.text, start, userinfo, host);
    };
    // A list of hosts with their ports: `http://a:80,b@c`.
    let port = while_in(password, |byte| byte.is_ascii_digit());
    if !port.is_empty() && password[port.len()..].starts_with(',') {
        return None;
    }
    let hit = literal_hit(rules::URL_PASSWORD, Tier::Shaped, start + user.len() + 1, password)?;
    Some(
        if hit.mitigation.is_none() && is_example(input.text, at, user, password, host) {
            hit.mitigated(Mitigation::Placeholder)
        } else {
            hit
        },
    )
}

fn has_scheme(text: &str, at: usize) -> bool {
    behind(text, at, 1).ends_with(|letter: char| letter.is_ascii_alphanumeric())
}

/// `https://token@host`. A user alone is no secret, unless it looks random and is not the public key of an error tracker.
fn user_only(text: &str, start: usize, user: &str, host: &str) -> Option<Hit> {
    let path = ahead(text, start + user.len() + 1 + host.len());
    let project = while_in(path.strip_prefix('/').unwrap_or_default(), |byte| byte.is_ascii_digit());
    let tracker = host.contains("sentry") || !project.is_empty();
    (!tracker && user.len() >= 16 && literal::looks_random(user) && literal::judge(user) == literal::Value::Literal)
        .then(|| Hit::new(rules::URL_PASSWORD, Tier::Statistical, start..start + user.len()))
}

/// `postgres://user:password@host` as documentation writes it, or a word in a comment.
fn is_example(text: &str, at: usize, user: &str, password: &str, host: &str) -> bool {
    let is_any = |word: &str, words: &[&str]| words.iter().any(|other| word.eq_ignore_ascii_case(other));
    let host = host.split([':', ',']).next().unwrap_or_default();
    let documented = is_any(user, &["user", "username", "usr", "login"])
        && is_any(password, &["pass", "password", "passwd", "pwd", "secret"])
        && (is_any(host, &["host", "hostname", "server", "ip", "address"]) || host.contains("example"));
    documented || (!literal::looks_random(password) && in_comment(text, at))
}

/// Whether a place is in a comment that fills its line.
pub(super) fn in_comment(text: &str, at: usize) -> bool {
    let line = behind(text, at, 200);
    let line = line.rsplit('\n').next().unwrap_or_default().trim_start();
    ["#", "//", ";", "--", "*", "/*", "<!--"]
        .iter()
        .any(|mark| line.starts_with(mark))
}

/// `jdbc:oracle:thin:user/password@host`
fn oracle(input: &Input<'_>, at: usize) -> Option<Hit> {
    let start = at + "jdbc:oracle:thin:".len();
    let rest = while_in(ahead(input.text, start), |byte| {
        byte > b' ' && !matches!(byte, b'"' | b'\'' | b'<')
    });
    let (user, rest) = rest.split_once('/')?;
    let (password, _) = rest.rsplit_once('@')?;
    if user.is_empty() || user.contains('@') {
        return None;
    }
    literal_hit(
        rules::CONNECTION_STRING_PASSWORD,
        Tier::Shaped,
        start + user.len() + 1,
        password,
    )
}
