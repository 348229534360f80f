//! Countersign's signer as the authority of a real mesh, and of Pods outside it:
//! `testbed run --istio --countersign --image IMAGE -- cargo test -p countersign-e2e --test mesh_signer -- --ignored`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code: a panic is how a test fails"
)]

mod issued;
#[path = "../../../tokens/tests/common/postgres.rs"]
#[expect(dead_code, reason = "the tests of the store use more of it")]
mod postgres;

mod agent;
mod mounted;
mod replicas;
mod restarts;
mod sidecars;
