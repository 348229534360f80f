//! Why a client did not prove who it is.

use countersign_identity::assertion::AssertionError;

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

impl ClientError {
    pub(super) fn reason(&self) -> &'static str {
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
