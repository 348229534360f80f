//! Tokens of outside issuers (clouds, CI systems, vaults, identity providers) that are exchanged for ours (RFC 8693 section
//! 2.1, `subject_token` and `actor_token`).
//!
//! JWT-SVIDs are verified by [`crate::jwt_svid`]; what a claim must be beside these is asked of the claims.

use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::assertion::is_type;
use crate::claims::Claims;
use crate::jwks::KeySet;
use crate::jws::{Jws, JwsError};
use crate::times::{LONGEST_NAME, TimeError, audiences, expiry, name, not_in_the_future};
use crate::token::seconds;

/// What a token may call itself. Outside issuers hardly type their tokens, but what says that it is something else is not
/// taken for one (RFC 8725 sections 3.11 and 3.12).
const TYPES: [&str; 3] = ["JWT", "JOSE", "at+jwt"];

/// What a token must be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Its `iss`.
    pub issuer: &'a str,
    /// What one of its `aud` must be: a name by which the outside issuer calls this service.
    pub audience: &'a str,
    /// The algorithms that it may be signed with.
    pub algorithms: &'a [Algorithm],
    /// How long it may live, in seconds: from its `iat`, or from now if it has none, to its `exp`. None: as long as it says.
    pub longest: Option<i64>,
}

/// Why a token cannot be exchanged: the first rule that it breaks.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SubjectTokenError {
    /// It is not a JWS that is valid here.
    #[error("the subject token is not valid: {0}")]
    Jws(#[from] JwsError),
    /// Its `typ` is that of something that is no token for this.
    #[error("the subject token's `typ` is that of another kind of token")]
    Type,
    /// It is of another issuer.
    #[error("the subject token's `iss` is not the issuer that is accepted here")]
    Issuer,
    /// It is for somebody else.
    #[error(
        "the subject token's `aud` does not name this service: ask for a token with the audience that is configured for it"
    )]
    Audience,
    /// It has no usable `sub`.
    #[error("the subject token has no usable `sub`: it must be a text of 1 to {LONGEST_NAME} characters")]
    NoSubject,
    /// It has no usable `exp`.
    #[error("the subject token has no usable `exp`, in seconds since 1970")]
    NoExpiry,
    /// Its `exp` is past.
    #[error("the subject token is expired")]
    Expired,
    /// It lives longer than its issuer is trusted for.
    #[error("the subject token lives longer than its issuer is said to let tokens live (`maxTokenLifetime`)")]
    TooLong,
    /// Its `nbf` or `iat` is yet to come, or no time.
    #[error("the subject token's `nbf` or `iat` is in the future, or not in seconds since 1970")]
    NotYetValid,
}

impl From<TimeError> for SubjectTokenError {
    fn from(error: TimeError) -> Self {
        match error {
            TimeError::NoExpiry => Self::NoExpiry,
            TimeError::Expired => Self::Expired,
            TimeError::NotYetValid => Self::NotYetValid,
        }
    }
}

/// The issuer that a token names, before anything about it is verified: good for finding its keys, and for nothing else.
///
/// # Errors
///
/// If it is not a JWT with an issuer.
pub fn claimed_issuer(token: &str) -> Result<String, SubjectTokenError> {
    let claims = Jws::parse(token)?.claims()?;
    name(&claims, "iss").map(str::to_owned).ok_or(SubjectTokenError::Issuer)
}

/// Verifies a token of an outside issuer. `now` is in seconds since 1970. Clocks may be a minute apart.
///
/// It is stricter than [`crate::token::verify`], which does what proxies do.
///
/// # Errors
///
/// With the first rule that it breaks.
pub fn verify(token: &str, keys: &KeySet, expected: &Expected<'_>, now: i64) -> Result<Claims, SubjectTokenError> {
    let jws = Jws::parse(token)?;
    if let Some(typ) = jws.header().get("typ") {
        let known = typ
            .as_str()
            .is_some_and(|typ| TYPES.iter().any(|known| is_type(typ, known)));
        if !known {
            return Err(SubjectTokenError::Type);
        }
    }
    jws.algorithm(expected.algorithms)?;
    let claims = jws.claims()?;
    if claims.get("iss").and_then(Value::as_str) != Some(expected.issuer) {
        return Err(SubjectTokenError::Issuer);
    }
    if !audiences(&claims).is_some_and(|named| named.contains(&expected.audience)) {
        return Err(SubjectTokenError::Audience);
    }
    name(&claims, "sub").ok_or(SubjectTokenError::NoSubject)?;
    let end = expiry(&claims, now)?;
    not_in_the_future(&claims, "nbf", now)?;
    not_in_the_future(&claims, "iat", now)?;
    let begin = claims.get("iat").and_then(seconds).unwrap_or(now);
    if expected.longest.is_some_and(|longest| end - begin > longest) {
        return Err(SubjectTokenError::TooLong);
    }
    jws.check_signature(keys.keys(), expected.algorithms)?;
    Ok(Claims::new(claims))
}
