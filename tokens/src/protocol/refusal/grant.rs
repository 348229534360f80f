//! Why a grant is refused.

use countersign_identity::assertion::AssertionError;

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
    #[error("the code verifier is missing, or does not fit the challenge")]
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

impl GrantError {
    /// Whether it is about what is exchanged.
    pub(super) fn is_of_exchange(&self) -> bool {
        matches!(
            self,
            Self::Token(_) | Self::Bound | Self::NotRecipient | Self::NoIdentity | Self::Past
        )
    }

    pub(super) fn reason(&self) -> &'static str {
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
