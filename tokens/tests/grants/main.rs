//! Each grant as a client sees it: what it gets, and what it is refused.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by panicking")]

#[path = "../rig/mod.rs"]
mod rig;

mod client_credentials;
