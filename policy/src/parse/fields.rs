//! Checks of single values that several kinds share.

/// Refuses what an enforcer would read as a pattern. There are no wildcards: what is admitted is written out.
pub(crate) fn literal(value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Err("must not be empty".to_owned());
    }
    if value.contains('*') {
        return Err(format!(
            "`{value}` holds a wildcard; write out each value that is meant"
        ));
    }
    if value.chars().any(char::is_control) {
        return Err("must not hold control characters".to_owned());
    }
    Ok(())
}

/// A claim's name, which enforcers write in brackets.
pub(crate) fn claim_name(name: &str) -> Result<(), String> {
    literal(name)?;
    if name.contains(['[', ']']) {
        return Err(format!(
            "`{name}` holds a bracket; only top-level claims without brackets can be asked for"
        ));
    }
    Ok(())
}

/// A scope token (RFC 6749 section 3.3).
pub(crate) fn scope(scope: &str) -> Result<(), String> {
    literal(scope)?;
    let allowed = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
    if scope.chars().all(allowed) {
        return Ok(());
    }
    Err(format!(
        "`{scope}` is not one scope: write each scope as an entry of its own, without spaces or quotes"
    ))
}

/// A header's name (RFC 9110 section 5.1), in lower case.
pub(crate) fn header_name(name: &str) -> Result<String, String> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(token) {
        return Err(format!("`{name}` is not a header name"));
    }
    let name = name.to_ascii_lowercase();
    // Proxies write, join or drop these themselves.
    let proxies_own = [
        "cookie",
        "host",
        "connection",
        "content-length",
        "transfer-encoding",
        "te",
        "upgrade",
    ];
    if proxies_own.contains(&name.as_str()) || name.starts_with("x-forwarded-") || name.starts_with("x-envoy-") {
        return Err(format!(
            "`{name}` cannot carry a token, since proxies change it; use a header of your own"
        ));
    }
    Ok(name)
}

/// What stands before a token in a header's value.
pub(crate) fn prefix(prefix: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_graphic() || c == ' ';
    if prefix.starts_with(' ') || !prefix.chars().all(allowed) {
        return Err(format!(
            "`{prefix}` is not a prefix; write it like `Bearer `, in ASCII, with a space at its end only"
        ));
    }
    Ok(())
}

/// The name of an object such as a service account or a Secret (RFC 1123 section 2.1).
pub(crate) fn object_name(name: &str) -> Result<(), String> {
    if name.len() <= 253 && name.split('.').all(is_label) {
        return Ok(());
    }
    Err(format!("`{name}` is not the name of a Kubernetes object"))
}

/// A DNS label in lower case (RFC 1123 section 2.1).
pub(crate) fn is_label(label: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&label.len()) && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
}

/// A duration such as `10m` or `1h30m`, in seconds. Longer than zero.
pub(crate) fn seconds(text: &str) -> Result<i64, String> {
    match duration(text)? {
        0 => Err(format!("`{text}` must be longer than zero")),
        seconds => Ok(seconds),
    }
}

/// A duration such as `10m`, or `0s`, in seconds.
pub(crate) fn duration(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is not a duration; write it like 10m, 1h or 90s");
    let mut total: i64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: i64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit = match rest.as_bytes().get(digits) {
            Some(b'h') => 3600,
            Some(b'm') => 60,
            Some(b's') => 1,
            _ => return Err(wrong()),
        };
        total = number
            .checked_mul(unit)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(wrong)?;
        rest = &rest[digits + 1..];
    }
    if text.is_empty() { Err(wrong()) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_objects_hold_nothing_that_is_a_path() {
        for good in ["web", "a.b-c.7"] {
            assert_eq!(object_name(good), Ok(()));
        }
        for bad in ["", "a/b", "..", ".a", "A", "a_b"] {
            assert!(object_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_are_read_to_the_second() {
        assert_eq!(seconds("1h30m"), Ok(5400));
        assert_eq!(duration("0s"), Ok(0));
        for bad in ["", "0s", "1", "h", "1d", "-1s", "1\u{e4}", "99999999999999999999h"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
