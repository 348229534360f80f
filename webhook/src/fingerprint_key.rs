//! The key of fingerprints: 32 random bytes, from a file or from a Secret that is made at the first start.

use std::collections::BTreeMap;
use std::path::Path;

use countersign_runtime::client::CALL_LIMIT;
use countersign_scan::FingerprintKey;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use rustls::crypto::CryptoProvider;
use tokio::time::timeout;
use tracing::info;

/// Where the key is in the Secret.
const ENTRY: &str = "key";

/// A key of fingerprints that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("--fingerprint-key-file {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It has another size.
    #[error("the key of fingerprints in {place} has {length} bytes, but must have 32 random ones")]
    Length {
        /// The file or the Secret.
        place: String,
        /// How many bytes it has.
        length: usize,
    },
    /// The Secret can be neither read nor made.
    #[error("the Secret {name} with the key of fingerprints: {source}")]
    Secret {
        /// The Secret's name.
        name: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// The API server does not answer.
    #[error("the Secret {name} with the key of fingerprints: the API server does not answer")]
    Silent {
        /// The Secret's name.
        name: String,
    },
    /// There is no randomness.
    #[error("no random bytes for the key of fingerprints")]
    Random,
}

/// Reads the key from a file.
pub fn from_file(path: &Path) -> Result<FingerprintKey, KeyError> {
    let place = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|source| KeyError::File {
        path: place.clone(),
        source,
    })?;
    key(&bytes, place)
}

/// Reads the key from a Secret, which is made if it does not exist. It never changes: waivers name fingerprints.
pub async fn from_secret(client: Client, namespace: &str, name: &str) -> Result<FingerprintKey, KeyError> {
    let secrets: Api<Secret> = Api::namespaced(client, namespace);
    let read_or_made = async {
        if let Some(there) = secrets.get_opt(name).await? {
            return Ok(Some(there));
        }
        let Some(new) = fresh(name) else { return Ok(None) };
        match secrets.create(&PostParams::default(), &new).await {
            Ok(made) => {
                info!(name, "made the key of fingerprints");
                Ok(Some(made))
            }
            // Another replica was first.
            Err(kube::Error::Api(status)) if status.code == 409 => secrets.get(name).await.map(Some),
            Err(error) => Err(error),
        }
    };
    let secret = match timeout(CALL_LIMIT, read_or_made).await {
        Ok(Ok(secret)) => secret.ok_or(KeyError::Random)?,
        Ok(Err(source)) => {
            return Err(KeyError::Secret {
                name: name.to_owned(),
                source: Box::new(source),
            });
        }
        Err(_) => return Err(KeyError::Silent { name: name.to_owned() }),
    };
    let bytes = secret.data.as_ref().and_then(|data| data.get(ENTRY));
    key(bytes.map_or(&[], |bytes| &bytes.0), format!("the Secret {name}"))
}

fn fresh(name: &str) -> Option<Secret> {
    let mut bytes = vec![0; 32];
    CryptoProvider::get_default()?.secure_random.fill(&mut bytes).ok()?;
    Some(Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(BTreeMap::from([(
                "app.kubernetes.io/part-of".to_owned(),
                "countersign".to_owned(),
            )])),
            ..ObjectMeta::default()
        },
        immutable: Some(true),
        data: Some(BTreeMap::from([(ENTRY.to_owned(), ByteString(bytes))])),
        ..Secret::default()
    })
}

fn key(bytes: &[u8], place: String) -> Result<FingerprintKey, KeyError> {
    let key: [u8; 32] = bytes.try_into().map_err(|_| KeyError::Length {
        place,
        length: bytes.len(),
    })?;
    Ok(FingerprintKey::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_32_bytes() {
        assert!(key(&[7; 32], String::new()).is_ok());
        for length in [0, 31, 33, 64] {
            let error = key(&vec![7; length], "there".to_owned()).unwrap_err().to_string();
            assert!(
                error.contains("there") && error.contains(&length.to_string()),
                "{error}"
            );
        }
    }

    #[test]
    fn a_fresh_key_is_random_and_stays() {
        let _ = countersign_runtime::process::install_crypto_provider();
        let bytes = |secret: Secret| secret.data.unwrap()[ENTRY].0.clone();
        let (one, other) = (fresh("one").unwrap(), fresh("one").unwrap());
        assert_eq!(one.immutable, Some(true));
        let (one, other) = (bytes(one), bytes(other));
        assert_eq!(one.len(), 32);
        assert_ne!(one, other);
    }
}
