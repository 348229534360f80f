//! Why no certificate is given, as whoever asked is told.

use countersign_identity::SpiffeId;
use jiff::SignedDuration;
use tonic::{Code, Status};

use countersign_runtime::callers::{self, Account};

use crate::bounds::caller_code;
use crate::issue::IssueError;
use crate::key::KeyError;

/// Why no certificate is given. No text quotes a token or a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Whoever asks is not believed, or that cannot be found out.
    #[error(transparent)]
    Caller(#[from] callers::Refusal),
    /// Its `ServiceIdentity` says so.
    #[error(
        "ServiceIdentity {namespace}/{name} does not list IstioCA in spec.delivery: add it there to have the workload in the mesh"
    )]
    NotDelivered {
        /// The namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Its `ServiceIdentity` has a mistake.
    #[error("ServiceIdentity {namespace}/{name} must be corrected first: its status says what is wrong")]
    NotUnderstood {
        /// The namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Whoever asks may not ask for others.
    #[error(
        "{0} may not ask on behalf of others: if it is the account of the nodes' proxies, add it to the trusted node accounts"
    )]
    NotANodeAccount(Account),
    /// A name that no service account of this trust domain has.
    #[error("{0} is no service account of this trust domain")]
    Foreign(SpiffeId),
    /// The workload is elsewhere.
    #[error("no live Pod of {account} runs on the node {node}")]
    NotOnNode {
        /// The workload's account.
        account: Account,
        /// Where the proxy runs.
        node: String,
    },
    /// The proxy's Pod has no node.
    #[error("the Pod of the node's proxy has no node")]
    NoNode,
    /// The certification request is not taken.
    #[error("the certification request is refused: {0}")]
    Key(#[from] KeyError),
    /// The key is of a kind that Istio's sidecars have by default.
    #[error(
        "the certification request is refused: {0}; for sidecars and gateways set ECC_SIGNATURE_ALGORITHM to ECDSA in \
         meshConfig.defaultConfig.proxyMetadata",
        KeyError::Unsupported
    )]
    UnsupportedKey,
    /// The `ServiceIdentity` is for another kind of key.
    #[error("the certification request is refused: {0}")]
    KeyType(String),
    /// The certification request cannot be found.
    #[error("csr is not one PKCS#10 certification request in PEM")]
    NotPem,
    /// Its metadata cannot be understood.
    #[error("metadata.ImpersonatedIdentity is not a SPIFFE ID")]
    NotAnIdentity,
    /// It asks for too short a life.
    #[error(
        "validity_duration asks for {asked}, and certificates live for {shortest} at least: set SECRET_TTL to more"
    )]
    TooShort {
        /// What was asked for.
        asked: SignedDuration,
        /// What would be possible.
        shortest: SignedDuration,
    },
    /// A name that no certificate can have.
    #[error("the service account's name does not fit into a SPIFFE ID")]
    Name,
    /// There is nothing to sign with, or nothing to trust.
    #[error("the certificate authority is not ready: try again")]
    NotReady,
    /// A fault of the signer.
    #[error("the certificate cannot be made: see the signer's log")]
    Fault,
}

impl Refusal {
    /// The code in gRPC. Istio's proxies ask again soon where it says that a retry can help.
    pub fn code(&self) -> Code {
        match self {
            Self::Caller(refusal) => caller_code(refusal),
            Self::NotDelivered { .. }
            | Self::NotUnderstood { .. }
            | Self::NotANodeAccount(_)
            | Self::Foreign(_)
            | Self::NotOnNode { .. }
            | Self::NoNode => Code::PermissionDenied,
            Self::Key(_)
            | Self::KeyType(_)
            | Self::UnsupportedKey
            | Self::NotPem
            | Self::NotAnIdentity
            | Self::TooShort { .. }
            | Self::Name => Code::InvalidArgument,
            Self::NotReady => Code::Unavailable,
            Self::Fault => Code::Internal,
        }
    }

    /// Whether the request could not be judged, or not be granted, through no fault of its own.
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Caller(refusal) => refusal.is_failure(),
            Self::NotReady | Self::Fault => true,
            _ => false,
        }
    }
}

impl From<&IssueError> for Refusal {
    fn from(error: &IssueError) -> Self {
        match error {
            IssueError::NoAuthority | IssueError::Sign(crate::authority::SignError::Ending(_)) => Self::NotReady,
            _ => Self::Fault,
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code(), refusal.to_string())
    }
}
