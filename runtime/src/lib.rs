//! What every long-running binary of Countersign needs, and needs in one way: logs, signals, the client of the API server,
//! who calls by its service account, health over HTTP, HTTPS, leader election, the parts of a binary and their end, and the clock.
//!
//! Nothing here knows what a binary does.

pub mod callers;
pub mod client;
pub mod clock;
pub mod events;
pub mod http;
pub mod https;
pub mod lease;
pub mod parts;
pub mod process;
pub mod records;
pub mod telemetry;
pub mod tls;
