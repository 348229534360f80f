//! The operator: watches the cluster, evaluates the policies in it, writes what the mesh needs to enforce them, and says
//! in each object's status what became of it.
//!
//! ```text
//! watch → fact → store → (countersign_policy::evaluate) → plan → work → api
//!                  └──────────────── engine ──────────────────┘
//! ```
//!
//! [`engine`] is the one loop that owns all state. [`watch`] turns objects into facts; [`plan`] compares what an
//! evaluation asks for with what is there; [`apply`] knows the order; [`work`] makes the calls, [`api`] being the only writer. Only the replica
//! that holds the [`lease`](countersign_runtime::lease) writes.

pub mod api;
pub mod apply;
pub mod digest;
pub mod engine;
pub mod events;
pub mod fact;
pub mod index;
pub mod jwks;
pub mod kinds;
pub mod metrics;
pub mod owned;
pub mod plan;
pub mod queue;
pub mod settings;
pub mod store;
pub mod watch;
pub mod work;

mod run;

/// How the operator calls itself to the API server and to those whose keys it fetches.
pub const USER_AGENT: &str = concat!("countersign-operator/", env!("CARGO_PKG_VERSION"));

pub use run::{RunError, run};
pub use settings::Settings;
