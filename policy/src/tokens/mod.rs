//! What a managed issuer gives, to whom, and for what: the token service grants nothing that is not here.
//!
//! What users wrote is read by [`managed_issuer`], [`client`], [`workload`] and [`revocation`]. What needs both the issuer
//! and who asks it is looked at by [`check`], [`check_workload`] and [`check_revocation`]: who has a problem there gets
//! nothing.

mod authentication;
mod check;
mod client;
mod granted;
mod issuer;
mod model;
mod revocation;
mod secret;
mod uri;
mod workload;

pub use check::{check, check_revocation, check_workload, secrets};
pub use client::client;
pub use granted::{CLAIM_SCOPES, OPENID, OPENID_SCOPES};
pub use issuer::managed_issuer;
pub(crate) use issuer::read as read_managed;
pub use model::{
    Audience, Authentication, Binding, Client, Federated, Format, Grant, ManagedIssuer, Refresh, SecretHash,
    SigningAlgorithm, Upstream, Workload,
};
pub use revocation::{Revocation, Revoked, revocation};
pub(crate) use workload::tokens as read_tokens;
pub use workload::{Tokens, workload, workload_of};

#[cfg(test)]
mod tests;
