//! Why a request is refused: what the client is told, which is little, and what the record tells, which is all.

mod client;
mod grant;
mod token;

use http::StatusCode;

pub use client::ClientError;
pub use grant::GrantError;
pub use token::{ProofError, TokenError};

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The request cannot be read.
    #[error("{0}")]
    Malformed(&'static str),
    /// A parameter is there twice.
    #[error("the parameter {0} is repeated")]
    Repeated(&'static str),
    /// A parameter is not there.
    #[error("the parameter {0} is missing")]
    Missing(&'static str),
    /// A parameter has a value that is not offered.
    #[error("{0}")]
    NotOffered(&'static str),
    /// The grant is none that is offered.
    #[error("{0}")]
    UnsupportedGrant(&'static str),
    /// The response type is none that is offered.
    #[error("only the response type `code` is offered: implicit and hybrid flows are not (RFC 9700 section 2.1.2)")]
    UnsupportedResponse,
    /// A request object (RFC 9101).
    #[error("request objects are not offered: push the request (RFC 9126)")]
    RequestObject,
    /// A request object that would have to be fetched.
    #[error("only a request_uri of a pushed request is offered (RFC 9126)")]
    RequestUri,
    /// The client may not use the grant.
    #[error(
        "the client may not use this grant: its TokenClient does not name it in `spec.grants`, and a workload has client_credentials and token exchange only"
    )]
    GrantNotAllowed,
    /// Who asks did not prove who it is.
    #[error("client authentication failed: {0}")]
    Client(#[from] ClientError),
    /// What was shown for a token is not good.
    #[error("the grant is not valid: {0}")]
    Grant(#[from] GrantError),
    /// A scope that the client may not have.
    #[error("the scope is not one that may be granted: {0}")]
    Scope(String),
    /// An audience that the client may not have.
    #[error("{0}")]
    Target(&'static str),
    /// The access token with which something is asked of this service itself is not good.
    #[error("{0}")]
    Token(#[from] TokenError),
    /// The proof of possession is not good.
    #[error("the DPoP proof is not valid: {0}")]
    Proof(#[from] ProofError),
    /// The proof needs a nonce of this server (RFC 9449 section 8).
    #[error("the DPoP proof needs the nonce that this answer carries")]
    Nonce,
    /// The token must be bound to a key, and none was shown.
    #[error(
        "tokens for this audience are bound to a key: send a DPoP proof (RFC 9449), or use a client certificate (RFC 8705)"
    )]
    Unbound,
    /// The authorization request must be pushed.
    #[error("the client must push its authorization requests (RFC 9126)")]
    NotPushed,
    /// A pushed request that a user has come back for already.
    #[error("a user came back for this request_uri before: it counts once")]
    ReplayedRequest,
    /// The user, or the upstream on their behalf, said no.
    #[error("the sign-in did not come about")]
    Denied,
    /// The upstream said why, by a code that clients know (RFC 6749 section 4.1.2.1, OpenID Connect Core 1.0 section 3.1.2.6).
    #[error("the sign-in did not come about: the provider answered {0}")]
    NotSignedIn(&'static str),
    /// Too many requests.
    #[error("too many requests: try again in {0} s")]
    TooMany(u64),
    /// Something that the answer depends on cannot be reached.
    #[error("{0} cannot be reached: try again")]
    Unavailable(&'static str),
}

impl Refusal {
    /// The error code (RFC 6749 section 5.2, RFC 8707 section 2, RFC 9449 sections 5 and 8).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_)
            | Self::Repeated(_)
            | Self::Missing(_)
            | Self::NotOffered(_)
            | Self::Unbound
            | Self::NotPushed
            | Self::ReplayedRequest => "invalid_request",
            Self::UnsupportedGrant(_) => "unsupported_grant_type",
            Self::UnsupportedResponse => "unsupported_response_type",
            // OpenID Connect Core 1.0 section 3.1.2.6, RFC 9101 section 7.
            Self::RequestObject => "request_not_supported",
            Self::RequestUri => "request_uri_not_supported",
            Self::GrantNotAllowed => "unauthorized_client",
            Self::Client(_) => "invalid_client",
            // RFC 8693 section 2.2.2 has this for what is exchanged.
            Self::Grant(error) if error.is_of_exchange() => "invalid_request",
            Self::Grant(_) => "invalid_grant",
            Self::Scope(_) => "invalid_scope",
            Self::Target(_) => "invalid_target",
            Self::Token(TokenError::Scope) => "insufficient_scope",
            Self::Token(_) => "invalid_token",
            Self::Proof(_) => "invalid_dpop_proof",
            Self::Nonce => "use_dpop_nonce",
            Self::Denied => "access_denied",
            Self::NotSignedIn(code) => code,
            Self::TooMany(_) | Self::Unavailable(_) => "temporarily_unavailable",
        }
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Token(TokenError::Scope) => StatusCode::FORBIDDEN,
            Self::Client(_) | Self::Token(_) => StatusCode::UNAUTHORIZED,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// What the client is told beside the code. Where more would help to attack, it is always the same.
    pub fn description(&self) -> String {
        match self {
            Self::Client(_) => "client authentication failed".to_owned(),
            // One sentence for all of them, with the remedy: that a token is good is told to nobody whose it is not.
            Self::Grant(error) if error.is_of_exchange() => {
                "what was shown is not valid, or is not for this client to exchange: a token of this issuer is passed on by the client that it was issued to, or who holds its key, and by whoever introspectedBy of its audience names".to_owned()
            }
            Self::Grant(_) => "what was shown is not valid, was used before, or is not for this client".to_owned(),
            Self::Proof(ProofError::Proof(error)) => format!("the DPoP proof is not valid: {error}"),
            // One sentence for both: that a token would be good with a key is told to nobody who has not the key.
            Self::Token(TokenError::Unknown | TokenError::Unproven) => {
                "the access token is not valid, or is bound to a key that the request does not prove".to_owned()
            }
            Self::Scope(_) => "a scope is unknown, or is not one of the client's for this audience".to_owned(),
            other => other.to_string(),
        }
    }

    /// What of it looks like theft, by name.
    pub fn security_event(&self) -> Option<&'static str> {
        match self {
            Self::Grant(GrantError::ReplayedCode) => Some("CodeReplay"),
            Self::Grant(GrantError::ReusedRefresh) => Some("RefreshReuse"),
            Self::Grant(GrantError::ReplayedAssertion) | Self::Client(ClientError::Replayed) => Some("AssertionReplay"),
            Self::Proof(ProofError::Replayed) => Some("ProofReplay"),
            Self::ReplayedRequest => Some("RequestReplay"),
            _ => None,
        }
    }

    /// The reason, for records and metrics: the name of the variant.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "Malformed",
            Self::Repeated(_) => "Repeated",
            Self::Missing(_) => "Missing",
            Self::NotOffered(_) => "NotOffered",
            Self::UnsupportedGrant(_) => "UnsupportedGrant",
            Self::UnsupportedResponse => "UnsupportedResponse",
            Self::RequestObject => "RequestObject",
            Self::RequestUri => "RequestUri",
            Self::GrantNotAllowed => "GrantNotAllowed",
            Self::Client(error) => error.reason(),
            Self::Grant(error) => error.reason(),
            Self::Scope(_) => "Scope",
            Self::Target(_) => "Target",
            Self::Token(error) => error.reason(),
            Self::Proof(error) => error.reason(),
            Self::Nonce => "Nonce",
            Self::Unbound => "Unbound",
            Self::NotPushed => "NotPushed",
            Self::ReplayedRequest => "ReplayedRequest",
            Self::Denied => "Denied",
            Self::NotSignedIn(_) => "NotSignedIn",
            Self::TooMany(_) => "TooMany",
            Self::Unavailable(_) => "Unavailable",
        }
    }
}
