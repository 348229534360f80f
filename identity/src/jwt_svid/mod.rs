//! JWT-SVIDs: tokens that prove a SPIFFE ID (JWT-SVID standard).

mod sign;

use jiff::Timestamp;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

pub use sign::{JwtSigner, JwtSignerError};

use crate::bundle::Bundles;
use crate::claims::Claims;
use crate::spiffe::{SpiffeId, SpiffeIdError, TrustDomain};
use crate::token::{TokenError, Unverified, check_signature, check_times, split_strictly};

/// The algorithms of section 2.1. ES512, which is there too, no key here can verify: such keys are passed over in bundles.
pub(crate) const ALGORITHMS: [Algorithm; 8] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// Why a token does not prove a SPIFFE ID: the first rule that it breaks.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum JwtSvidError {
    /// It is not a JWT in compact form (section 5.1), is too long, or has a member twice.
    #[error("not a JWT in compact form, of a bounded length and with each member there once")]
    Form,
    /// Its header has something other than `alg`, `kid` and `typ` (section 2).
    #[error("its header has `{0}`: only alg, kid and typ may be there")]
    Header(String),
    /// Its `alg` is not one of those that are allowed (section 2.1).
    #[error("its `alg` is not one of RS256, RS384, RS512, ES256, ES384, PS256, PS384 and PS512")]
    Algorithm,
    /// Its `kid` is not a text that says something (section 2.2).
    #[error("its `kid` is not a text, or is empty")]
    KeyId,
    /// Its `typ` is something else (section 2.3).
    #[error("its `typ` is neither JWT nor JOSE")]
    Type,
    /// It has no `sub` (section 3.1).
    #[error("without a subject (`sub`)")]
    NoSubject,
    /// Its `sub` is not a SPIFFE ID (section 3.1).
    #[error("its subject (`sub`) is not a SPIFFE ID: {0}")]
    SpiffeId(SpiffeIdError),
    /// Its `sub` is not that of a workload (section 3.1).
    #[error("its subject (`sub`) has no path, so it names a trust domain and not a workload")]
    NoPath,
    /// It has no usable `aud` (section 3.2).
    #[error("without a usable audience (`aud`): it must be a text or a list of texts, not empty")]
    NoAudience,
    /// It is for somebody else (section 3.2).
    #[error("for another audience (`aud`)")]
    Audience,
    /// There is no usable `exp` (section 3.3).
    #[error("without a usable expiry (`exp`)")]
    NoExpiry,
    /// `exp` is past (section 3.3).
    #[error("expired")]
    Expired,
    /// `nbf` is yet to come (RFC 7519 section 4.1.5).
    #[error("not valid yet")]
    NotYetValid,
    /// There is no bundle for its trust domain.
    #[error("its trust domain {0} is foreign: it is neither ours nor one that is federated with")]
    ForeignTrustDomain(TrustDomain),
    /// No key in the bundle of its trust domain fits its `kid` and `alg`.
    #[error("signed with a key or an algorithm that its trust domain does not have")]
    NoKey,
    /// The signature is wrong.
    #[error("not signed with the key of its trust domain")]
    Signature,
}

impl From<TokenError> for JwtSvidError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Malformed | TokenError::UnknownIssuer => Self::Form,
            TokenError::NoKey => Self::NoKey,
            TokenError::Signature => Self::Signature,
            TokenError::NoExpiry => Self::NoExpiry,
            TokenError::Expired => Self::Expired,
            TokenError::NotYetValid => Self::NotYetValid,
            TokenError::Audience => Self::Audience,
        }
    }
}

/// A JWT-SVID that was verified.
#[derive(Clone, Debug, PartialEq)]
pub struct JwtSvid {
    id: SpiffeId,
    expires: Timestamp,
    claims: Claims,
}

impl JwtSvid {
    /// Whose it is.
    pub fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// When it expires (`exp`).
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// All its claims. Those that the standard does not have mean what its trust domain says they mean.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// Verifies a token for one audience: its form, and its signature with a key in the bundle of its subject's trust domain.
///
/// It is stricter than the standard in this: a subject has a path, header members that must not be there are refused, and so
/// is a token with a member that is there twice, or that is longer than [`crate::jws::LONGEST`].
/// Clocks may be a minute apart.
///
/// # Errors
///
/// With the first rule that it breaks.
pub fn verify(token: &str, audience: &str, bundles: &Bundles, now: Timestamp) -> Result<JwtSvid, JwtSvidError> {
    let Unverified {
        header,
        claims,
        signed,
        signature,
    } = split_strictly(token).ok_or(JwtSvidError::Form)?;
    check_header(&header)?;
    let id = subject(&claims)?;
    check_audience(&claims, audience)?;
    let expires = check_times(&claims, now.as_second())?;
    let expires = Timestamp::from_second(expires).map_err(|_| JwtSvidError::NoExpiry)?;
    let bundle = bundles
        .of_id(&id)
        .ok_or_else(|| JwtSvidError::ForeignTrustDomain(id.trust_domain().clone()))?;
    check_signature(&header, signed, &signature, bundle.jwt_keys())?;
    Ok(JwtSvid {
        id,
        expires,
        claims: Claims::new(claims),
    })
}

fn check_header(header: &Map<String, Value>) -> Result<(), JwtSvidError> {
    // `crit` among them, which nobody here would understand (RFC 7515 section 4.1.11).
    if let Some(name) = header
        .keys()
        .find(|name| !["alg", "kid", "typ"].contains(&name.as_str()))
    {
        return Err(JwtSvidError::Header(name.chars().take(32).collect()));
    }
    let algorithm = header
        .get("alg")
        .and_then(Value::as_str)
        .and_then(|name| name.parse().ok());
    if !algorithm.is_some_and(|algorithm| ALGORITHMS.contains(&algorithm)) {
        return Err(JwtSvidError::Algorithm);
    }
    if header
        .get("kid")
        .is_some_and(|id| id.as_str().is_none_or(str::is_empty))
    {
        return Err(JwtSvidError::KeyId);
    }
    match header.get("typ").map(Value::as_str) {
        None | Some(Some("JWT" | "JOSE")) => Ok(()),
        Some(_) => Err(JwtSvidError::Type),
    }
}

fn subject(claims: &Map<String, Value>) -> Result<SpiffeId, JwtSvidError> {
    let subject = claims
        .get("sub")
        .and_then(Value::as_str)
        .ok_or(JwtSvidError::NoSubject)?;
    let id: SpiffeId = subject.parse().map_err(JwtSvidError::SpiffeId)?;
    if id.has_path() {
        Ok(id)
    } else {
        Err(JwtSvidError::NoPath)
    }
}

fn check_audience(claims: &Map<String, Value>, own: &str) -> Result<(), JwtSvidError> {
    let named: Option<Vec<&str>> = match claims.get("aud") {
        Some(Value::String(one)) => Some(vec![one]),
        Some(Value::Array(several)) => several.iter().map(Value::as_str).collect(),
        _ => None,
    };
    match named {
        Some(named) if named.contains(&own) => Ok(()),
        Some(named) if !named.is_empty() => Err(JwtSvidError::Audience),
        _ => Err(JwtSvidError::NoAudience),
    }
}
