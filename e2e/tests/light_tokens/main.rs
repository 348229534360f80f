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

#[path = "../../../tokens/tests/common/postgres.rs"]
#[expect(dead_code, reason = "the tests of the store use more of it")]
mod postgres;
mod service;

mod exchange;
mod keys;
mod killed;
mod objects;
mod rules;
