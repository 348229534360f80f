//! Why an agent is given nothing, as it is told.

use tonic::{Code, Status};

use super::TokenError;
use crate::authority::SignError;
use countersign_runtime::callers::{self, Account};

use crate::bounds::caller_code;
use crate::issue::IssueError;
use crate::key::KeyError;
use crate::refusal::{self, Reason};

/// Why an agent is given nothing. No text quotes a token or a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Whoever asks is not believed, or that cannot be found out.
    #[error(transparent)]
    Caller(#[from] callers::Refusal),
    /// Whoever asks is no agent.
    #[error("{0} is not the service account of the nodes' agents: set the account that the agents run as")]
    NotTheAgent(Account),
    /// The agent's Pod has no node.
    #[error("the agent's Pod has no node")]
    NoNode,
    /// No Pod is named.
    #[error("the request names no Pod: it needs namespace, name and UID")]
    NoWorkload,
    /// There is no such Pod, or another one of its name.
    #[error("there is no Pod of that name and UID")]
    Gone,
    /// The Pod runs no more.
    #[error("the Pod has ended or is being deleted")]
    Ended,
    /// The Pod is another agent's.
    #[error("the Pod does not run on the agent's node")]
    OtherNode,
    /// The workload has no identity, or not by this way.
    #[error("{0}")]
    Grant(refusal::Refusal),
    /// The certification request is not taken.
    #[error("the certification request is refused: {0}")]
    Key(#[from] KeyError),
    /// No token can be for such audiences.
    #[error("the audiences are refused: {0}")]
    Audiences(String),
    /// There is no key for tokens now.
    #[error("{0}")]
    NoTokens(String),
    /// There is nothing to sign with, or nothing to trust.
    #[error("the certificate authority is not ready: try again")]
    NotReady,
    /// A fault of the signer.
    #[error("it cannot be made: see the signer's log")]
    Fault,
}

impl Refusal {
    /// The code in gRPC. `PermissionDenied` is what the workload is to be told; all else is between agent and signer.
    pub fn code(&self) -> Code {
        match self {
            Self::Caller(refusal) => caller_code(refusal),
            Self::NotTheAgent(_) | Self::NoNode => Code::Unauthenticated,
            Self::NoWorkload | Self::Key(_) | Self::Audiences(_) => Code::InvalidArgument,
            Self::Gone => Code::NotFound,
            Self::Ended => Code::FailedPrecondition,
            Self::OtherNode | Self::Grant(_) => Code::PermissionDenied,
            Self::NotReady | Self::NoTokens(_) => Code::Unavailable,
            Self::Fault => Code::Internal,
        }
    }

    /// Whether the request could not be judged, or not be granted, through no fault of its own.
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Caller(refusal) => refusal.is_failure(),
            Self::NotReady | Self::NoTokens(_) | Self::Fault => true,
            _ => false,
        }
    }
}

impl From<refusal::Refusal> for Refusal {
    fn from(refusal: refusal::Refusal) -> Self {
        match refusal.reason {
            Reason::NotReady => Self::NotReady,
            _ => Self::Grant(refusal),
        }
    }
}

impl From<&IssueError> for Refusal {
    fn from(error: &IssueError) -> Self {
        match error {
            IssueError::NoAuthority | IssueError::Sign(SignError::Ending(_)) => Self::NotReady,
            _ => Self::Fault,
        }
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::NotReady(why) => Self::NoTokens(why),
            TokenError::Invalid(why) => Self::Audiences(why),
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code(), refusal.to_string())
    }
}
