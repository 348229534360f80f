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
    let names: BTreeSet<&String> = policies.iter().flat_map(|resolved| &resolved.token_headers).collect();
    if names.iter().filter(|name| value(request, name).is_some()).count() > 1 {
        return Err(Refusal::TwoTokens);
    }
    let token = extract(request, &headers)?;
    let Some((header, token)) = token.filter(|_| !is_preflight(request)) else {
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

/// A header's value. `None` if it is absent. Repeated `Authorization` headers are one value, joined as RFC 9110 section
/// 5.3 allows; of another header that is repeated, enforcers keep the first value alone.
fn value(request: &Request<'_>, name: &str) -> Option<String> {
    let mut values = request
        .headers
        .iter()
        .filter(|(header, _)| header.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str());
    if name == "authorization" {
        let values: Vec<&str> = values.collect();
        return (!values.is_empty()).then(|| values.join(","));
    }
    values.next().map(str::to_owned)
}

/// The token of a request, with the header that it was read from. A header that holds the prefix holds nothing but the
/// prefix and one token: servers disagree on what the rest would mean.
fn extract<'a>(request: &Request<'_>, headers: &BTreeSet<&'a Header>) -> Result<Option<(&'a Header, String)>, Refusal> {
    for header in headers {
        let Some(value) = value(request, &header.name).filter(|value| value.contains(&header.prefix)) else {
            continue;
        };
        return match value.strip_prefix(&header.prefix).filter(|token| is_token(token)) {
            Some(token) => Ok(Some((header, token.to_owned()))),
            None => Err(Refusal::Token(TokenError::Malformed)),
        };
    }
    Ok(None)
}

/// What a token looks like, for the guard in front of enforcers: a signature of 87 characters is that of ECDSA on P-256
/// with one byte too many, which Envoy passes over.
pub(crate) const TOKEN_PATTERN: &str = r"[\w-]+\.[\w-]+\.(?:[\w-]{1,86}|[\w-]{88,})";

fn is_token(text: &str) -> bool {
    let in_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.chars().all(in_token)) && parts[2].len() != 87
}

fn is_preflight(request: &Request<'_>) -> bool {
    request.method == "OPTIONS"
        && value(request, "origin").is_some_and(|value| !value.is_empty())
        && value(request, "access-control-request-method").is_some_and(|value| !value.is_empty())
}
