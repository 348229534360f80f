//! What is said of the users' objects: pure, from what is known.

mod client;
mod issuer;
mod workload;

pub use client::client_status;
pub use issuer::{Discovery, IssuerView, issuer_status};
pub use workload::{TOKENS_GRANTED, workload_conditions};

use countersign_policy::parse::Problem;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// Problems in one line.
fn summary(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A time of a status.
fn time(seconds: i64) -> Option<Time> {
    Timestamp::from_second(seconds).ok().map(Time)
}
