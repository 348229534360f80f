//! What a plain scalar of YAML is.

use std::borrow::Cow;

use countersign_scan::{Node, Number};

/// The value of a plain scalar, as `kubectl` reads it: the core schema of YAML 1.2, and the booleans of YAML 1.1.
pub fn plain(text: Cow<'_, str>) -> Node<'_> {
    match &*text {
        "" | "~" | "null" | "Null" | "NULL" => return Node::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Node::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Node::Bool(false),
        _ => {}
    }
    number(&text).map_or(Node::String(text), Node::Number)
}

fn number(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    if let Some(value) = integer(digits) {
        return Some(Number::Integer(if negative { -value } else { value }));
    }
    let value = float(digits)?;
    Some(Number::Float(if negative { -value } else { value }))
}

fn integer(digits: &str) -> Option<i64> {
    let radixes = [("0x", 16), ("0o", 8), ("0b", 2)];
    let prefixed = radixes
        .iter()
        .find_map(|(prefix, radix)| Some((digits.strip_prefix(prefix)?, *radix)));
    let (digits, radix) = prefixed.unwrap_or((digits, 10));
    if digits.starts_with(['+', '-']) {
        return None;
    }
    i64::from_str_radix(digits, radix).ok()
}

fn float(digits: &str) -> Option<f64> {
    match digits {
        ".inf" | ".Inf" | ".INF" => return Some(f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Some(f64::NAN),
        _ => {}
    }
    let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    if !digits.bytes().all(is_part) {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", Node::Null)]
    #[case("~", Node::Null)]
    #[case("yes", Node::Bool(true))]
    #[case("Off", Node::Bool(false))]
    #[case("0x1F", Node::Number(Number::Integer(31)))]
    #[case("-12", Node::Number(Number::Integer(-12)))]
    #[case("1e3", Node::Number(Number::Float(1000.0)))]
    #[case("-.5", Node::Number(Number::Float(-0.5)))]
    #[case("18446744073709551616", Node::Number(Number::Float(18_446_744_073_709_551_616.0)))]
    #[case("y", Node::String("y".into()))]
    #[case("0x1G", Node::String("0x1G".into()))]
    #[case("0x-1", Node::String("0x-1".into()))]
    #[case("--1", Node::String("--1".into()))]
    #[case("1.2.3", Node::String("1.2.3".into()))]
    #[case("12ab", Node::String("12ab".into()))]
    #[case("inf", Node::String("inf".into()))]
    #[case("e5", Node::String("e5".into()))]
    fn plain_scalars_are_what_kubectl_makes_of_them(#[case] text: &str, #[case] value: Node<'_>) {
        assert_eq!(plain(Cow::Borrowed(text)), value);
    }
}
