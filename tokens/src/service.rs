//! What all requests share, and what one request brings along.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::rand::SecureRandom;
use http::{HeaderMap, Method};
use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};

use crate::callers::Workloads;
use crate::directory::{Directory, Endpoint, Issuer};
use crate::keys::{KeyError, Ring, signing};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::protocol::{Form, Refusal};
use crate::record::Recorder;
use crate::remote::RemoteKeys;
use crate::store::{Store, StoreError};
use crate::upstream::Upstreams;
use crate::used::Used;

/// What all requests share.
pub struct Service {
    /// Who may get what: swapped whole.
    pub directory: Arc<ArcSwap<Directory>>,
    /// The keys of each issuer, by the name of its `TokenIssuer`.
    pub rings: Arc<ArcSwap<BTreeMap<String, Arc<Ring>>>>,
    /// What is remembered.
    pub store: Store,
    /// Who says whose a service account token is.
    pub workloads: Arc<dyn Workloads>,
    /// The keys that clients publish.
    pub remote: RemoteKeys,
    /// Where users sign in.
    pub upstreams: Upstreams,
    /// How much is borne.
    pub limits: Limits,
    /// What is written down.
    pub recorder: Recorder,
    /// What is measured.
    pub metrics: Metrics,
    /// Which clients were there.
    pub used: Used,
    /// Whole seconds since 1970.
    pub clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// Where identifiers and handles come from.
    pub random: Arc<dyn SecureRandom + Send + Sync>,
}

/// One request to an endpoint of an issuer.
pub struct Call {
    /// The issuer.
    pub issuer: Arc<Issuer>,
    /// Its keys.
    pub ring: Arc<Ring>,
    /// What is asked of it.
    pub endpoint: Endpoint,
    /// Whether it came to the host at which clients show certificates, where that is another than the issuer's.
    pub at_mutual_tls_host: bool,
    /// All that it is judged by, as it was when it came.
    pub directory: Arc<Directory>,
    /// When it came, in seconds since 1970.
    pub now: i64,
    /// Its method.
    pub method: Method,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its parameters.
    pub form: Form,
    /// Where it comes from; a hint for limits and records, and no proof of anything.
    pub peer: Option<IpAddr>,
    /// The certificates that the client showed, its own first. It holds the key; nothing else is known of them.
    pub certificates: Arc<[CertificateDer<'static>]>,
}

impl Call {
    /// The URL of the endpoint, as the client knows it.
    pub fn url(&self) -> String {
        let place = &self.issuer.place;
        let other = place.mutual_tls_url(self.endpoint).filter(|_| self.at_mutual_tls_host);
        other.unwrap_or_else(|| place.url(self.endpoint))
    }

    /// The issuer's identifier.
    pub fn issuer_id(&self) -> &str {
        &self.issuer.managed.issuer
    }
}

impl Service {
    /// Random bytes.
    ///
    /// # Errors
    ///
    /// If there is no randomness.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], Refusal> {
        Ok(signing::random(self.random.as_ref())?)
    }
}

/// What is kept of something that must not be kept: its SHA-256, together with what it is for. The parts cannot run into each
/// other.
pub fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

impl From<KeyError> for Refusal {
    fn from(_: KeyError) -> Self {
        Self::Unavailable("the issuer's signing key")
    }
}

/// A store that fails is told to the operator of the service, and to a client only that it failed.
impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed, so the request is refused");
        Self::Unavailable("the store")
    }
}
