//! Makes a key, its certificate, and the Secret that holds them.

use std::collections::BTreeMap;

use countersign_crds::{GROUP, VERSION};
use countersign_policy::object::{MANAGED_BY_LABEL, MANAGER};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::ObjectMeta;
use rcgen::PublicKeyData as _;
use rustls::pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::{DIGEST_ANNOTATION, IDENTITY_LABEL, NOT_AFTER_ANNOTATION, REFRESH_ANNOTATION, Wanted};
use crate::authority::Certificate;
use crate::issue::{IssueError, Issuer, Path};
use crate::key::{KeyError, KeyType, PublicKey};
use crate::pem;

/// A label's value is at most this long.
const LONGEST_LABEL: usize = 63;

/// Why a Secret cannot be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum MakeError {
    #[error("a key cannot be made: {0}")]
    Key(#[from] rcgen::Error),
    #[error("the key that was made cannot be used: {0}")]
    PublicKey(#[from] KeyError),
    #[error(transparent)]
    Issue(#[from] IssueError),
    #[error("the making of a key was broken off")]
    BrokenOff,
}

/// Makes one, with a new key.
pub(super) async fn make(
    issuer: &Issuer,
    wanted: &Wanted,
    roots: &[CertificateDer<'static>],
    now: Timestamp,
) -> Result<Secret, MakeError> {
    let key_type = wanted.grant.key_type.unwrap_or(KeyType::EcdsaP256);
    // An RSA key takes seconds.
    let pair = tokio::task::spawn_blocking(move || key_type.generate()).await;
    let pair = pair.map_err(|_| MakeError::BrokenOff)??;
    let public = PublicKey::from_info(&pair.subject_public_key_info())?;
    let request = format!("Secret {} of {} {}", wanted.secret, wanted.identity, wanted.uid);
    let certificate = issuer.issue(Path::Secret, &request, &wanted.grant, &public, now)?;
    Ok(secret(
        wanted,
        &Zeroizing::new(pair.serialize_pem()),
        &certificate,
        roots,
    ))
}

fn secret(wanted: &Wanted, key: &str, certificate: &Certificate, roots: &[CertificateDer<'static>]) -> Secret {
    let owner = OwnerReference {
        api_version: format!("{GROUP}/{VERSION}"),
        kind: "ServiceIdentity".to_owned(),
        name: wanted.identity.name.clone(),
        uid: wanted.uid.clone(),
        controller: Some(true),
        block_owner_deletion: None,
    };
    let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
    let pairs = |pairs: &[(&str, String)]| -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect()
    };
    Secret {
        metadata: ObjectMeta {
            name: Some(wanted.secret.name.clone()),
            namespace: Some(wanted.secret.namespace.clone()),
            labels: Some(pairs(&[
                (MANAGED_BY_LABEL, MANAGER.to_owned()),
                (IDENTITY_LABEL, label(&wanted.identity.name)),
            ])),
            annotations: Some(pairs(&[
                (DIGEST_ANNOTATION, wanted.digest.clone()),
                (REFRESH_ANNOTATION, certificate.refresh_at.to_string()),
                (NOT_AFTER_ANNOTATION, certificate.not_after.to_string()),
            ])),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        type_: Some("kubernetes.io/tls".to_owned()),
        data: Some(BTreeMap::from([
            ("tls.crt".to_owned(), bytes(&pem::certificates(&certificate.chain))),
            ("tls.key".to_owned(), bytes(key)),
            ("ca.crt".to_owned(), bytes(&pem::certificates(roots))),
        ])),
        ..Secret::default()
    }
}

/// A name as a label's value, which is shorter than a name may be. Labels are for people; the owner is what counts.
fn label(name: &str) -> String {
    let cut: String = name.chars().take(LONGEST_LABEL).collect();
    cut.trim_end_matches(['-', '.']).to_owned()
}
