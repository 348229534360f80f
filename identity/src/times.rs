//! Times and names in claims, read without leniency.

use serde_json::{Map, Value};

use crate::token::{CLOCK_SKEW, LATEST_EXPIRY, seconds};

/// The longest `jti` or `sub`, in characters: they become keys of a store, and lines of a log.
pub(crate) const LONGEST_NAME: usize = 256;

/// What is wrong with a time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TimeError {
    NoExpiry,
    Expired,
    NotYetValid,
}

/// `exp`, which must be there and not be past, in seconds since 1970.
pub(crate) fn expiry(claims: &Map<String, Value>, now: i64) -> Result<i64, TimeError> {
    let expiry = claims.get("exp").and_then(seconds).ok_or(TimeError::NoExpiry)?;
    if !(1..LATEST_EXPIRY).contains(&expiry) {
        return Err(TimeError::NoExpiry);
    }
    // RFC 7519 section 4.1.4: on or after that time it must not be accepted.
    if now >= expiry.saturating_add(CLOCK_SKEW) {
        return Err(TimeError::Expired);
    }
    Ok(expiry)
}

/// That a time (`iat`, `nbf`) is one since 1970 and not yet to come, if it is there.
pub(crate) fn not_in_the_future(claims: &Map<String, Value>, name: &str, now: i64) -> Result<(), TimeError> {
    match claims.get(name) {
        None => Ok(()),
        Some(value) if seconds(value).is_some_and(|time| (0..=now.saturating_add(CLOCK_SKEW)).contains(&time)) => {
            Ok(())
        }
        Some(_) => Err(TimeError::NotYetValid),
    }
}

/// A text that can be a key of a store and a word in a log: not empty, bounded, without control characters.
pub(crate) fn name<'a>(claims: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    let text = claims.get(member)?.as_str()?;
    let bounded = !text.is_empty() && text.chars().take(LONGEST_NAME + 1).count() <= LONGEST_NAME;
    (bounded && !text.contains(char::is_control)).then_some(text)
}

/// The values of `aud` (RFC 7519 section 4.1.3): a text, or an array of texts that is not empty.
pub(crate) fn audiences(claims: &Map<String, Value>) -> Option<Vec<&str>> {
    match claims.get("aud")? {
        Value::String(one) => Some(vec![one]),
        Value::Array(several) if !several.is_empty() => several.iter().map(Value::as_str).collect(),
        _ => None,
    }
}
