//! The token service with a real API server behind it: its rights there, its keys, what it says of the users' objects, and real
//! service account tokens. `testbed run --light -- cargo test -p countersign-e2e --test light_tokens -- --ignored`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "test code: a panic is how a test fails"
)]

mod service;

mod exchange;
mod keys;
mod objects;
mod rules;
