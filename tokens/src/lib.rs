//! The token service: an OAuth 2.0 authorization server for machines, partners and users, without shared secrets.
//!
//! ```text
//!  endpoints   a request is read ─┐
//!  clients     who asks           │
//!  proof       which key it holds ├─ grants ─ mint ─ keys
//!  evidence    what it shows      │  (what it may have, from the directory)
//!  store       what was used once ┘
//!  record      every decision
//! ```

pub mod callers;
pub mod clients;
pub mod directory;
pub mod endpoints;
pub mod evidence;
mod flags;
pub mod grants;
pub mod keys;
pub mod limits;
pub mod metrics;
pub mod mint;
pub mod own;
pub mod proof;
pub mod protocol;
pub mod record;
pub mod remote;
mod run;
pub mod service;
pub mod status;
pub mod store;
pub mod upstream;
pub mod used;

pub use flags::Flags;
pub use run::{RunError, run};
