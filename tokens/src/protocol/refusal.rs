//! Why a request is refused: what the client is told, which is little, and what the record tells, which is all.

use http::StatusCode;

use countersign_identity::assertion::AssertionError;
use countersign_identity::dpop::DpopError;

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

/// Why a client did not prove who it is. A client is told none of it: it would help to guess.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// There is no proof at all.
    #[error("no client is named")]
    None,
    /// There is none of that name.
    #[error("there is no such client")]
    Unknown,
    /// There are two proofs (RFC 6749 section 2.3: one method in each request).
    #[error("there is more than one way of authentication in the request")]
    Several,
    /// The way is not the one that was agreed on.
    #[error("the client is registered with another way of authentication")]
    OtherMethod,
    /// The assertion is not good.
    #[error("its assertion: {0}")]
    Assertion(#[from] AssertionError),
    /// The assertion was used before.
    #[error("its assertion was used before")]
    Replayed,
    /// The assertion is of another type than RFC 7523's.
    #[error("its assertion is of another type")]
    AssertionType,
    /// Its keys are not there.
    #[error("its keys cannot be had: see the status of the TokenClient")]
    NoKeys,
    /// The secret is wrong or past its end.
    #[error("its secret is wrong, or past its end")]
    Secret,
    /// There is no certificate.
    #[error("there is no client certificate")]
    NoCertificate,
    /// The certificate is another's.
    #[error("its certificate is not the one that is registered: {0}")]
    Certificate(String),
}

/// Why what was shown for a token is not good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// The code is none, or past.
    #[error("the code is unknown, or was not used in time")]
    UnknownCode,
    /// The code was used before. What was issued for it is revoked.
    #[error("the code was used before: what was issued for it is revoked")]
    ReplayedCode,
    /// The code is another client's.
    #[error("the code was given to another client")]
    OtherClient,
    /// The redirect URI is another.
    #[error("the redirect URI is not the one of the authorization request")]
    RedirectUri,
    /// The verifier does not fit (RFC 7636 section 4.6).
    #[error("the code verifier does not fit the challenge")]
    Verifier,
    /// The key is another than the one that the code or the refresh token is bound to.
    #[error("it is bound to another key")]
    OtherKey,
    /// The refresh token is none, or past.
    #[error("the refresh token is unknown or past its end")]
    UnknownRefresh,
    /// The refresh token was used before. Its family is revoked.
    #[error("the refresh token was used before: its family is revoked")]
    ReusedRefresh,
    /// It was revoked.
    #[error("it was revoked")]
    Revoked,
    /// The assertion is not good.
    #[error("the assertion: {0}")]
    Assertion(#[from] AssertionError),
    /// The assertion is of nobody who may make statements here.
    #[error("the assertion is of none of the clients with privateKeyJwt")]
    OtherPartner,
    /// The keys of whoever made the assertion are not there.
    #[error("the keys of who made the assertion cannot be had: see the status of the TokenClient")]
    NoKeys,
    /// The assertion was used before.
    #[error("the assertion was used before")]
    ReplayedAssertion,
    /// The assertion is about another than who made it.
    #[error("the assertion's `sub` is not its `iss`: a client speaks for itself only")]
    OtherSubject,
    /// A subject or actor token that nobody here trusts.
    #[error("the {0} is not of an issuer that is trusted for it, or is not valid")]
    Token(&'static str),
    /// It ends too soon for a token to come of it.
    #[error("it is past its end, so that no token comes of it")]
    Past,
    /// The token is bound to a key, and whoever exchanges it is neither its holder nor the API that it is for.
    #[error("the token is bound to a key: prove that key, or name the API in introspectedBy of its audience")]
    Bound,
    /// The token is bound to no key, and whoever exchanges it is neither its client nor the API that it is for.
    #[error(
        "the token was issued to another client: whoever exchanges it for the API that it is for must be in introspectedBy of that audience"
    )]
    NotRecipient,
    /// The workload has no ServiceIdentity, or one without tokens of this issuer.
    #[error("the workload has no ServiceIdentity that names this issuer in `spec.tokens`")]
    NoIdentity,
}

/// Why an access token gets nothing here (RFC 6750 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is none.
    #[error("there is no access token in the Authorization header")]
    None,
    /// It is none of this issuer's, past, or revoked.
    #[error("the access token is none of this issuer's, is past its end, or was revoked")]
    Unknown,
    /// It is bound, and shown otherwise (RFC 9449 section 7.1, RFC 8705 section 3); or it is shown as one that is bound.
    #[error(
        "the access token is bound to a key that the request does not prove, or is shown with another scheme than its own"
    )]
    Unproven,
    /// It was not issued for that.
    #[error("the access token came of no sign-in with the scope `openid`")]
    Scope,
}

/// Why a proof of possession is not good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// There is none, where one must be (RFC 9449 section 7.1).
    #[error("there is no DPoP header")]
    None,
    /// There is more than one (RFC 9449 section 4.3).
    #[error("there is more than one DPoP header")]
    Several,
    /// It is not good by itself.
    #[error(transparent)]
    Proof(#[from] DpopError),
    /// It was used before.
    #[error("it was used before")]
    Replayed,
    /// It is of another key than `dpop_jkt` says (RFC 9449 section 10).
    #[error("it is of another key than dpop_jkt names")]
    OtherKey,
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
            Self::GrantNotAllowed => "GrantNotAllowed",
            Self::Client(error) => error.reason(),
            Self::Grant(error) => error.reason(),
            Self::Scope(_) => "Scope",
            Self::Target(_) => "Target",
            Self::Token(error) => error.reason(),
            Self::Proof(ProofError::None) => "NoProof",
            Self::Proof(ProofError::Several) => "SeveralProofs",
            Self::Proof(ProofError::Proof(_)) => "Proof",
            Self::Proof(ProofError::Replayed) => "ReplayedProof",
            Self::Proof(ProofError::OtherKey) => "OtherProofKey",
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

impl ClientError {
    fn reason(&self) -> &'static str {
        match self {
            Self::None => "NoClient",
            Self::Unknown => "UnknownClient",
            Self::Several => "SeveralMethods",
            Self::OtherMethod => "OtherMethod",
            Self::Assertion(_) => "Assertion",
            Self::Replayed => "ReplayedAssertion",
            Self::AssertionType => "AssertionType",
            Self::NoKeys => "NoKeys",
            Self::Secret => "Secret",
            Self::NoCertificate => "NoCertificate",
            Self::Certificate(_) => "Certificate",
        }
    }
}

impl TokenError {
    fn reason(self) -> &'static str {
        match self {
            Self::None => "NoToken",
            Self::Unknown => "UnknownToken",
            Self::Unproven => "UnprovenToken",
            Self::Scope => "TokenScope",
        }
    }
}

impl GrantError {
    /// Whether it is about what is exchanged.
    fn is_of_exchange(&self) -> bool {
        matches!(
            self,
            Self::Token(_) | Self::Bound | Self::NotRecipient | Self::NoIdentity | Self::Past
        )
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::UnknownCode => "UnknownCode",
            Self::ReplayedCode => "ReplayedCode",
            Self::OtherClient => "OtherClient",
            Self::RedirectUri => "RedirectUri",
            Self::Verifier => "Verifier",
            Self::OtherKey => "OtherKey",
            Self::UnknownRefresh => "UnknownRefresh",
            Self::ReusedRefresh => "ReusedRefresh",
            Self::Revoked => "Revoked",
            Self::Assertion(_) => "GrantAssertion",
            Self::OtherPartner => "OtherPartner",
            Self::NoKeys => "PartnerKeys",
            Self::ReplayedAssertion => "ReplayedGrantAssertion",
            Self::OtherSubject => "OtherSubject",
            Self::Token(_) => "ForeignToken",
            Self::Past => "Past",
            Self::Bound => "BoundToken",
            Self::NotRecipient => "NotRecipient",
            Self::NoIdentity => "NoIdentity",
        }
    }
}
