//! What attackers do, and what comes of it: by the sections of RFC 9700 (the best current practice of OAuth 2.0 security), RFC
//! 8725 (that of JWTs) and the RFCs of the mechanisms.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects by panicking"
)]

#[path = "../flow/mod.rs"]
mod flow;
#[path = "../rig/mod.rs"]
mod rig;

mod answers;
mod arbitrary;
mod codes;
mod dpop;
mod exchange;
mod fetching;
mod jwt;
mod oracle;
mod redirects;
mod refresh;
mod replay;
mod requests;
mod sign_in;
