//! The token of a request.

use std::collections::BTreeSet;

use countersign_identity::{Claims, TokenError, token};

use super::{Refusal, Request};
use crate::model::Header;
use crate::resolve::{Resolved, Source};

/// The claims of a request's token, if it has one.
///
/// A request holds at most one token, and one that is there must be valid. A CORS preflight request holds none (Fetch
/// standard, section 4.8): what stands in its headers is not looked at.
pub(super) fn verify(policies: &[&Resolved], request: &Request<'_>, now: i64) -> Result<Option<Claims>, Refusal> {
    let sources: Vec<&Source> = policies.iter().flat_map(|resolved| &resolved.sources).collect();
    let headers: BTreeSet<&Header> = sources.iter().flat_map(|source| &source.headers).collect();
    let names: BTreeSet<&str> = headers.iter().map(|header| header.name.as_str()).collect();
    if names.iter().filter(|name| values(request, name).is_some()).count() > 1 {
        return Err(Refusal::TwoTokens);
    }
    if is_preflight(request) {
        return Ok(None);
    }
    let Some((header, token)) = headers
        .iter()
        .find_map(|header| Some((*header, extract(request, header)?)))
    else {
        return Ok(None);
    };
    let mut refusal = TokenError::UnknownIssuer;
    for source in sources.iter().filter(|source| source.headers.contains(header)) {
        match token::verify(&token, &source.issuer, &source.keys, now) {
            Ok(claims) if source.audiences.iter().any(|audience| claims.has("aud", audience)) => {
                return Ok(Some(claims));
            }
            Ok(_) => refusal = TokenError::Audience,
            // Of several reasons, the one of the issuer that the token names is worth telling.
            Err(TokenError::UnknownIssuer) => {}
            Err(error) => refusal = error,
        }
    }
    Err(Refusal::Token(refusal))
}

/// A header's values, joined as RFC 9110 section 5.3 allows. `None` if it is absent.
fn values(request: &Request<'_>, name: &str) -> Option<String> {
    let values: Vec<&str> = request
        .headers
        .iter()
        .filter(|(header, _)| header.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// The token in a header: what follows the prefix, up to the first character that no token holds.
fn extract(request: &Request<'_>, header: &Header) -> Option<String> {
    let value = values(request, &header.name)?;
    if header.prefix.is_empty() {
        return Some(value);
    }
    let rest = &value[value.find(&header.prefix)? + header.prefix.len()..];
    let in_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let rest = rest.find(in_token).map_or(rest, |start| &rest[start..]);
    Some(rest.find(|c| !in_token(c)).map_or(rest, |end| &rest[..end]).to_owned())
}

fn is_preflight(request: &Request<'_>) -> bool {
    request.method == "OPTIONS"
        && values(request, "origin").is_some_and(|value| !value.is_empty())
        && values(request, "access-control-request-method").is_some_and(|value| !value.is_empty())
}
