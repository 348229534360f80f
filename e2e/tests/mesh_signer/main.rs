//! Countersign's signer as the authority of a real mesh, and of Pods outside it:
//! `testbed run --istio --countersign --image IMAGE -- cargo test -p countersign-e2e --test mesh_signer -- --ignored`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code: a panic is how a test fails"
)]

mod issued;

mod agent;
mod mounted;
mod restarts;
mod sidecars;
