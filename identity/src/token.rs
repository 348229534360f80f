//! Verification of JWTs in compact form (RFC 7515 section 3.1, RFC 7519 section 7.2), as Envoy's `jwt_authn` does it, so that
//! what is decided here is what proxies do. They do not look at `crit` and `typ`. What clients and partners sign for the
//! token service is verified without that leniency: [`crate::assertion`], [`crate::dpop`], [`crate::access_token`],
//! [`crate::subject_token`].

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::{NO_PAD, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jsonwebtoken::Algorithm;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use serde_json::{Map, Value};

use crate::claims::Claims;
use crate::json;
use crate::jwks::{KeySet, VerificationKey};
use crate::jws;

/// How far clocks may be apart, in seconds.
pub const CLOCK_SKEW: i64 = 60;
/// The latest `exp` that is taken for a time in seconds. A later one was written in milliseconds, by mistake.
pub const LATEST_EXPIRY: i64 = 1_000_000_000_000;

/// Base64url (RFC 7515 section 2). The bits that are left over at the end are not looked at (RFC 4648 section 3.5 leaves that
/// open), and padding may be there, as with proxies.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);
const LENIENT: GeneralPurposeConfig = NO_PAD
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// Why a token is not valid.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenError {
    /// It is not a JWT, has a member twice, or one of another type than it must be.
    #[error("not a JWT in compact form, with each member there once and of the type that it must have")]
    Malformed,
    /// `iss` is not an issuer that is accepted here.
    #[error("issued by an issuer that is not accepted here")]
    UnknownIssuer,
    /// No key of the issuer fits its `kid` and `alg`.
    #[error("signed with a key or an algorithm that the issuer does not have")]
    NoKey,
    /// The signature is wrong.
    #[error("not signed with the issuer's key")]
    Signature,
    /// There is no usable `exp`.
    #[error("without a usable expiry")]
    NoExpiry,
    /// `exp` is past.
    #[error("expired")]
    Expired,
    /// `nbf` is yet to come.
    #[error("not valid yet")]
    NotYetValid,
    /// None of the audiences that are accepted here is in `aud`.
    #[error("for another audience")]
    Audience,
}

pub(crate) struct Unverified<'a> {
    pub header: Map<String, Value>,
    pub claims: Map<String, Value>,
    pub signed: &'a str,
    pub signature: Vec<u8>,
}

pub(crate) fn split(token: &str) -> Option<Unverified<'_>> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    // Padding is whole or not there.
    let decode = |part: &str| {
        let whole = !part.ends_with('=') || part.len().is_multiple_of(4);
        BASE64URL.decode(part).ok().filter(|_| whole)
    };
    Some(Unverified {
        header: json::object(&decode(header)?)?,
        claims: json::object(&decode(payload)?)?,
        signed,
        signature: decode(signature)?,
    })
}

/// As [`split`], but of a bounded length, and in base64url that has one spelling: for what no proxy verifies.
pub(crate) fn split_strictly(token: &str) -> Option<Unverified<'_>> {
    if token.len() > jws::LONGEST {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    let object = |part: &str| json::object(&URL_SAFE_NO_PAD.decode(part).ok()?);
    Some(Unverified {
        header: object(header)?,
        claims: object(payload)?,
        signed,
        signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
    })
}

/// The issuer that a token names, before anything about it is verified: good for choosing keys, and for nothing else.
///
/// # Errors
///
/// If it is not a JWT with an issuer.
pub fn claimed_issuer(token: &str) -> Result<String, TokenError> {
    let claims = split(token).ok_or(TokenError::Malformed)?.claims;
    claims
        .get("iss")
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or(TokenError::UnknownIssuer)
}

/// Verifies a token of one issuer: its signature with one of the keys, its issuer, `exp`, which it must have, and `nbf`.
/// Whether it is for this API is asked of the claims (`aud`), since APIs behind one enforcer may differ in it.
///
/// `now` is in seconds since 1970. Clocks may be a minute apart.
///
/// # Errors
///
/// With the first thing that is wrong.
pub fn verify(token: &str, issuer: &str, keys: &KeySet, now: i64) -> Result<Claims, TokenError> {
    let Unverified {
        header,
        claims,
        signed,
        signature,
    } = split(token).ok_or(TokenError::Malformed)?;
    if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
        return Err(TokenError::UnknownIssuer);
    }
    check_times(&claims, now)?;
    if !has_proper_types(&header, &claims) {
        return Err(TokenError::Malformed);
    }
    check_signature(&header, signed, &signature, keys.keys())?;
    Ok(Claims::new(claims))
}

/// Whether members that proxies look at are what RFC 7515 section 4.1 and RFC 7519 section 4.1 say, if they are there.
fn has_proper_types(header: &Map<String, Value>, claims: &Map<String, Value>) -> bool {
    let time = |value: &Value| seconds(value).is_some_and(|time| (0..i64::MAX).contains(&time));
    let audience = |value: &Value| match value {
        Value::Array(several) => several.iter().all(Value::is_string),
        one => one.is_string(),
    };
    header.get("kid").is_none_or(Value::is_string)
        && ["iss", "sub", "jti"]
            .iter()
            .all(|name| claims.get(*name).is_none_or(Value::is_string))
        && ["iat", "nbf"].iter().all(|name| claims.get(*name).is_none_or(time))
        && claims.get("aud").is_none_or(audience)
}

pub(crate) fn check_signature<'a>(
    header: &Map<String, Value>,
    signed: &str,
    signature: &[u8],
    keys: impl IntoIterator<Item = &'a VerificationKey>,
) -> Result<(), TokenError> {
    let algorithm: Algorithm = header
        .get("alg")
        .and_then(Value::as_str)
        .and_then(|name| name.parse().ok())
        .ok_or(TokenError::NoKey)?;
    let id = header.get("kid").and_then(Value::as_str).filter(|id| !id.is_empty());
    let fits = |key: &&VerificationKey| id.is_none() || key.id.is_none() || key.id.as_deref() == id;
    let mut candidates = keys
        .into_iter()
        .filter(fits)
        .filter(|key| key.algorithms.contains(&algorithm))
        .peekable();
    if candidates.peek().is_none() {
        return Err(TokenError::NoKey);
    }
    let verified = candidates.any(|key| {
        (DEFAULT_PROVIDER.verifier_factory)(&algorithm, &key.key)
            .is_ok_and(|verifier| verifier.verify(signed.as_bytes(), &signature.to_vec()).is_ok())
    });
    if verified { Ok(()) } else { Err(TokenError::Signature) }
}

/// Returns the expiry, in seconds since 1970.
pub(crate) fn check_times(claims: &Map<String, Value>, now: i64) -> Result<i64, TokenError> {
    let expiry = claims.get("exp").and_then(seconds).ok_or(TokenError::NoExpiry)?;
    if !(1..LATEST_EXPIRY).contains(&expiry) {
        return Err(TokenError::NoExpiry);
    }
    if now > expiry + CLOCK_SKEW {
        return Err(TokenError::Expired);
    }
    match claims.get("nbf") {
        None => Ok(expiry),
        Some(value) if seconds(value).is_some_and(|start| now + CLOCK_SKEW >= start) => Ok(expiry),
        Some(_) => Err(TokenError::NotYetValid),
    }
}

/// A `NumericDate` (RFC 7519 section 2), cut to whole seconds.
pub(crate) fn seconds(value: &Value) -> Option<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float beyond the range saturates, and is then refused"
    )]
    value.as_i64().or_else(|| value.as_f64().map(|float| float as i64))
}
