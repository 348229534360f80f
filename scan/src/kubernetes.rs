//! Facts of Kubernetes that more than one judge of its objects needs: the scanner, the webhook and the API server's own
//! admission policies.

/// The life in seconds that Kubernetes' own admission gives to the tokens of Pods. The API server takes it for an hour,
/// and Pods that were refused for it could not run.
pub const DEFAULT_TOKEN_SECONDS: i64 = 3607;

/// Annotations that set how long the token of a workload lives, in seconds.
pub const TOKEN_LIFE_ANNOTATIONS: &[&str] = &[
    "eks.amazonaws.com/token-expiration",
    "azure.workload.identity/service-account-token-expiration",
];

/// Controllers that make objects from templates, when each has a service account of its own, in `kube-system`.
pub const WORKLOAD_CONTROLLERS: &[&str] = &[
    "cronjob-controller",
    "daemon-set-controller",
    "deployment-controller",
    "job-controller",
    "replicaset-controller",
    "replication-controller",
    "statefulset-controller",
];

/// The user that they are when they share the account of their process.
pub const CONTROLLER_MANAGER: &str = "system:kube-controller-manager";
