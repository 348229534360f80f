//! Access tokens as JWTs (RFC 9068), and the keys that they are bound to (RFC 7800, RFC 8705, RFC 9449).

use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::assertion::is_type;
use crate::claims::Claims;
use crate::jwks::KeySet;
use crate::jws::{Jws, JwsError};
use crate::thumbprint::is_thumbprint;
use crate::times::{TimeError, audiences, expiry, name, not_in_the_future};

/// What an access token must be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Its `iss`.
    pub issuer: &'a str,
    /// What one of its `aud` must be: the API. Empty, where a token may be for any (at an introspection endpoint).
    pub audiences: &'a [&'a str],
    /// The algorithms that it may be signed with.
    pub algorithms: &'a [Algorithm],
}

/// Why an access token is not valid: the first rule that it breaks. Each is answered with `invalid_token` (RFC 6750 section 3.1).
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessTokenError {
    /// It is not a JWS that is valid here.
    #[error("the access token is not valid: {0}")]
    Jws(#[from] JwsError),
    /// It is something else, such as an ID token (RFC 9068 section 4).
    #[error("the token's `typ` is not at+jwt, so it is no access token")]
    Type,
    /// It is of another issuer.
    #[error("the access token's `iss` is not the issuer that is accepted here")]
    Issuer,
    /// It is for another API, or for none.
    #[error("the access token's `aud` is not this API")]
    Audience,
    /// It has no usable `exp`.
    #[error("the access token has no usable `exp`, in seconds since 1970")]
    NoExpiry,
    /// Its `exp` is past.
    #[error("the access token is expired")]
    Expired,
    /// Its `iat` or `nbf` is yet to come, or no time.
    #[error("the access token's `iat` or `nbf` is in the future, or not in seconds since 1970")]
    NotYetValid,
    /// It lacks a claim that each must have (RFC 9068 section 2.2).
    #[error("the access token has no usable `{0}`")]
    Missing(&'static str),
    /// What it is bound to is not understood.
    #[error("the access token's `cnf` is not one of `jkt` and `x5t#S256` that is understood")]
    Confirmation,
}

impl From<TimeError> for AccessTokenError {
    fn from(error: TimeError) -> Self {
        match error {
            TimeError::NoExpiry => Self::NoExpiry,
            TimeError::Expired => Self::Expired,
            TimeError::NotYetValid => Self::NotYetValid,
        }
    }
}

/// Verifies an access token by RFC 9068 section 4. `now` is in seconds since 1970. Clocks may be a minute apart.
///
/// What it is bound to is left to the caller: [`Confirmation::of`].
///
/// # Errors
///
/// With the first rule that it breaks.
pub fn verify(token: &str, keys: &KeySet, expected: &Expected<'_>, now: i64) -> Result<Claims, AccessTokenError> {
    let jws = Jws::parse(token)?;
    let typ = jws.header().get("typ").and_then(Value::as_str);
    if !typ.is_some_and(|typ| is_type(typ, "at+jwt")) {
        return Err(AccessTokenError::Type);
    }
    jws.algorithm(expected.algorithms)?;
    let claims = jws.claims()?;
    if claims.get("iss").and_then(Value::as_str) != Some(expected.issuer) {
        return Err(AccessTokenError::Issuer);
    }
    let named = audiences(&claims).ok_or(AccessTokenError::Audience)?;
    if !expected.audiences.is_empty() && !named.iter().any(|audience| expected.audiences.contains(audience)) {
        return Err(AccessTokenError::Audience);
    }
    expiry(&claims, now)?;
    not_in_the_future(&claims, "nbf", now)?;
    if !claims.contains_key("iat") {
        return Err(AccessTokenError::Missing("iat"));
    }
    not_in_the_future(&claims, "iat", now)?;
    for required in ["sub", "client_id", "jti"] {
        name(&claims, required).ok_or(AccessTokenError::Missing(required))?;
    }
    jws.check_signature(keys.keys(), expected.algorithms)?;
    Ok(Claims::new(claims))
}

/// What a token is bound to: whoever shows it must prove that it holds these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confirmation {
    /// The thumbprint of a `DPoP` key (`jkt`, RFC 9449 section 6.1).
    pub jkt: Option<String>,
    /// The thumbprint of a client certificate (`x5t#S256`, RFC 8705 section 3.1).
    pub x5t_s256: Option<String>,
}

impl Confirmation {
    /// Reads the `cnf` of a token (RFC 7800 section 3.1). `None` if it has none: then it is bound to nothing.
    ///
    /// # Errors
    ///
    /// If there is one with something that is not understood: a token that is bound to that must not pass for one that is not.
    pub fn of(claims: &Claims) -> Result<Option<Self>, AccessTokenError> {
        let Some(value) = claims.members().get("cnf") else {
            return Ok(None);
        };
        let members: &Map<String, Value> = value.as_object().ok_or(AccessTokenError::Confirmation)?;
        let mut confirmation = Self::default();
        for (name, value) in members {
            let thumbprint = value
                .as_str()
                .filter(|text| is_thumbprint(text))
                .ok_or(AccessTokenError::Confirmation)?;
            let place = match name.as_str() {
                "jkt" => &mut confirmation.jkt,
                "x5t#S256" => &mut confirmation.x5t_s256,
                _ => return Err(AccessTokenError::Confirmation),
            };
            *place = Some(thumbprint.to_owned());
        }
        if members.is_empty() {
            return Err(AccessTokenError::Confirmation);
        }
        Ok(Some(confirmation))
    }

    /// The `cnf` claim that says this.
    pub fn to_claim(&self) -> Value {
        let members = [("jkt", &self.jkt), ("x5t#S256", &self.x5t_s256)];
        members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), Value::from(value.clone()?))))
            .collect::<Map<String, Value>>()
            .into()
    }
}
