//! Why assertions are refused.

use crate::jws::JwsError;
use crate::times::{LONGEST_NAME, TimeError};

/// Why an assertion is not valid: the first rule that it breaks.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AssertionError {
    /// It is not a JWS that is valid here.
    #[error("the assertion is not valid: {0}")]
    Jws(#[from] JwsError),
    /// Its header has a key, or says where one is (RFC 8725 section 3.10).
    #[error("the assertion's header has `{0}`: keys are those that the client was registered with, so sign without it")]
    KeyInHeader(&'static str),
    /// Its `typ` is that of something else (RFC 8725 section 3.11).
    #[error("the assertion's `typ` is that of another kind of token: leave it out, or use `JWT`")]
    Type,
    /// Its `iss` is somebody else (RFC 7523 section 3, 1.).
    #[error("the assertion's `iss` is not the client")]
    Issuer,
    /// It has no usable `sub` (RFC 7523 section 3, 2.).
    #[error("the assertion has no usable `sub`: it must be a text of 1 to {LONGEST_NAME} characters")]
    NoSubject,
    /// Its `sub` is somebody else (RFC 7523 section 3, 2. B).
    #[error("the assertion's `sub` is not the client: to authenticate, it must be the same as `iss`")]
    Subject,
    /// It has no usable `aud` (RFC 7523 section 3, 3.).
    #[error("the assertion has no usable `aud`")]
    NoAudience,
    /// Its `aud` is an array where it must be a text.
    #[error("the assertion's `aud` is an array: it must be this authorization server's issuer identifier, as a text")]
    AudienceArray,
    /// It is for somebody else, or for others too (RFC 7523 section 3, 3.).
    #[error("the assertion's `aud` is not this authorization server alone: use its issuer identifier")]
    Audience,
    /// It has no usable `exp` (RFC 7523 section 3, 4.).
    #[error("the assertion has no usable `exp`, in seconds since 1970")]
    NoExpiry,
    /// Its `exp` is past.
    #[error("the assertion is expired")]
    Expired,
    /// Its `exp` is too far away (RFC 7523 section 3, 4.).
    #[error("the assertion's `exp` is too far in the future: {longest} s are allowed")]
    TooLong {
        /// How far it may be, in seconds.
        longest: i64,
    },
    /// Its `nbf` or `iat` is yet to come, or no time (RFC 7523 section 3, 5. and 6.).
    #[error("the assertion's `nbf` or `iat` is in the future, or not in seconds since 1970")]
    NotYetValid,
    /// It has no usable `jti`.
    #[error("the assertion has no usable `jti`: it must be a text of 1 to {LONGEST_NAME} characters that is used once")]
    NoTokenId,
}

impl From<TimeError> for AssertionError {
    fn from(error: TimeError) -> Self {
        match error {
            TimeError::NoExpiry => Self::NoExpiry,
            TimeError::Expired => Self::Expired,
            TimeError::NotYetValid => Self::NotYetValid,
        }
    }
}
