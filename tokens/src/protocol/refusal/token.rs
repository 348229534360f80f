//! Why a token, or the proof that goes with it, is not good.

use countersign_identity::dpop::DpopError;

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

impl TokenError {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::None => "NoToken",
            Self::Unknown => "UnknownToken",
            Self::Unproven => "UnprovenToken",
            Self::Scope => "TokenScope",
        }
    }
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

impl ProofError {
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::None => "NoProof",
            Self::Several => "SeveralProofs",
            Self::Proof(_) => "Proof",
            Self::Replayed => "ReplayedProof",
            Self::OtherKey => "OtherProofKey",
        }
    }
}
