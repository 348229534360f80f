//! Why a write did not happen.

use countersign_policy::conditions::ApplyFailure;
use countersign_policy::object::Kind;
use countersign_policy::world::ObjectName;
use tracing::debug;

use crate::metrics::Failure;

/// Why a write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The name is taken.
    #[error("{kind} {name} exists and was not written by Countersign for this policy; rename it or delete it")]
    Conflicted {
        /// The kind.
        kind: &'static str,
        /// The name.
        name: ObjectName,
    },
    /// The API server refused.
    #[error("the API server refused {what}: {message}")]
    Refused {
        /// What was asked.
        what: String,
        /// Its answer.
        message: String,
    },
    /// The API server could not be reached or is overloaded.
    #[error("the API server does not do its work: {0}")]
    Unreachable(String),
    /// The kind is not served.
    #[error("the cluster does not serve {kind} ({api_version}); install Istio's CRDs")]
    NotInstalled {
        /// The kind.
        kind: &'static str,
        /// Its group and version.
        api_version: String,
    },
    /// The object changed between being seen and being written.
    #[error("{0} changed at the same time; trying again")]
    Raced(String),
    /// The task that was to write panicked: a bug.
    #[error("a task of the operator panicked; its log says more")]
    Panicked,
    /// Another replica writes now.
    #[error("this replica no longer holds the Lease")]
    NotLeader,
}

impl WriteError {
    /// How a policy's status calls it.
    pub fn reason(&self) -> ApplyFailure {
        match self {
            Self::Conflicted { .. } => ApplyFailure::Conflicted,
            Self::Refused { .. } => ApplyFailure::Refused,
            Self::NotInstalled { .. } => ApplyFailure::NotInstalled,
            Self::Unreachable(_) | Self::Raced(_) | Self::NotLeader | Self::Panicked => ApplyFailure::Unreachable,
        }
    }

    /// How metrics call it.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Conflicted { .. } => Failure::Conflicted,
            Self::Refused { .. } => Failure::Refused,
            Self::NotInstalled { .. } => Failure::NotInstalled,
            Self::Unreachable(_) | Self::NotLeader => Failure::Unreachable,
            Self::Raced(_) => Failure::Raced,
            Self::Panicked => Failure::Panic,
        }
    }
}

/// How the API server answered a call that failed.
pub(super) enum Answer {
    Status(Box<kube::core::Status>),
    None(String),
    NotLeader,
}

impl Answer {
    pub(super) fn of(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if status.code == 429 || status.code >= 500 => Self::None(status.message),
            kube::Error::Api(status) => Self::Status(status),
            error => {
                // The text differs from one time to the next, and would be written to a status each time.
                debug!(%error, "a call failed");
                Self::None("it cannot be reached".to_owned())
            }
        }
    }

    pub(super) fn into_error(self, what: String) -> WriteError {
        match self {
            Self::Status(status) if status.code == 409 => WriteError::Raced(what),
            Self::Status(status) => WriteError::Refused {
                what,
                message: status.message,
            },
            Self::None(message) => WriteError::Unreachable(message),
            Self::NotLeader => WriteError::NotLeader,
        }
    }
}

/// The kind of an answer to a create that says that the *namespace* is missing, and not the kind.
pub(super) fn missing_namespace(status: &kube::core::Status) -> bool {
    status
        .details
        .as_ref()
        .is_some_and(|details| details.kind == "namespaces")
}

/// Says that a kind is not served.
pub fn not_installed(kind: Kind) -> WriteError {
    WriteError::NotInstalled {
        kind: kind.name(),
        api_version: kind.api_version(),
    }
}
