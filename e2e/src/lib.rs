//! The testbed: a real cluster in one set of namespaces, and what tests need to speak to it.
//!
//! A test that runs under `testbed run … -- cargo test` begins with [`Testbed::from_env`], makes itself a
//! [`Namespace`], and sends what a caller would send with [`MeshClient`] and tokens of an [`Issuer`].

mod account_token;
mod api_user;
pub mod audit;
pub mod cache;
pub mod chart;
pub mod cluster;
pub mod differential;
pub mod http;
pub mod https;
mod issuer;
mod mesh_client;
mod namespace;
mod proxy;
pub mod shell;
mod signing_request;
mod testbed;
pub mod tools;
mod turn;
mod wait;
mod workload;

pub use api_user::ApiUser;
pub use http::{Answer, Request, form};
pub use issuer::{Algorithm, Issuer};
pub use mesh_client::{MeshClient, MeshConnection};
pub use namespace::Namespace;
pub use proxy::{ProxyCertificate, bare_serial};
pub use signing_request::{SIGNING_REQUESTS, signing_request};
pub use testbed::Testbed;
pub use turn::Turn;
pub use wait::wait_for;
pub use workload::{Executed, Running, Workload};
