//! Assertions (RFC 7523): JWTs by which a client proves that it is itself (`private_key_jwt`), or a partner vouches for
//! somebody (the grant `urn:ietf:params:oauth:grant-type:jwt-bearer`).
//!
//! Whether an assertion was seen before is asked of a store, with [`Assertion::jti`], until [`Assertion::forget_after`].

mod error;

use serde_json::{Map, Value};

pub use error::AssertionError;

use crate::algorithm::Algorithm;
use crate::claims::Claims;
use crate::jwks::KeySet;
use crate::jws::Jws;
use crate::times::{audiences, expiry, name, not_in_the_future};
use crate::token::CLOCK_SKEW;

/// Header members that name or hold a key. The keys of a client are those that it was registered with, so a signer who needs
/// one of these is mistaken, or is an attacker (RFC 8725 section 3.10, RFC 9700 section 2.5).
const KEYS_IN_HEADER: [&str; 4] = ["jku", "x5u", "jwk", "x5c"];

/// What an assertion is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To authenticate a client (RFC 7523 section 3, 3.): its `sub` is the client too.
    ClientAuthentication,
    /// As a grant (RFC 7523 section 2.1): its `sub` is whoever the issuer vouches for.
    Grant,
}

/// What an assertion must be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// What it is for.
    pub purpose: Purpose,
    /// Its `iss`: the `client_id`, or the partner's name.
    pub issuer: &'a str,
    /// What its `aud` may name: this authorization server. FAPI 2.0 (section 5.3.2.1) has the issuer identifier alone.
    pub audiences: &'a [&'a str],
    /// Whether its `aud` may be an array, each of whose values must then be in `audiences`: for whom else it is, could use it
    /// here. FAPI 2.0 wants a text.
    pub audience_array: bool,
    /// The algorithms that it may be signed with (RFC 8725 section 3.1).
    pub algorithms: &'a [Algorithm],
    /// How far its `exp` may be in the future, in seconds. Until then its `jti` has to be remembered.
    pub longest: i64,
}

/// An assertion that was verified, but for being used once.
#[derive(Clone, Debug, PartialEq)]
pub struct Assertion {
    /// Its identifier, which is to be used once for each issuer.
    pub jti: String,
    /// When it expires (`exp`), in seconds since 1970.
    pub expires: i64,
    /// Who made it.
    pub issuer: String,
    /// Whom it is about.
    pub subject: String,
    /// All its claims.
    pub claims: Claims,
}

impl Assertion {
    /// From when on it would be refused without its `jti`, in seconds since 1970: clocks may be apart.
    pub fn forget_after(&self) -> i64 {
        self.expires.saturating_add(CLOCK_SKEW)
    }
}

/// The issuer that an assertion names, before anything about it is verified: good for finding a client's keys, and for
/// nothing else.
///
/// # Errors
///
/// If it is not a JWT with an issuer.
pub fn claimed_issuer(assertion: &str) -> Result<String, AssertionError> {
    let claims = Jws::parse(assertion)?.claims()?;
    name(&claims, "iss").map(str::to_owned).ok_or(AssertionError::Issuer)
}

/// Verifies an assertion with the keys that its issuer was registered with (RFC 7523 section 3, RFC 8725). `now` is in
/// seconds since 1970. Clocks may be a minute apart.
///
/// The signature comes last, since it costs most.
///
/// # Errors
///
/// With the first rule that it breaks.
pub fn verify(assertion: &str, keys: &KeySet, expected: &Expected<'_>, now: i64) -> Result<Assertion, AssertionError> {
    let jws = Jws::parse(assertion)?;
    check_header(jws.header(), expected.purpose)?;
    jws.algorithm(expected.algorithms)?;
    let claims = jws.claims()?;
    if claims.get("iss").and_then(Value::as_str) != Some(expected.issuer) {
        return Err(AssertionError::Issuer);
    }
    let subject = name(&claims, "sub").ok_or(AssertionError::NoSubject)?;
    if expected.purpose == Purpose::ClientAuthentication && subject != expected.issuer {
        return Err(AssertionError::Subject);
    }
    check_audience(&claims, expected)?;
    let expires = expiry(&claims, now)?;
    // A client whose clock is ahead means the same by it.
    if expires > now.saturating_add(expected.longest).saturating_add(CLOCK_SKEW) {
        return Err(AssertionError::TooLong {
            longest: expected.longest,
        });
    }
    not_in_the_future(&claims, "nbf", now)?;
    not_in_the_future(&claims, "iat", now)?;
    let jti = name(&claims, "jti").ok_or(AssertionError::NoTokenId)?.to_owned();
    jws.check_signature(keys.keys(), expected.algorithms)?;
    Ok(Assertion {
        jti,
        expires,
        issuer: expected.issuer.to_owned(),
        subject: subject.to_owned(),
        claims: Claims::new(claims),
    })
}

fn check_header(header: &Map<String, Value>, purpose: Purpose) -> Result<(), AssertionError> {
    if let Some(member) = KEYS_IN_HEADER.into_iter().find(|member| header.contains_key(*member)) {
        return Err(AssertionError::KeyInHeader(member));
    }
    let Some(value) = header.get("typ") else {
        return Ok(());
    };
    // Explicit types keep an assertion from being something else that the same key signed (RFC 8725 sections 3.11, 3.12).
    let explicit = match purpose {
        Purpose::ClientAuthentication => "client-authentication+jwt",
        Purpose::Grant => "authorization-grant+jwt",
    };
    if value
        .as_str()
        .is_some_and(|typ| is_type(typ, "JWT") || is_type(typ, explicit))
    {
        Ok(())
    } else {
        Err(AssertionError::Type)
    }
}

/// Whether a `typ` is a media type, whose `application/` may be left out (RFC 7515 section 4.1.9).
pub(crate) fn is_type(typ: &str, wanted: &str) -> bool {
    const PREFIX: &str = "application/";
    let bare = match typ.get(..PREFIX.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => &typ[PREFIX.len()..],
        _ => typ,
    };
    bare.eq_ignore_ascii_case(wanted)
}

fn check_audience(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), AssertionError> {
    let named = audiences(claims).ok_or(AssertionError::NoAudience)?;
    if !expected.audience_array && claims.get("aud").is_some_and(Value::is_array) {
        return Err(AssertionError::AudienceArray);
    }
    if named.iter().all(|audience| expected.audiences.contains(audience)) {
        Ok(())
    } else {
        Err(AssertionError::Audience)
    }
}
