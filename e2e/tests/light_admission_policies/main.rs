//! What the chart's `ValidatingAdmissionPolicies` let in, and what not, on a real API server without the webhook:
//! `testbed run --light -- cargo test -p countersign-e2e --test light_admission_policies -- --ignored`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "test code: a panic is how a test fails, and `json!` gives values"
)]

mod objects;
mod server;

mod exemptions;
mod requests;
mod secrets;
mod workloads;
