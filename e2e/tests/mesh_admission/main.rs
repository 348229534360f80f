//! The admission webhook as the chart installs it, on a cluster that goes on to work:
//! `testbed run --istio --image IMAGE -- cargo test -p countersign-e2e --test mesh_admission -- --ignored`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "test code: a panic is how a test fails, and `json!` gives values"
)]

mod release;

mod asked;
mod cluster;
mod down;
mod helm;
mod refused;
