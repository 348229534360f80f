//! What the signer answers, beside a real API server, which takes no wrong answer:
//! `testbed run --light -- cargo test -p countersign-e2e --test light_certificates -- --ignored`, and with `--kubernetes 1.36`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "test code: a panic is how a test fails, and `json!` gives values"
)]

mod cluster;
mod csr;
mod pod_certificate;
mod secret;
mod signer;
