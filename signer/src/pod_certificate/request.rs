//! A request, as far as it is looked at.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::certificates::v1beta1::PodCertificateRequestSpec;
use kube::core::DynamicObject;
use serde::Deserialize as _;

use crate::key::{KeyError, PublicKey};

/// An object by its name, and the one of that name that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// How the key comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestKey {
    /// As a PKCS#10 request in DER, signed with it.
    Pkcs10(Vec<u8>),
    /// As a `SubjectPublicKeyInfo` in DER: only `v1beta1` has that. That whoever asks has the private key was checked by the
    /// API server.
    Info(Vec<u8>),
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its name.
    pub name: String,
    /// Its namespace, which is the Pod's.
    pub namespace: String,
    /// Its uid.
    pub uid: String,
    /// Since when it exists.
    pub created: Option<Timestamp>,
    /// The Pod that the certificate is for.
    pub pod: Named,
    /// What the Pod runs as.
    pub service_account: Named,
    /// Where it runs.
    pub node: Named,
    /// The longest life that is wanted.
    pub longest: SignedDuration,
    /// The keys of annotations that the Pod's author gave.
    pub annotations: BTreeSet<String>,
    /// The key.
    pub key: RequestKey,
}

impl Request {
    /// Reads a request of any served version.
    ///
    /// # Errors
    ///
    /// If a field is not what it should be.
    pub fn read(object: &DynamicObject) -> Result<Self, serde_json::Error> {
        let metadata = &object.metadata;
        // This type has the fields of all versions. What is absent is empty, which matches nothing that exists.
        let spec = PodCertificateRequestSpec::deserialize(&object.data["spec"])?;
        let key = if spec.stub_pkc_s10_request.0.is_empty() {
            RequestKey::Info(spec.pkix_public_key.unwrap_or_default().0)
        } else {
            RequestKey::Pkcs10(spec.stub_pkc_s10_request.0)
        };
        Ok(Self {
            name: metadata.name.clone().unwrap_or_default(),
            namespace: metadata.namespace.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
            created: metadata.creation_timestamp.as_ref().map(|created| created.0),
            pod: named(spec.pod_name, spec.pod_uid),
            service_account: named(spec.service_account_name, spec.service_account_uid),
            node: named(spec.node_name, spec.node_uid),
            longest: SignedDuration::from_secs(spec.max_expiration_seconds.unwrap_or_default().into()),
            annotations: spec
                .unverified_user_annotations
                .unwrap_or_default()
                .into_keys()
                .collect(),
            key,
        })
    }

    /// What it is called in records.
    pub fn label(&self) -> String {
        format!("PodCertificateRequest {}/{} {}", self.namespace, self.name, self.uid)
    }

    /// The key that it asks for.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or certificates are not made for it.
    pub fn public_key(&self) -> Result<PublicKey, KeyError> {
        match &self.key {
            RequestKey::Pkcs10(der) => PublicKey::from_request(der),
            RequestKey::Info(der) => PublicKey::from_info(der),
        }
    }
}

fn named(name: String, uid: String) -> Named {
    Named { name, uid }
}
