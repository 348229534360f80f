//! The operator against a real API server:
//! `testbed run --light -- cargo test -p countersign-e2e --test light_operator -- --ignored`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code: a panic is how a test fails"
)]

mod cluster;
mod process;

mod authorities;
mod identities;
mod objects;
mod resilience;
mod specs;
