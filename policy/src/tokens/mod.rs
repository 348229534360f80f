//! What a managed issuer gives, to whom, and for what: the token service grants nothing that is not here.

mod model;

pub use model::{
    Audience, Authentication, Binding, Client, Federated, Format, Grant, ManagedIssuer, Refresh, SecretHash, SigningAlgorithm,
    Upstream, Workload,
};
