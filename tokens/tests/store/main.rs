//! The store, on both databases: each test runs on SQLite and on a real PostgreSQL server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    dead_code,
    reason = "test code: a panic is how a test fails; each user of the support takes its part"
)]

mod codes;
#[path = "../common/mod.rs"]
mod common;
mod families;
mod kill;
mod opening;
mod races;
mod revocations;
mod rig;
mod small;
mod sweeping;
