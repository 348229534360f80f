//! A namespace with a workload in it, as far as objects go.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{ApiUser, Namespace, Testbed, wait_for};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

use crate::signer;

/// Where the identities of the test's namespace are.
pub const IDENTITIES: &str = "/apis/countersign.dev/v1alpha1/{ns}/serviceidentities";

/// A namespace with the service account `api`, a node of its own, and the signer beside it.
pub struct Workloads {
    pub admin: ApiUser,
    pub namespace: Namespace,
    pub node: Value,
    pub account: Value,
    pub root: CertificateDer<'static>,
    /// The version in which `PodCertificateRequest` is served.
    pub version: &'static str,
}

impl Workloads {
    pub async fn new() -> Self {
        let testbed = Testbed::from_env().await.unwrap();
        let root = signer::root(&testbed).await;
        let namespace = testbed.namespace("certified", &[]).await.unwrap();
        let admin = ApiUser::admin(&namespace);
        let node = json!({"metadata": {"name": format!("node-{}", namespace.name())}});
        let node = admin.create("/api/v1/nodes", &node).await.unwrap();
        let account = json!({"metadata": {"name": "api"}});
        let account = admin.create("/api/v1/{ns}/serviceaccounts", &account).await.unwrap();
        let version = testbed.certificates_version().await.unwrap();
        Self {
            admin,
            namespace,
            node,
            account,
            root,
            version,
        }
    }

    /// Makes an identity. What is in `spec` comes on top of the service account `api`.
    pub async fn identity(&self, name: &str, spec: Value) -> Value {
        let mut identity = json!({
            "apiVersion": "countersign.dev/v1alpha1", "kind": "ServiceIdentity", "metadata": {"name": name},
            "spec": {"serviceAccountName": "api"},
        });
        for (field, value) in spec.as_object().unwrap() {
            identity["spec"][field] = value.clone();
        }
        self.admin.create(IDENTITIES, &identity).await.unwrap()
    }

    /// Makes a Pod of the service account `api` on the node, with a volume for a certificate.
    pub async fn pod(&self, name: &str) -> Value {
        let source = json!({"podCertificate": {
            "signerName": "countersign.dev/spiffe", "keyType": "ECDSAP256", "credentialBundlePath": "bundle.pem",
        }});
        let pod = json!({
            "metadata": {"name": name},
            "spec": {
                "serviceAccountName": "api", "nodeName": self.node["metadata"]["name"],
                "automountServiceAccountToken": false,
                "containers": [{"name": "main", "image": "none", "volumeMounts": [{"name": "id", "mountPath": "/id"}]}],
                "volumes": [{"name": "id", "projected": {"sources": [source]}}],
            },
        });
        self.admin.create("/api/v1/{ns}/pods", &pod).await.unwrap()
    }

    /// Gets an object.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.admin
            .send("GET", path, "application/json", &Value::Null)
            .await
            .map_err(anyhow::Error::msg)
    }

    /// Waits until an object is as `check` says.
    pub async fn until(&self, what: &str, path: &str, check: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, Duration::from_secs(30), || async {
            let object = self.get(path).await?;
            ensure!(check(&object), "{path} is {:#}", object["status"]);
            Ok(object)
        })
        .await
        .unwrap()
    }

    /// Waits for a condition of an object, and gives its reason and message.
    pub async fn condition(&self, path: &str, kind: &str, status: &str) -> (String, String) {
        let object = self
            .until(&format!("{kind} to be {status}"), path, |object| {
                condition(object, kind).is_some_and(|condition| condition["status"] == status)
            })
            .await;
        let condition = condition(&object, kind).unwrap();
        let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
        (text("reason"), text("message"))
    }
}

/// A condition of an object.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == kind)
}

/// A time in an object.
pub fn time(value: &Value) -> Result<jiff::Timestamp> {
    Ok(value.as_str().context("no time")?.parse()?)
}
