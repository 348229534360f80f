//! The URI of an HTTP request, in the one form that all its spellings have.

use std::fmt;

use super::HtuError;

/// An http or https URI without query and fragment, normalised by its syntax and its scheme (RFC 3986 sections 6.2.2 and
/// 6.2.3): what RFC 9449 section 4.3 compares.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Htu(String);

impl Htu {
    /// Reads a URI. What follows its path is left out. Nothing is repaired: what RFC 3986 does not have is refused.
    ///
    /// # Errors
    ///
    /// If it is not an absolute http or https URI, or names a user.
    pub fn parse(uri: &str) -> Result<Self, HtuError> {
        let (scheme, rest) = uri.split_once("://").ok_or(HtuError::Scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "https" => "443",
            "http" => "80",
            _ => return Err(HtuError::Scheme),
        };
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let authority = authority_of(authority, default_port).ok_or(HtuError::Authority)?;
        let path = without_dots(&decoded(path).ok_or(HtuError::Path)?);
        Ok(Self(format!("{scheme}://{authority}{path}")))
    }

    /// The normalised URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Htu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The host in lower case, and the port if it is another than that of the scheme.
fn authority_of(authority: &str, default_port: &str) -> Option<String> {
    // The colons of an IPv6 address stand in brackets.
    let colon = authority.rfind(']').unwrap_or(0);
    let (host, port) = match authority[colon..].find(':') {
        Some(at) => (&authority[..colon + at], &authority[colon + at + 1..]),
        None => (authority, ""),
    };
    let host = host.to_ascii_lowercase();
    let is_host = match host.strip_prefix('[') {
        Some(address) => address.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        }
    };
    let is_port = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    if !is_host || !is_port {
        return None;
    }
    match port.trim_start_matches('0') {
        "" if port.is_empty() => Some(host),
        "" => None,
        digits if digits == default_port => Some(host),
        digits => Some(format!("{host}:{digits}")),
    }
}

/// A path in which nothing is percent-encoded that need not be, and the rest in upper case (sections 6.2.2.1 and 6.2.2.2).
fn decoded(path: &str) -> Option<String> {
    let mut out = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            // RFC 3986 section 3.3: `pchar`, and the slashes between.
            if !is_unreserved(byte) && !b"!$&'()*+,;=:@/".contains(&byte) {
                return None;
            }
            out.push(char::from(byte));
            continue;
        }
        let mut digit = || {
            char::from(bytes.next()?)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        let value = digit()? << 4 | digit()?;
        if is_unreserved(value) {
            out.push(char::from(value));
        } else {
            let digits = b"0123456789ABCDEF";
            let upper = [value >> 4, value & 15].map(|digit| char::from(digits[usize::from(digit)]));
            out.push('%');
            out.extend(upper);
        }
    }
    Some(out)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// A path without the segments `.` and `..` (section 5.2.4), and `/` for an empty one (section 6.2.3).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            ".." => {
                kept.pop();
            }
            "." => {}
            _ => {
                kept.push(segment);
                continue;
            }
        }
        if last {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}
