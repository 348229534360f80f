//! A request, as far as it is looked at.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::certificates::v1::CertificateSigningRequestSpec;
use kube::core::DynamicObject;
use rustls::pki_types::CertificateSigningRequestDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize as _;

use crate::key::LONGEST_REQUEST;

const PREFIX: &str = "system:serviceaccount:";
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";

/// A request. Who asks was written into it by the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Since when it exists.
    pub created: Option<Timestamp>,
    /// The user who asks.
    pub username: String,
    /// The uid of that user.
    pub user_uid: String,
    /// What else the API server knows of the user.
    pub extra: BTreeMap<String, Vec<String>>,
    /// The PKCS#10 request, in PEM.
    pub pem: Vec<u8>,
    /// What the certificate is to be used for.
    pub usages: Vec<String>,
    /// How long it is to live.
    pub duration: Option<SignedDuration>,
}

/// The workload that asks: a service account, with a token that is bound to a Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requester {
    /// Its namespace.
    pub namespace: String,
    /// Its service account.
    pub service_account: String,
    /// The Pod that its token is bound to.
    pub pod_name: String,
    /// The uid of that Pod.
    pub pod_uid: String,
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    ///
    /// If a field is not what it should be.
    pub fn read(object: &DynamicObject) -> Result<Self, serde_json::Error> {
        let spec = CertificateSigningRequestSpec::deserialize(&object.data["spec"])?;
        let metadata = &object.metadata;
        Ok(Self {
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
            created: metadata.creation_timestamp.as_ref().map(|created| created.0),
            username: spec.username.unwrap_or_default(),
            user_uid: spec.uid.unwrap_or_default(),
            extra: spec.extra.unwrap_or_default(),
            pem: spec.request.0,
            usages: spec.usages.unwrap_or_default(),
            duration: spec
                .expiration_seconds
                .map(|seconds| SignedDuration::from_secs(seconds.into())),
        })
    }

    /// What it is called in records.
    pub fn label(&self) -> String {
        format!("CertificateSigningRequest {} {}", self.name, self.uid)
    }

    /// Who asks, if it is a workload.
    pub fn requester(&self) -> Option<Requester> {
        let (namespace, service_account) = self.username.strip_prefix(PREFIX)?.split_once(':')?;
        let one = |key| match self.extra.get(key).map(Vec::as_slice) {
            Some([value]) if !value.is_empty() => Some(value.clone()),
            _ => None,
        };
        if namespace.is_empty() || service_account.is_empty() || service_account.contains(':') {
            return None;
        }
        Some(Requester {
            namespace: namespace.to_owned(),
            service_account: service_account.to_owned(),
            pod_name: one(POD_NAME)?,
            pod_uid: one(POD_UID)?,
        })
    }

    /// The PKCS#10 request in DER; none if it is not PEM, or too long.
    pub fn der(&self) -> Option<Vec<u8>> {
        // Base64 makes four bytes of three, and there is a little around it.
        if self.pem.len() > LONGEST_REQUEST * 2 {
            return None;
        }
        let mut blocks = CertificateSigningRequestDer::pem_slice_iter(&self.pem);
        let first = blocks.next()?.ok()?;
        blocks.next().is_none().then(|| first.to_vec())
    }
}
