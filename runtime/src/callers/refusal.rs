//! Why a caller is not believed.

/// Why a caller is not believed. No text quotes a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no token.
    #[error("there is no token: send one service account token as `authorization: Bearer <token>`")]
    NoToken,
    /// It is no token.
    #[error("the token has not the form of a service account token: send that of the Pod's projected volume")]
    NotAToken,
    /// The API server does not know it.
    #[error(
        "the API server does not accept the token: it must be for the audience {0}, not have expired, and its Pod and service \
         account must still be there"
    )]
    NotAccepted(String),
    /// It is a person's, or a node's.
    #[error("the token is not a service account's: send that of the Pod's projected volume")]
    NotAnAccount,
    /// It is good outside of a Pod.
    #[error("the token is not bound to a Pod: send that of the Pod's projected volume")]
    Unbound,
    /// The Pod is gone, whoever has its name now.
    #[error("the Pod that the token is bound to is gone")]
    Gone,
    /// The Pod is not the token's.
    #[error("the Pod that the token is bound to runs as another service account")]
    OtherAccount,
    /// The Pod runs no more.
    #[error("the Pod that the token is bound to has ended or is being deleted")]
    Ended,
    /// The API server did not answer.
    #[error("the API server cannot be asked now: try again")]
    Unreachable,
}

impl Refusal {
    /// Whether the caller could not be judged, through no fault of its own.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Unreachable)
    }
}
