//! Why a request for a certificate is refused: a reason for machines, and for people what is wrong and what helps.

use std::fmt;

/// Why, in the form of a condition's reason. They are part of the API: scripts look at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// What is needed for an answer is not known yet. It is no answer: whoever asks is to ask again.
    NotReady,
    /// No `ServiceIdentity` names the service account.
    NoServiceIdentity,
    /// The `ServiceIdentity` cannot be understood.
    InvalidServiceIdentity,
    /// The `ServiceIdentity` does not allow this way.
    DeliveryNotAllowed,
    /// The certificate is for another kind of key. Kubernetes documents this reason.
    UnsupportedKeyType,
    /// The request cannot be read, or is not signed with its own key.
    InvalidRequest,
    /// The life that is asked for cannot be given.
    InvalidDuration,
    /// There is an annotation that has no meaning here.
    UnknownAnnotation,
    /// There is no such Pod.
    PodNotFound,
    /// The Pod of that name is another one.
    PodReplaced,
    /// The Pod has ended, or is being deleted.
    PodEnded,
    /// The Pod runs as another service account, or that is not the one it began with.
    ServiceAccountMismatch,
    /// The Pod runs on another node, or that is not the one it began on.
    NodeMismatch,
    /// Whoever asks is not the workload.
    RequesterMismatch,
    /// Other names are asked for than the workload has.
    NamesNotAllowed,
    /// Other usages are asked for than the workload has.
    UsagesNotAllowed,
    /// A certificate authority is asked for.
    AuthorityNotAllowed,
    /// The signer may not do this in the namespace.
    NamespaceNotAllowed,
}

impl Reason {
    /// The reason, as conditions have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotReady => "NotReady",
            Self::NoServiceIdentity => "NoServiceIdentity",
            Self::InvalidServiceIdentity => "InvalidServiceIdentity",
            Self::DeliveryNotAllowed => "DeliveryNotAllowed",
            Self::UnsupportedKeyType => "UnsupportedKeyType",
            Self::InvalidRequest => "InvalidRequest",
            Self::InvalidDuration => "InvalidDuration",
            Self::UnknownAnnotation => "UnknownAnnotation",
            Self::PodNotFound => "PodNotFound",
            Self::PodReplaced => "PodReplaced",
            Self::PodEnded => "PodEnded",
            Self::ServiceAccountMismatch => "ServiceAccountMismatch",
            Self::NodeMismatch => "NodeMismatch",
            Self::RequesterMismatch => "RequesterMismatch",
            Self::NamesNotAllowed => "NamesNotAllowed",
            Self::UsagesNotAllowed => "UsagesNotAllowed",
            Self::AuthorityNotAllowed => "AuthorityNotAllowed",
            Self::NamespaceNotAllowed => "NamespaceNotAllowed",
        }
    }

    /// Whether a `ServiceIdentity` that is on its way would change the answer: a workload and its identity are often
    /// applied together, and Kubernetes never asks again after a refusal.
    pub fn may_pass(self) -> bool {
        matches!(self, Self::NoServiceIdentity | Self::DeliveryNotAllowed)
    }
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    /// The reason.
    pub reason: Reason,
    /// What is wrong, and what helps.
    pub message: String,
}

impl Refusal {
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.name(), self.message)
    }
}
