//! The operator as the chart installs it, and what real sidecars and gateways do by its policies:
//! `testbed run --istio --image IMAGE -- cargo test -p countersign-e2e --test mesh_operator -- --ignored`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "test code: a panic is how a test fails"
)]

mod release;
mod shop;
mod traffic;

mod dry_run;
mod fail_closed;
mod first_policy;
mod gateway;
mod keys;
mod killed;
mod meshed;
mod open_connection;
mod rate_limit;
mod together;
mod uninstall;
