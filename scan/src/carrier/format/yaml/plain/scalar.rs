//! What a plain scalar is: the core schema of YAML 1.2, and the booleans of YAML 1.1.

use std::borrow::Cow;

use crate::tree::{Node, Number};

/// Whether a plain scalar is null.
pub(super) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// The value of a plain scalar. `None` if it is a number of a rare kind.
pub(super) fn resolve(text: Cow<'_, str>) -> Option<Node<'_>> {
    let Some(first) = text.bytes().next() else {
        return Some(Node::Null);
    };
    match first {
        b'0'..=b'9' | b'+' | b'-' | b'.' => return number(text),
        b'~' | b'n' | b'N' if is_null(&text) => return Some(Node::Null),
        b't' | b'T' | b'y' | b'Y' | b'o' | b'O' | b'f' | b'F' | b'n' | b'N' => {
            if let Some(value) = boolean(&text) {
                return Some(Node::Bool(value));
            }
        }
        _ => {}
    }
    Some(Node::String(text))
}

fn boolean(text: &str) -> Option<bool> {
    let is_any = |words: [&str; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_any(["true", "yes", "y", "on"]) {
        Some(true)
    } else {
        is_any(["false", "no", "n", "off"]).then_some(false)
    }
}

/// What begins as a number does, and may be one.
fn number(text: Cow<'_, str>) -> Option<Node<'_>> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
    let begins = digits.as_bytes().first().is_some_and(u8::is_ascii_digit);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits.len() == 1 || !digits.starts_with('0')) {
        if let Ok(integer) = text.parse() {
            return Some(Node::Number(Number::Integer(integer)));
        }
    } else if begins
        && (digits.contains('_') || matches!(digits.as_bytes(), [b'0', b'x' | b'X' | b'o' | b'O' | b'b' | b'B', ..]))
        || matches!(digits, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN")
    {
        return None;
    }
    match text.parse::<f64>() {
        Ok(float) if float.is_finite() => Some(Node::Number(Number::Float(float))),
        // Beyond what a float holds, or a word such as `-inf`.
        Ok(_) if begins => None,
        _ => Some(Node::String(text)),
    }
}
