//! A certificate that somebody else renews, in the files of a mounted Secret of type `kubernetes.io/tls`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tokio::fs;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use zeroize::{Zeroize as _, Zeroizing};

use super::Current;

/// The file with the chain.
const CERTIFICATE: &str = "tls.crt";
/// The file with the private key.
const KEY: &str = "tls.key";
/// How often the files are looked at: the kubelet swaps them within a minute or so.
const PERIOD: Duration = Duration::from_secs(10);

/// Why the files are no certificate to serve with. Nothing of them is quoted.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A file cannot be read.
    #[error("{path}: {source}: mount a Secret of type kubernetes.io/tls there")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The certificates are damaged, or there are none.
    #[error("{0}: it is not a chain of certificates in PEM, the server's own first")]
    Chain(PathBuf),
    /// The key is damaged, or there is none.
    #[error("{0}: it is not a private key in PEM, not encrypted, of a kind that TLS can use: ECDSA, RSA or Ed25519")]
    Key(PathBuf),
    /// One was renewed and the other was not.
    #[error("{0}: its {KEY} does not belong to the first certificate of its {CERTIFICATE}")]
    Apart(PathBuf),
}

/// Shows the certificate in a directory, and what comes in its place.
pub struct Files {
    directory: PathBuf,
    current: Current,
    shown: Option<Arc<CertifiedKey>>,
}

impl Files {
    /// Nothing is read yet.
    pub fn new(directory: impl Into<PathBuf>, current: Current) -> Self {
        Self {
            directory: directory.into(),
            current,
            shown: None,
        }
    }

    /// Reads the files, and serves with what is in them from now on. Tells whether that is another certificate than before.
    ///
    /// # Errors
    ///
    /// If they cannot be used. What was served goes on: a half-written renewal ends no service, and what does not fit is
    /// never shown.
    pub async fn load(&mut self) -> Result<bool, FilesError> {
        let chain = read(&self.directory.join(CERTIFICATE)).await?;
        let key = read(&self.directory.join(KEY)).await?;
        let certified = self.certified(&chain, &key)?;
        let differs = self.shown.as_ref().is_none_or(|shown| shown.cert != certified.cert);
        if differs {
            let certified = Arc::new(certified);
            self.current.set(Arc::clone(&certified));
            self.shown = Some(certified);
        }
        Ok(differs)
    }

    /// Looks at the files until `stop`, also while they cannot be used.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut told = String::new();
        loop {
            match self.load().await {
                Ok(differs) => {
                    told.clear();
                    if differs {
                        info!(directory = %self.directory.display(), "serves with the certificate in a directory");
                    }
                }
                Err(error) => {
                    let error = error.to_string();
                    if error != told {
                        let serves = self.shown.is_some();
                        warn!(error, serves, "a certificate to serve with cannot be used");
                        told = error;
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(PERIOD) => {}
            }
        }
    }

    fn certified(&self, chain: &[u8], key: &[u8]) -> Result<CertifiedKey, FilesError> {
        let at = |name: &str| self.directory.join(name);
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, PemError>>()
            .map_err(|_| FilesError::Chain(at(CERTIFICATE)))?;
        if chain.is_empty() {
            return Err(FilesError::Chain(at(CERTIFICATE)));
        }
        let mut key = PrivateKeyDer::from_pem_slice(key).map_err(|_| FilesError::Key(at(KEY)))?;
        let signing = any_supported_type(&key);
        key.zeroize();
        let certified = CertifiedKey::new(chain, signing.map_err(|_| FilesError::Key(at(KEY)))?);
        match certified.keys_match() {
            Ok(()) => Ok(certified),
            Err(rustls::Error::InconsistentKeys(_)) => Err(FilesError::Apart(self.directory.clone())),
            Err(_) => Err(FilesError::Chain(at(CERTIFICATE))),
        }
    }
}

async fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, FilesError> {
    let bytes = fs::read(path).await.map_err(|source| FilesError::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(Zeroizing::new(bytes))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey as Made, generate_simple_self_signed};

    use super::*;

    fn made() -> Made<rcgen::KeyPair> {
        generate_simple_self_signed(vec!["bundle.example.org".to_owned()]).unwrap()
    }

    fn put(directory: &Path, certificate: &Made<rcgen::KeyPair>, key: &Made<rcgen::KeyPair>) {
        std::fs::write(directory.join(CERTIFICATE), certificate.cert.pem()).unwrap();
        std::fs::write(directory.join(KEY), key.signing_key.serialize_pem()).unwrap();
    }

    #[tokio::test]
    async fn what_is_renewed_is_served_and_what_does_not_fit_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let current = Current::default();
        let mut files = Files::new(directory.path(), current.clone());
        let error = files.load().await.unwrap_err().to_string();
        assert!(
            error.contains("tls.crt") && error.contains("kubernetes.io/tls"),
            "{error}"
        );

        let (first, second) = (made(), made());
        put(directory.path(), &first, &first);
        assert!(files.load().await.unwrap());
        assert!(!files.load().await.unwrap(), "nothing changed");
        let serves = |made: &Made<rcgen::KeyPair>| {
            let shown = current.0.load_full().unwrap();
            shown.cert == [made.cert.der().clone()]
        };
        assert!(serves(&first));

        put(directory.path(), &second, &first);
        assert!(matches!(files.load().await, Err(FilesError::Apart(_))));
        assert!(serves(&first), "what served before goes on");
        put(directory.path(), &second, &second);
        assert!(files.load().await.unwrap());
        assert!(serves(&second));
    }

    #[tokio::test]
    async fn what_is_damaged_is_named_and_not_quoted() {
        let directory = tempfile::tempdir().unwrap();
        let made = made();
        put(directory.path(), &made, &made);
        let mut files = Files::new(directory.path(), Current::default());
        std::fs::write(directory.path().join(KEY), "hunter2").unwrap();
        let error = files.load().await.unwrap_err().to_string();
        assert!(error.contains("tls.key") && !error.contains("hunter2"), "{error}");
        put(directory.path(), &made, &made);
        for text in ["", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
            std::fs::write(directory.path().join(CERTIFICATE), text).unwrap();
            assert!(matches!(files.load().await, Err(FilesError::Chain(_))), "{text}");
        }
    }
}
