//! The webhook's audit, and its judgement of Countersign's own kinds, beside a real API server:
//! `testbed run --light -- cargo test -p countersign-e2e --test light_audit -- --ignored`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::print_stdout,
    reason = "test code: a panic is how a test fails, and measurements are printed, and `json!` gives values"
)]

mod cluster;
mod large;
mod own;
mod reports;
mod waivers;
mod webhook;
