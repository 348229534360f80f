//! Why `DPoP` proofs are refused.

use crate::jws::JwsError;
use crate::times::LONGEST_NAME;

/// Why a `DPoP` proof is not valid: the first rule that it breaks. Each is answered with `invalid_dpop_proof` (RFC 9449 section 5
/// and section 7.1).
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DpopError {
    /// It is not a JWS that is valid here.
    #[error("the DPoP proof is not valid: {0}")]
    Jws(#[from] JwsError),
    /// It is something else.
    #[error("the DPoP proof's `typ` is not dpop+jwt")]
    Type,
    /// There is no key in its header.
    #[error("the DPoP proof's header has no `jwk`: it must be the public key that signed it")]
    NoKey,
    /// The key in its header is private, or a shared secret.
    #[error(
        "the DPoP proof's `jwk` holds private key material: send the public part only, and replace the key, since it was disclosed"
    )]
    PrivateKey,
    /// The key in its header cannot be used.
    #[error(
        "the DPoP proof's `jwk` cannot be used: it must be an RSA key of at least 2048 bits, an EC key on P-256 or P-384, or an Ed25519 key, whole and fit for its `alg`"
    )]
    Key,
    /// It is for another method.
    #[error("the DPoP proof's `htm` is not the method of the request")]
    Method,
    /// It is for another place.
    #[error("the DPoP proof's `htu` is not where the request was sent, without query and fragment")]
    Uri,
    /// It has no usable `iat`.
    #[error("the DPoP proof has no usable `iat`, in seconds since 1970")]
    NoIssuedAt,
    /// It was made too long ago, or is from the future.
    #[error(
        "the DPoP proof's `iat` is more than {window} s ago, or in the future: make a proof for each request, and set the clock"
    )]
    IssuedAt {
        /// How far it may be away, in seconds.
        window: i64,
    },
    /// It has an `exp` or an `nbf`, and is not valid now.
    #[error("the DPoP proof's `exp` is past or its `nbf` is in the future: leave them out")]
    Expired,
    /// Its `nonce` is not a text.
    #[error("the DPoP proof's `nonce` is not a text")]
    Nonce,
    /// It has no usable `jti`.
    #[error(
        "the DPoP proof has no usable `jti`: it must be a text of 1 to {LONGEST_NAME} characters that is used once"
    )]
    NoTokenId,
    /// It does not name the access token that came with it.
    #[error("the DPoP proof has no `ath`: with an access token it must be the token's SHA-256 in base64url")]
    NoTokenHash,
    /// It names another access token.
    #[error("the DPoP proof's `ath` is not that of the access token that came with it")]
    TokenHash,
}

/// Why a text is not the URI of an HTTP request.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum HtuError {
    /// It is not http or https.
    #[error("not an absolute http or https URI")]
    Scheme,
    /// It has no host, or something there that is none, or names a user.
    #[error("without a host, or with a host, a port or a user that cannot be in the URI of a request")]
    Authority,
    /// There is a character in its path that cannot be there.
    #[error("with a character in its path that must be percent-encoded (RFC 3986 section 3.3)")]
    Path,
}
