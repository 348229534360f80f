//! The signer as a process beside a real API server:
//! `testbed run --light -- cargo test -p countersign-e2e --test light_signer -- --ignored`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a panic is how a test fails"
)]

mod cluster;
mod kept;
mod process;
mod workload;

mod brought;
mod bundles;
mod federation;
mod issuing;
mod killed;
mod signing_requests;
mod unreadable;
mod withdrawn;
