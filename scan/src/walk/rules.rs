//! What the structure of Kubernetes' own objects shows.

use crate::rule::{Remedy, Rule};

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $title:literal, $remedy:ident;)*) => {
        $($(#[$doc])* pub(super) static $name: Rule = Rule { id: $id, title: $title, remedy: Remedy::$remedy };)*
        /// Every rule of the walk.
        pub(crate) const RULES: &[&Rule] = &[$(&$name),*];
    };
}

rules! {
    /// The token controller fills such a Secret with a token that never ends.
    SERVICE_ACCOUNT_TOKEN_SECRET = "service-account-token-secret",
        "a Secret for a service-account token that never ends", ProjectedToken;
    /// A ServiceAccount that lists token Secrets.
    SERVICE_ACCOUNT_SECRETS = "service-account-secrets",
        "a reference to a service-account token in a Secret", ProjectedToken;
    /// `serviceAccountToken.expirationSeconds` of a projected volume, or of a CSI driver.
    PROJECTED_TOKEN = "projected-token-long-lived",
        "a mounted service-account token that lives too long", ShorterLifetime;
    /// `kubectl create token --duration`.
    TOKEN_REQUEST = "token-request-long-lived", "a service-account token that would live too long", ShorterLifetime;
    /// Annotations that set the life of a workload's token.
    TOKEN_ANNOTATION = "token-annotation-long-lived",
        "a life for the workload's token that is too long", ShorterLifetime;
    /// A `CertificateSigningRequest`.
    CERTIFICATE_REQUEST = "certificate-request-long-lived",
        "a request for a certificate that lives too long", ShorterLifetime;
    /// A bootstrap token without an end, or with one that is too far away.
    BOOTSTRAP_TOKEN = "bootstrap-token", "a bootstrap token that lives too long", ShorterLifetime;
    /// `kubeadm join --token`.
    JOIN_TOKEN = "kubeadm-join-token", "a token that joins nodes to the cluster", ExternalSecret;
    /// `auth` of a registry in a Docker configuration.
    REGISTRY_CREDENTIAL = "registry-credential", "a password for an image registry", ExternalSecret;
    /// Any value of a Secret, where settings forbid them all.
    LITERAL_SECRET_VALUE = "literal-secret-value", "a literal value of a Secret", ExternalSecret;
    /// It looks random.
    RANDOM_VALUE = "random-value", "a value that looks random, as keys do", ExternalSecret;
    /// Beyond the caps on decoding.
    TOO_DEEP = "too-deep", "encoded too often, or too large when decompressed, to be looked into", ExternalSecret;
}
