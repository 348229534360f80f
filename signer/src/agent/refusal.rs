//! Why a workload is given nothing.

use prometheus_client::encoding::EncodeLabelValue;
use tonic::{Code, Status};

use super::signer::Failure;

/// Why, as a label of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Reason {
    /// The caller's process is not in a PID namespace that the agent sees.
    NoPid,
    /// The caller's process has ended, so that its number may be another's.
    ProcessEnded,
    /// The caller's process runs in no Pod.
    NotAPod,
    /// The caller's process has cgroups of two Pods.
    Ambiguous,
    /// No Pod of this node has the UID.
    UnknownPod,
    /// The Pod has ended.
    PodEnded,
    /// The metadata that keeps browsers and proxies away is missing.
    NoHeader,
    /// The request is not understood.
    InvalidRequest,
    /// A token that was to be validated does not hold.
    InvalidToken,
    /// The signer gives the workload no identity.
    NoIdentity,
    /// An identity or a trust domain that the workload does not have.
    NotEntitled,
    /// What was given has ended, and there is nothing new.
    Unavailable,
    /// The agent ends.
    Stopping,
}

/// Why a workload is given nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The reason.
    pub reason: Reason,
    /// What is wrong, and what helps.
    pub message: String,
}

impl Refusal {
    /// Makes one.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }

    /// The code in gRPC (SPIFFE Workload Endpoint standard, section 6).
    pub fn code(&self) -> Code {
        match self.reason {
            Reason::NoPid
            | Reason::ProcessEnded
            | Reason::NotAPod
            | Reason::Ambiguous
            | Reason::UnknownPod
            | Reason::PodEnded
            | Reason::NoIdentity
            | Reason::NotEntitled => Code::PermissionDenied,
            Reason::NoHeader | Reason::InvalidRequest | Reason::InvalidToken => Code::InvalidArgument,
            Reason::Unavailable | Reason::Stopping => Code::Unavailable,
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let reason = match &failure {
            Failure::Refused(_) => Reason::NoIdentity,
            Failure::Invalid(_) => Reason::InvalidRequest,
            Failure::Unavailable(_) => Reason::Unavailable,
        };
        Self::new(reason, failure.to_string())
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code(), refusal.message)
    }
}
