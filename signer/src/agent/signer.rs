//! The signer, as the agent sees it.

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;

use super::pods::LocalPod;
use super::tokens::Token;
use crate::key::KeyType;

/// What the signer says to a request for a certificate.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A certificate.
    Certificate(Certificate),
    /// It is to be for another kind of key.
    OtherKey(KeyType),
}

/// A certificate for a key that the agent has.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// Who it names.
    pub spiffe_id: String,
    /// The leaf first, then the intermediates.
    pub chain: Vec<CertificateDer<'static>>,
    /// When a new one is to be asked for.
    pub refresh_at: Timestamp,
    /// Until when it holds.
    pub not_after: Timestamp,
}

/// Why the signer gives nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The workload has no identity by this way: what it has is to be taken from it.
    #[error("{0}")]
    Refused(String),
    /// What was asked for cannot be.
    #[error("{0}")]
    Invalid(String),
    /// There is no answer now that says so. What the workload has it keeps, until that ends.
    #[error("{0}")]
    Unavailable(String),
}

/// Signs for workloads of this node.
pub trait Signer: Send + Sync + 'static {
    /// Certifies the key of a PKCS#10 request in DER.
    fn certify(&self, pod: &LocalPod, request: Vec<u8>) -> impl Future<Output = Result<Answer, Failure>> + Send;

    /// Signs a token for these audiences.
    fn token(&self, pod: &LocalPod, audiences: Vec<String>) -> impl Future<Output = Result<Token, Failure>> + Send;
}
