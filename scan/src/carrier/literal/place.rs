//! Values that are paths, addresses, lists or patterns.

use super::looks_random;

/// Where something is: a path, a URL without a password, a file's name.
pub(super) fn is_place(text: &str) -> bool {
    is_path(text) || is_plain_url(text) || is_file_name(text)
}

fn is_path(text: &str) -> bool {
    let rest = ["/", "./", "../", "~/"]
        .iter()
        .find_map(|start| text.strip_prefix(start));
    if let Some(rest) = rest {
        // Base64 may begin with a slash too. 40 characters of it without a dot or a dash are no path.
        let base64 =
            text.len() >= 40 && looks_random(rest) && !rest.bytes().any(|byte| matches!(byte, b'.' | b'-' | b'_'));
        return !base64
            && rest.bytes().all(|byte| {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'/' | b'.' | b'_' | b'-' | b' ' | b':' | b',' | b'*' | b'+')
            });
    }
    let bytes = text.as_bytes();
    bytes.len() > 3 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && bytes[2] == b'\\'
}

fn is_plain_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.starts_with("unix:");
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !scheme.is_empty()
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b':'))
        && !authority.contains('@')
}

/// Ends of files in which secrets are kept.
#[rustfmt::skip]
const FILES: &[&str] = &[
    ".key", ".pem", ".crt", ".cer", ".json", ".yaml", ".yml", ".txt", ".conf", ".properties", ".jks", ".p12", ".pfx",
    ".pub", ".env", ".toml", ".xml", ".ini", ".cfg", ".keystore", ".gpg", ".asc", ".token", ".secret", ".password",
    ".passwd", ".keytab", ".kubeconfig", ".sh", ".js", ".py", ".go", ".html",
];

fn is_file_name(text: &str) -> bool {
    FILES.iter().any(|end| text.len() > end.len() && text.ends_with(end))
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-'))
}

/// A list or an object: what is in it is read, it is no value itself.
pub(super) fn is_structure(text: &str) -> bool {
    matches!(
        (text.as_bytes()[0], text.as_bytes()[text.len() - 1]),
        (b'{', b'}') | (b'[', b']')
    )
}

/// A regular expression.
pub(super) fn is_pattern(text: &str) -> bool {
    let begins = |byte: u8| matches!(byte, b'*' | b'+' | b'\\' | b'?' | b'[');
    text.bytes().any(begins)
        && [".*", ".+", "\\S", "\\w", "\\d", "(?", "[^", "[a-z", "[A-Z", "[0-9"]
            .iter()
            .any(|part| text.contains(part))
}
