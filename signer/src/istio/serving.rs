//! The certificate that the signer's own servers show: issued here, by the same gate as every other, renewed while it
//! serves.

use std::sync::Arc;
use std::time::Duration;

use countersign_identity::SpiffeId;
use countersign_runtime::clock;
use countersign_runtime::tls::Current as Shown;
use jiff::{SignedDuration, Timestamp};
use rcgen::KeyPair;
use rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::authority::Certificate;
use crate::grant::{Grant, Usages};
use crate::issue::{Current, IssueError, Issuer, Path};
use crate::key::{KeyError, PublicKey};

/// How often it is looked whether another is due: after a rotation clients may soon not trust the old one.
const LOOK: Duration = Duration::from_secs(2);
/// How long a serving certificate lives, and when it is renewed.
const LIFETIME: SignedDuration = SignedDuration::from_hours(24);
const RENEW_AFTER_PERCENT: u8 = 50;

/// Why there is no new serving certificate.
#[derive(Debug, thiserror::Error)]
pub enum ServingError {
    /// It was not issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// No key could be made.
    #[error("no key can be made: {0}")]
    Key(#[from] rcgen::Error),
    /// The key that was made is not taken.
    #[error(transparent)]
    Public(#[from] KeyError),
    /// TLS cannot use the key that was made.
    #[error("the key cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    /// The key that was made cannot be read.
    #[error("the key cannot be used: {0}")]
    Private(&'static str),
}

/// Who the signer is.
#[derive(Clone, Debug)]
pub struct Own {
    /// Its identity.
    pub spiffe_id: SpiffeId,
    /// Its namespace.
    pub namespace: String,
    /// Its service account.
    pub service_account: String,
    /// The names that clients reach it by.
    pub dns_names: Vec<String>,
}

/// The names of a Service within a cluster, as clients write them.
pub fn service_names(service: &str, namespace: &str, cluster_domain: &str) -> Vec<String> {
    vec![
        format!("{service}.{namespace}.svc"),
        format!("{service}.{namespace}.svc.{cluster_domain}"),
        format!("{service}.{namespace}"),
    ]
}

/// Keeps the serving certificate current.
pub struct Keeper {
    /// Signs.
    pub issuer: Issuer,
    /// What it signs with: a new one is a reason for a new certificate.
    pub authority: Current,
    /// Who the signer is.
    pub own: Own,
    /// Where it is served from.
    pub shown: Shown,
}

impl Keeper {
    /// Issues, serves and renews until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut served: Option<(String, Timestamp)> = None;
        let mut told = false;
        loop {
            if let Some(authority) = self.authority.get() {
                let now = clock::precise();
                let good = |(serial, until): &(String, Timestamp)| serial == authority.serial() && now < *until;
                if !served.as_ref().is_some_and(good) {
                    match self.renew(now) {
                        Ok(certificate) => {
                            info!(serial = %certificate.serial, ends = %certificate.not_after, "serves with a new certificate");
                            served = Some((authority.serial().to_owned(), certificate.refresh_at));
                            told = false;
                        }
                        Err(error) if !told => {
                            warn!(%error, "there is no new serving certificate");
                            told = true;
                        }
                        Err(_) => {}
                    }
                }
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Issues one and serves it from now on.
    ///
    /// # Errors
    ///
    /// If there is no authority, or no key can be made.
    pub fn renew(&self, now: Timestamp) -> Result<Certificate, ServingError> {
        let key = KeyPair::generate()?;
        let public = PublicKey::from_info(&rcgen::PublicKeyData::subject_public_key_info(&key))?;
        let issued = self
            .issuer
            .issue(Path::Serving, "the signer itself", &self.grant(), &public, now)?;
        let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(ServingError::Private)?;
        let certified = CertifiedKey::new(issued.chain.clone(), any_ecdsa_type(&private)?);
        self.shown.set(Arc::new(certified));
        Ok(issued)
    }

    fn grant(&self) -> Grant {
        Grant {
            namespace: self.own.namespace.clone(),
            service_account: self.own.service_account.clone(),
            service_identity: None,
            spiffe_id: self.own.spiffe_id.clone(),
            key_type: None,
            dns_names: self.own.dns_names.clone(),
            usages: Usages {
                server: true,
                client: false,
            },
            lifetime: LIFETIME,
            renew_after_percent: RENEW_AFTER_PERCENT,
        }
    }
}
