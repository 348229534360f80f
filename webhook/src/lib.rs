//! The admission webhook: what carries a static key or a long-lived token does not get into the cluster.
//!
//! ```text
//! API server ── TLS ──▶ serve → handler → answer ─┬─ review   what is asked, and what is told
//!      ▲                                          ├─ judge    what an object holds, who wrote it, what becomes of it
//!      │                                          └─ own      Countersign's own kinds, seen with the others
//!      └── caBundle ◀── tls    certificates          cluster  waivers and namespaces, by watch
//! ```
//!
//! [`answer`] is a function of bytes, of what is known of the cluster, and of the time; all that waits is around it.

pub mod answer;
pub mod audit;
pub mod cluster;
pub mod fingerprint_key;
pub mod flags;
pub mod handler;
pub mod judge;
pub mod metrics;
pub mod own;
pub mod readiness;
pub mod review;
pub mod settings;
pub mod tls;
pub mod watch;

mod run;

pub use flags::Flags;
pub use run::{LIMITS, RunError, run};
