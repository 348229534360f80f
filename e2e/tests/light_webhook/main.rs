//! The admission webhook as a process beside a real API server:
//! `testbed run --light -- cargo test -p countersign-e2e --test light_webhook -- --ignored`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "test code: a panic is how a test fails, and `json!` gives values"
)]

mod objects;
mod server;
mod webhook;

mod certificates;
mod requests;
mod waivers;
mod writers;
