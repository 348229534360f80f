//! The one gate that every certificate goes through: it is signed, recorded and counted here, whatever way it was asked for.

mod metrics;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use aws_lc_rs::rand;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tracing::info;

pub use metrics::{IssueMetrics, Outcome};

use crate::authority::{Authority, Certificate, Serial, SignError, hex};
use crate::grant::Grant;
use crate::key::PublicKey;

/// The ways in which a certificate can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// A `PodCertificateRequest` of a kubelet.
    PodCertificate,
    /// A `CertificateSigningRequest`.
    CertificateSigningRequest,
    /// Istio's CA API.
    IstioCa,
    /// A node's agent, for the SPIFFE Workload API or SDS.
    WorkloadApi,
    /// A Secret.
    Secret,
    /// The signer's own servers.
    Serving,
}

impl Path {
    /// The name in records and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::PodCertificate => "pod-certificate",
            Self::CertificateSigningRequest => "certificate-signing-request",
            Self::IstioCa => "istio-ca",
            Self::WorkloadApi => "workload-api",
            Self::Secret => "secret",
            Self::Serving => "serving",
        }
    }
}

/// Why no certificate is given.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// There is no authority yet.
    #[error("the certificate authority is not ready yet")]
    NoAuthority,
    /// No random numbers.
    #[error("no random numbers for a serial number")]
    NoRandomness,
    /// It cannot be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// What certificates are signed with at the moment. Clones are of one authority.
#[derive(Clone, Debug, Default)]
pub struct Current(Arc<ArcSwapOption<Authority>>);

impl Current {
    /// Puts another authority in place: what is signed from now on is signed by it.
    pub fn set(&self, authority: Option<Arc<Authority>>) {
        self.0.store(authority);
    }

    /// The authority, if there is one.
    pub fn get(&self) -> Option<Arc<Authority>> {
        self.0.load_full()
    }
}

/// A certificate that was issued, as the books have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The namespace of the workload.
    pub namespace: String,
    /// Its service account.
    pub service_account: String,
    /// How it was asked for.
    pub path: Path,
    /// The serial number, in hexadecimal digits.
    pub serial: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// Until when it holds.
    pub not_after: Timestamp,
}

/// Told of each certificate that was issued.
pub trait Books: Send + Sync {
    /// Takes in a record.
    fn enter(&self, record: Record);
}

/// Issues certificates.
#[derive(Clone)]
pub struct Issuer {
    current: Current,
    metrics: Arc<IssueMetrics>,
    books: Arc<dyn Books>,
}

impl Issuer {
    /// An issuer that signs with what is current.
    pub fn new(current: Current, metrics: Arc<IssueMetrics>, books: Arc<dyn Books>) -> Self {
        Self {
            current,
            metrics,
            books,
        }
    }

    /// Signs, records and counts. `request` names what asked: an object's name and uid, or a caller.
    ///
    /// # Errors
    ///
    /// If there is no authority, or it cannot sign.
    pub fn issue(
        &self,
        path: Path,
        request: &str,
        grant: &Grant,
        key: &PublicKey,
        now: Timestamp,
    ) -> Result<Certificate, IssueError> {
        let issued = self.sign(grant, key, now);
        match &issued {
            Ok(certificate) => {
                self.metrics.count(path, Outcome::Issued);
                self.record(path, request, grant, certificate, now);
            }
            Err(_) => self.metrics.count(path, Outcome::Failed),
        }
        issued
    }

    /// Counts a request that is refused.
    pub fn refused(&self, path: Path) {
        self.metrics.count(path, Outcome::Refused);
    }

    /// Counts a request that cannot be answered now, and is tried again.
    pub fn failed(&self, path: Path) {
        self.metrics.count(path, Outcome::Failed);
    }

    fn sign(&self, grant: &Grant, key: &PublicKey, now: Timestamp) -> Result<Certificate, IssueError> {
        let authority = self.current.get().ok_or(IssueError::NoAuthority)?;
        let mut random = [0; 16];
        rand::fill(&mut random).map_err(|_| IssueError::NoRandomness)?;
        Ok(authority.sign(grant, key, Serial::new(random), now)?)
    }

    fn record(&self, path: Path, request: &str, grant: &Grant, certificate: &Certificate, now: Timestamp) {
        let leaf = certificate.chain.first().map(Sha256::digest);
        let sha256 = leaf.map(|digest| hex(&digest)).unwrap_or_default();
        info!(
            name: "countersign.certificate.issued",
            target: "countersign_signer::issued",
            path = path.name(),
            request,
            namespace = grant.namespace,
            service_account = grant.service_account,
            service_identity = grant.service_identity,
            spiffe_id = %grant.spiffe_id,
            serial = %certificate.serial,
            sha256,
            not_before = %certificate.not_before,
            not_after = %certificate.not_after,
            "issued a certificate"
        );
        self.books.enter(Record {
            namespace: grant.namespace.clone(),
            service_account: grant.service_account.clone(),
            path,
            serial: certificate.serial.to_string(),
            issued_at: now,
            not_after: certificate.not_after,
        });
    }
}

#[cfg(test)]
mod tests;
