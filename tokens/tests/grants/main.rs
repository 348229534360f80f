//! Each grant as a client sees it: what it gets, and what it is refused.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects by panicking"
)]

#[path = "../flow/mod.rs"]
mod flow;
#[path = "../rig/mod.rs"]
mod rig;

mod assertion;
mod client_credentials;
mod code;
mod exchange;
mod mutual_tls;
mod pushed;
mod refresh;
mod secret;
mod userinfo;
