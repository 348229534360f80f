//! The certificate signer: it holds the key of the certificate authority, and gives short-lived X.509-SVIDs to workloads.
//!
//! ```text
//!  pod_certificate  PodCertificateRequests of kubelets ─┐
//!  csr              CertificateSigningRequests          ├─ grant ─ issue ─ authority
//!  istio            Istio's CA API                      │  (who may have what)   (signs)
//!  secret           Secrets, where one is asked for    ─┘
//!  authority        the root, the intermediate, their rotation and their Secret
//!  bundle           publishes the roots
//!  jwt              JWT-SVIDs, for those that cannot present a certificate
//!  endpoint         the bundle, for foreign trust domains
//!  federation       the bundles of foreign trust domains
//! ```
//!
//! Of a request only the public key is taken. Every other field of a certificate comes from the `ServiceIdentity` and
//! from what the API server says of the workload.

pub mod agent;
pub mod authority;
pub mod books;
pub mod bounds;
pub mod bundle;
pub mod csr;
mod discovery;
pub mod endpoint;
pub mod federation;
mod flags;
pub mod grant;
pub mod identities;
pub mod issue;
pub mod istio;
pub mod jwt;
pub mod key;
#[cfg(test)]
mod logged;
pub mod node;
pub mod pem;
pub mod pod_certificate;
pub mod problem;
pub mod refusal;
mod requests;
mod run;
pub mod secret;
pub mod status;

pub use flags::{AgentFlags, EndpointFlags, Flags, IstioFlags};
pub use run::{RunError, run};
