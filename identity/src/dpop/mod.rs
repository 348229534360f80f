//! `DPoP` proofs (RFC 9449): JWTs by which the sender of one HTTP request proves that it holds a key.
//!
//! What is left to the caller: that there is one `DPoP` header (section 4.3, 1.), that the `jti` was not seen before (section
//! 11.1, until [`Proof::forget_after`]), that the nonce is one that the server gave (section 4.3, 10.), and that the key is
//! the one that a token is bound to (section 4.3, 12.).

mod error;
mod htu;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde_json::{Map, Value};

pub use error::{DpopError, HtuError};
pub use htu::Htu;

use crate::algorithm::Algorithm;
use crate::jwks::{VerificationKey, has_private_member, member};
use crate::jws::{Jws, JwsError};
use crate::thumbprint::sha256;
use crate::times::{expiry, name, not_in_the_future};
use crate::token::seconds;

/// The longest proof that is read, in bytes: one with an RSA key of 4096 bits has about 2000.
pub const LONGEST: usize = 8 * 1024;

/// How far `iat` may be in the future, in seconds: what clocks are apart, and no more (FAPI 2.0 Security Profile section 5.3.2.1,
/// which asks to take ten seconds and to refuse what is beyond a minute).
pub const AHEAD: i64 = 60;

/// What a proof must be for.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The method of the request.
    pub method: &'a str,
    /// Where the request was sent, as the sender sees it.
    pub uri: &'a Htu,
    /// The access token that came with it, if one did: at a protected resource.
    pub access_token: Option<&'a str>,
    /// The algorithms that it may be signed with.
    pub algorithms: &'a [Algorithm],
    /// How long ago `iat` may be, in seconds (section 11.1). In the future it may be by [`AHEAD`] at most.
    pub window: i64,
}

/// A proof that was verified, but for what is left to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The thumbprint of its key, which tokens are bound to (`jkt`, section 6.1).
    pub thumbprint: String,
    /// Its identifier, which is to be used once.
    pub jti: String,
    /// When it was made (`iat`), in seconds since 1970.
    pub issued_at: i64,
    /// The nonce that it has, to be compared by the caller.
    pub nonce: Option<String>,
    /// From when on it would be refused without its `jti`, in seconds since 1970.
    pub forget_after: i64,
}

/// Verifies a proof by the rules of section 4.3. `now` is in seconds since 1970.
///
/// The signature comes last, since it costs most.
///
/// # Errors
///
/// With the first rule that it breaks.
pub fn verify(proof: &str, expected: &Expected<'_>, now: i64) -> Result<Proof, DpopError> {
    if proof.len() > LONGEST {
        return Err(JwsError::TooLong.into());
    }
    let jws = Jws::parse(proof)?;
    // Section 4.2 has this text and no other.
    if member(jws.header(), "typ") != Some("dpop+jwt") {
        return Err(DpopError::Type);
    }
    jws.algorithm(expected.algorithms)?;
    let key = key(jws.header())?;
    let claims = jws.claims()?;
    check_request(&claims, expected)?;
    let issued_at = claims.get("iat").and_then(seconds).ok_or(DpopError::NoIssuedAt)?;
    let ahead = issued_at.saturating_sub(now);
    if ahead > AHEAD.min(expected.window) || ahead < -expected.window {
        return Err(DpopError::IssuedAt {
            window: expected.window,
        });
    }
    // Nobody needs these in a proof, but who sets them means them (RFC 7519 section 4.1).
    if claims.contains_key("exp") {
        expiry(&claims, now).map_err(|_| DpopError::Expired)?;
    }
    not_in_the_future(&claims, "nbf", now).map_err(|_| DpopError::Expired)?;
    let nonce = match claims.get("nonce") {
        None => None,
        Some(Value::String(nonce)) => Some(nonce.clone()),
        Some(_) => return Err(DpopError::Nonce),
    };
    let jti = name(&claims, "jti").ok_or(DpopError::NoTokenId)?.to_owned();
    jws.check_signature_with(&key, expected.algorithms)?;
    Ok(Proof {
        thumbprint: key.thumbprint(),
        jti,
        issued_at,
        nonce,
        forget_after: issued_at.saturating_add(expected.window),
    })
}

/// The key in the header, which must be public (section 4.3, 7.).
fn key(header: &Map<String, Value>) -> Result<VerificationKey, DpopError> {
    let jwk = header.get("jwk").and_then(Value::as_object).ok_or(DpopError::NoKey)?;
    if has_private_member(jwk) {
        return Err(DpopError::PrivateKey);
    }
    VerificationKey::read_for_signatures(jwk).map_err(|_| DpopError::Key)
}

/// That the proof is for this request (section 4.3, 8., 9. and 12.).
fn check_request(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), DpopError> {
    // Methods differ by case (RFC 9110 section 9.1).
    if member(claims, "htm") != Some(expected.method) {
        return Err(DpopError::Method);
    }
    let uri = member(claims, "htu").and_then(|uri| Htu::parse(uri).ok());
    if uri.as_ref() != Some(expected.uri) {
        return Err(DpopError::Uri);
    }
    let Some(token) = expected.access_token else {
        return Ok(());
    };
    let hash = member(claims, "ath").ok_or(DpopError::NoTokenHash)?;
    verify_slices_are_equal(hash.as_bytes(), token_hash(token).as_bytes()).map_err(|_| DpopError::TokenHash)
}

/// The hash of an access token that a proof has with it (`ath`, section 4.2).
pub fn token_hash(access_token: &str) -> String {
    sha256(access_token.as_bytes())
}
