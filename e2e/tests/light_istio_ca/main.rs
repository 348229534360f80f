//! Istio's CA API with a real API server behind it: real tokens, real Pods, and the rights that the signer has there.
//! `testbed run --light -- cargo test -p countersign-e2e --test light_istio_ca -- --ignored`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    missing_docs,
    reason = "test code: a panic is how a test fails; it takes its part of the signer's support"
)]

#[path = "../../../signer/tests/support/mod.rs"]
mod support;

mod cluster;

mod callers;
mod nodes;
mod requests;
