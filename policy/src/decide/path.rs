//! Paths: normalised in the way of Envoy, and refused where servers disagree on what they mean.

use std::sync::LazyLock;

use regex::Regex;

use crate::model::PathPattern;

/// What makes a normalised path ambiguous: a doubled slash, a semicolon, an encoded separator (`/`, `\`, `;`, `%`), an
/// encoded control character, dot segments and backslashes (which normalisation leaves none of, where it is on), bytes that are never UTF-8 (overlong forms among them), or an escape that is none.
///
/// The guard in front of each enforcer refuses by the same expression, which matches the path as a whole.
pub const AMBIGUOUS: &str = r"(?i).*(?://|;|\\|/\.{1,2}(?:/|$)|%(?:2e|2f|5c|3b|25|[01][0-9a-f]|7f|c[01]|f[5-9a-f]|e0%[89]|f0%8)|%(?:[^0-9a-f]|[0-9a-f][^0-9a-f]|.?$)).*";

/// Characters that a segment may hold for a template's variable to stand for it.
const SEGMENT_PUNCTUATION: &str = "-._~%!$&'()*+,;:@=";

static AMBIGUOUS_PATH: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&format!("^{AMBIGUOUS}$")).ok());

/// Normalises the path of a request target (RFC 3986 section 6.2.2): escapes of unreserved characters are undone,
/// backslashes are slashes, dot segments are resolved, and query and
/// fragment are cut off. `None` if the path is ambiguous.
pub fn normalise(target: &str) -> Option<String> {
    let path = origin_form(target).split(['?', '#']).next().unwrap_or_default();
    if !path.starts_with('/') {
        return None;
    }
    let path = resolve_dots(&canonical(path));
    let ambiguous = AMBIGUOUS_PATH.as_ref().is_none_or(|pattern| pattern.is_match(&path));
    (!ambiguous).then_some(path)
}

/// The path and query of a target in absolute form, which servers must take too (RFC 9112 section 3.2.2).
fn origin_form(target: &str) -> &str {
    let absolute = ["http://", "https://"].into_iter().find_map(|scheme| {
        target
            .get(..scheme.len())
            .filter(|start| start.eq_ignore_ascii_case(scheme))
            .map(|_| &target[scheme.len()..])
    });
    absolute.map_or(target, |rest| rest.find('/').map_or("/", |at| &rest[at..]))
}

/// Undoes escapes that need not be, escapes what must be, and turns backslashes.
fn canonical(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut out = String::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let escaped = (byte == b'%').then(|| path.get(at + 1..at + 3)).flatten();
        let decoded = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        at += 1;
        match decoded {
            Some(plain) if plain.is_ascii_alphanumeric() || b"-._~".contains(&plain) => {
                out.push(char::from(plain));
                at += 2;
            }
            _ if byte == b'\\' => out.push('/'),
            _ if byte <= b' ' || byte >= 0x7f || b"\"<>^`{|}".contains(&byte) => {
                out.extend(['%', hex(byte >> 4), hex(byte & 15)]);
            }
            _ => out.push(char::from(byte)),
        }
    }
    out
}

/// A hexadecimal digit, in capitals.
fn hex(digit: u8) -> char {
    char::from_digit(u32::from(digit), 16)
        .unwrap_or('0')
        .to_ascii_uppercase()
}

/// Resolves `.` and `..` (RFC 3986 section 5.2.4).
fn resolve_dots(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    let mut directory = false;
    for segment in path[1..].split('/') {
        directory = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    if directory {
        segments.push("");
    }
    format!("/{}", segments.join("/"))
}

/// Whether a pattern covers a normalised path.
pub fn matches(pattern: &PathPattern, path: &str) -> bool {
    match pattern {
        PathPattern::Exact(exact) => path == exact,
        PathPattern::Prefix(prefix) => path
            .strip_prefix(prefix.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        PathPattern::Template(segments) => {
            let mut given = path[1..].split('/');
            let same = segments.iter().all(|segment| {
                given.next().is_some_and(|given| match segment {
                    Some(literal) => given == literal,
                    None => !given.is_empty() && given.chars().all(is_segment_character),
                })
            });
            same && given.next().is_none()
        }
    }
}

fn is_segment_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || SEGMENT_PUNCTUATION.contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised() {
        for (target, path) in [
            ("/", "/"),
            ("/v1/a?x=/../b", "/v1/a"),
            ("/v1/./a", "/v1/a"),
            ("/v1/x/../a", "/v1/a"),
            ("/v1/%2e%2E/a", "/a"),
            ("/v1/a/..", "/v1/"),
            ("/v1/a/.", "/v1/a/"),
            ("/../../a", "/a"),
            ("/%61dmin", "/admin"),
            ("/v1\\a", "/v1/a"),
            ("/v1/a%20b", "/v1/a%20b"),
            ("/v1/...", "/v1/..."),
            ("http://host:80/v1/x/../a?q", "/v1/a"),
            ("HTTPS://host", "/"),
            ("/v1/%c3%a9", "/v1/%c3%a9"),
            ("/v1/a#/../b?c", "/v1/a"),
        ] {
            assert_eq!(normalise(target).as_deref(), Some(path), "{target}");
        }
    }

    #[test]
    fn ambiguous_paths_are_refused() {
        for target in [
            "",
            "v1",
            "*",
            "//",
            "/v1//a",
            "/v1/a%2Fb",
            "/v1/a%2fb",
            "/v1/a%5cb",
            "/v1/a;x=1",
            "/v1/a%3Bx",
            "/v1/%252e",
            "/v1/%00",
            "/v1/%1f",
            "/v1/%7F",
            "/v1/%c0%af",
            "/v1/%E0%80%af",
            "/v1/%f0%80%80%af",
            "/v1/%",
            "/v1/%4",
            "/v1/%zz",
            "/v1/%4z",
            "/v1/%ff",
        ] {
            assert_eq!(normalise(target), None, "{target}");
        }
    }

    #[test]
    fn patterns_cover_whole_segments() {
        let prefix = PathPattern::Prefix("/v1".to_owned());
        let template = PathPattern::Template(vec![Some("v1".to_owned()), None]);
        for (path, by_prefix, by_template) in [
            ("/v1", true, false),
            ("/v1/", true, false),
            ("/v1/a", true, true),
            ("/v10", false, false),
            ("/v1/a/b", true, false),
            ("/v1/a*b", true, true),
            ("/v1/a[b", true, false),
            ("/V1/a", false, false),
        ] {
            assert_eq!(matches(&prefix, path), by_prefix, "{path}");
            assert_eq!(matches(&template, path), by_template, "{path}");
        }
        assert!(matches(&PathPattern::Prefix(String::new()), "/anything"));
    }
}
