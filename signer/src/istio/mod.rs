//! Istio's CA API: `istio.v1.auth.IstioCertificateService/CreateCertificate`, as sidecars, gateways and ztunnel call it.
//!
//! ```text
//!  request → callers which Pod is this, and is it alive? ─ API server
//!            subject itself; or, for a node's proxy, a workload on its own node
//!            grant   its service account's identity, for as long as asked and allowed
//!            issue   → answer: leaf, intermediates, roots
//! ```
//!
//! A mesh gives every service account an identity, so no `ServiceIdentity` is needed. One that does not list `IstioCA` is a
//! refusal.

pub mod answer;
pub mod profiles;
pub mod refusal;
pub mod request;
pub mod serving;
pub mod settings;
pub mod subject;

mod service;

pub use profiles::{Profile, Profiles};
pub use service::{LIMITS, Parts, Roots, Service, router};
pub use settings::Settings;

pub use countersign_runtime::callers::{Account, Token, caller, cluster, kubernetes};

/// The messages and the service, as made from `proto/istio_ca.proto`.
pub mod proto {
    #![allow(clippy::all, clippy::pedantic, missing_docs, reason = "made by a generator")]
    tonic::include_proto!("istio.v1.auth");
}
