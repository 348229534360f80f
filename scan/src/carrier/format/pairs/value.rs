//! What stands after a name.

use std::borrow::Cow;

use crate::carrier::literal;
use crate::carrier::name::Kind;

/// What follows a name: the value, and whether it is in quotes. `before` is the line up to the name, if it is short.
pub(super) fn value<'a>(before: Option<&str>, rest: &'a str, kind: Kind, inline: bool) -> Option<(Cow<'a, str>, bool)> {
    let closing = rest.strip_prefix("\\\"").or_else(|| rest.strip_prefix(['"', '\'']));
    let name_quoted = closing.is_some();
    let rest = closing.unwrap_or(rest);
    let rest = rest.strip_prefix(']').unwrap_or(rest);
    let trimmed = rest.trim_start_matches([' ', '\t']);
    let spaced = trimmed.len() < rest.len();
    if let Some(inner) = trimmed.strip_prefix('>') {
        // `<password>x</password>`
        let tag = before?.trim_end_matches(|letter: char| letter.is_ascii_alphanumeric() || letter == ':');
        return (tag.ends_with('<') && !spaced)
            .then(|| (Cow::Borrowed(inner.split('<').next().unwrap_or_default().trim()), true));
    }
    if let Some(after) = after_sign(trimmed, name_quoted) {
        return Some(literal_at(after.trim_start_matches([' ', '\t']), inline));
    }
    // `requirepass x`, `password "x";` at the beginning of a line.
    let alone = before?.trim().trim_start_matches("- ").is_empty();
    (spaced && alone && !name_quoted && kind == Kind::Password)
        .then(|| literal_at(trimmed, inline))
        .filter(|(value, quoted)| *quoted || !value.contains([' ', '\t', '(', '{']))
}

/// What is after `=`, `:`, `=>`, `:=`, and after the comma of `define('DB_PASSWORD', 'x')`.
fn after_sign(text: &str, name_quoted: bool) -> Option<&str> {
    for sign in ["=>", ":=", "?=", "+="] {
        if let Some(after) = text.strip_prefix(sign) {
            return Some(after);
        }
    }
    if let Some(after) = text.strip_prefix('=') {
        return (!after.starts_with(['=', '~'])).then_some(after);
    }
    if let Some(after) = text.strip_prefix(':') {
        return (!after.starts_with([':', '/'])).then_some(after);
    }
    let after = text.strip_prefix(',').filter(|_| name_quoted)?;
    after.trim_start().starts_with(['"', '\'']).then_some(after)
}

/// The value at the beginning of a text: in quotes, or up to a comment, or to what closes what is around it.
fn literal_at(text: &str, inline: bool) -> (Cow<'_, str>, bool) {
    if let Some(inner) = text.strip_prefix("\\\"") {
        return (Cow::Borrowed(inner.split("\\\"").next().unwrap_or_default()), true);
    }
    if let Some(quote @ ('"' | '\'')) = text.chars().next() {
        return (quoted(&text[1..], quote), true);
    }
    let text = text.split(" #").next().unwrap_or_default();
    let text = if inline {
        text.split([',', '}', ')', ' ', '>']).next().unwrap_or_default()
    } else {
        text
    };
    (Cow::Borrowed(text.trim_end().trim_end_matches([';', ','])), false)
}

fn quoted(text: &str, quote: char) -> Cow<'_, str> {
    let mut escaped = false;
    let mut any = false;
    let end = text
        .char_indices()
        .find(|(_, letter)| {
            let ends = *letter == quote && !escaped;
            escaped = *letter == '\\' && !escaped;
            any |= escaped;
            ends
        })
        .map_or(text.len(), |(at, _)| at);
    let value = &text[..end];
    if any && quote == '"' {
        Cow::Owned(value.replace("\\\"", "\"").replace("\\\\", "\\"))
    } else {
        Cow::Borrowed(value)
    }
}

/// A call or a member of something: `get_password()`, `config.db.password`, `os.environ["X"]`.
pub(super) fn is_expression(value: &str) -> bool {
    let call = value
        .find('(')
        .is_some_and(|at| at > 0 && value.ends_with(')') && is_path_of_names(&value[..at]));
    let index = value
        .find('[')
        .is_some_and(|at| at > 0 && value.ends_with(']') && is_path_of_names(&value[..at]));
    let member = value.contains('.')
        && is_path_of_names(value)
        && !literal::looks_random(value)
        && value.split('.').count() > 1
        && value
            .split('.')
            .all(|part| part.len() > 1 && !part.as_bytes()[0].is_ascii_digit());
    // YAML's own marks, and what begins a nested value.
    let mark = matches!(value, "|" | ">" | "|-" | ">-" | "|+" | ">+" | "{" | "[" | "(")
        || value.starts_with(['&', '*', '{', '[', '|']) && value.len() < 3;
    call || index || member || mark
}

fn is_path_of_names(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
}
