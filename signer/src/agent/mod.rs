//! The agent of a node: it gives the node's workloads their SVIDs and bundles over a Unix socket, by the SPIFFE Workload API
//! and by Envoy's SDS. Keys are made in its memory, and are nowhere else but in the workload.
//!
//! ```text
//!  socket → attest   the kernel names the process, its cgroup the Pod's UID
//!           pods     the Pod of that UID on this node ─ API server
//!           svids    its SVID: a key made here, certified there, renewed in time ─ link ─ signer
//!           tokens   its JWT-SVIDs, signed there                                ─ link ─ signer
//!           bundles  of the own trust domain and those that it federates with    ─ link ─ signer
//!         → workload_api, sds   request: what callers send, read
//! ```

pub mod attest;
pub mod link;
pub mod metrics;
pub mod pods;
pub mod refusal;
pub mod request;
pub mod secrets;
pub mod signer;
pub mod svids;
pub mod tokens;

mod bundles;
mod claims;
mod desk;
mod flags;
mod run;
mod sds;
mod socket;
mod updates;
mod workload_api;

use std::sync::Arc;

use jiff::Timestamp;

pub use flags::Flags;
pub use run::{Agent, RunError, run};
pub use socket::SocketError;
pub use updates::View;

/// What time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The messages and the service of the Workload API, as made from `proto/workload_api.proto`.
pub mod proto {
    #![allow(clippy::all, clippy::pedantic, missing_docs, reason = "made by a generator")]
    tonic::include_proto!("_");
}
