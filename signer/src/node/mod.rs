//! What the agents of the nodes ask for: certificates and tokens for the workloads of their own node, and all bundles.
//!
//! ```text
//!  request → callers  which Pod is this, and is it alive? ─ API server
//!            check    is it an agent's; and the workload: the Pod of that UID, alive, on the same node?
//!            grant    what its ServiceIdentity says; without one there is nothing
//!            issue    → certificate or token
//! ```

pub mod check;
pub mod refusal;
pub mod tokens;

mod bundles;
mod messages;
mod service;

pub use refusal::Refusal;
pub use service::{AUDIENCE, Parts, Service, router};
pub use tokens::{Token, TokenError, Tokens};

/// The messages, the service and its client, as made from `proto/node_agent.proto`.
pub mod proto {
    #![allow(clippy::all, clippy::pedantic, missing_docs, reason = "made by a generator")]
    tonic::include_proto!("countersign.node.v1");
}
