//! An API server with the chart's kinds and the rights of its signer, for one test at a time.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{Testbed, chart, wait_for};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::kept::Kept;

/// There is one authority in a cluster, so tests take turns.
static TURN: Mutex<()> = Mutex::const_new(());
static INSTALLED: OnceCell<()> = OnceCell::const_new();

/// The Secret with the authority.
pub const SECRET: &str = "countersign-ca";

/// The API server, for as long as it is this test's turn.
pub struct Cluster {
    pub testbed: Testbed,
    /// The version of `certificates.k8s.io` that has the young kinds.
    pub version: &'static str,
    _turn: MutexGuard<'static, ()>,
}

impl Cluster {
    /// Waits for this test's turn. There is no authority then.
    pub async fn turn() -> Self {
        let turn = TURN.lock().await;
        let testbed = Testbed::from_env().await.unwrap();
        INSTALLED
            .get_or_try_init(|| async {
                chart::install_kinds(&testbed).await?;
                chart::install_signer_account(&testbed, &[]).await?;
                chart::forbid_secrets(&testbed).await
            })
            .await
            .context("the API server could not be prepared")
            .unwrap();
        let version = testbed.certificates_version().await.unwrap();
        let cluster = Self {
            testbed,
            version,
            _turn: turn,
        };
        cluster.begin_anew().await;
        cluster
    }

    /// Deletes the authority and what is said of it.
    pub async fn begin_anew(&self) {
        let _ = self.secrets().delete(SECRET, &DeleteParams::default()).await;
        let _ = self.authorities().delete("countersign", &DeleteParams::default()).await;
    }

    pub fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.testbed.client(), chart::NAMESPACE)
    }

    pub fn config_maps(&self, namespace: &str) -> Api<ConfigMap> {
        Api::namespaced(self.testbed.client(), namespace)
    }

    pub fn authorities(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("countersign.dev", "v1alpha1", "CertificateAuthority");
        let resource = ApiResource::from_gvk_with_plural(&kind, "certificateauthorities");
        Api::all_with(self.testbed.client(), &resource)
    }

    pub fn bundles(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("certificates.k8s.io", self.version, "ClusterTrustBundle");
        Api::all_with(self.testbed.client(), &ApiResource::from_gvk(&kind))
    }

    /// Says how the authority is to be.
    pub async fn ask(&self, spec: &Value, annotations: &Value) {
        let object = json!({
            "apiVersion": "countersign.dev/v1alpha1", "kind": "CertificateAuthority",
            "metadata": {"name": "countersign", "annotations": annotations}, "spec": spec,
        });
        let params = PatchParams::apply("user").force();
        self.authorities()
            .patch("countersign", &params, &Patch::Apply(object))
            .await
            .unwrap();
    }

    /// What is kept, if anything is. It must be readable at any time.
    pub async fn kept(&self) -> Option<Kept> {
        Some(Kept::read(&self.secrets().get_opt(SECRET).await.unwrap()?))
    }

    /// Waits until the status of the authority has this reason and message.
    pub async fn until_told(&self, status: &str, reason: &str, part: &str) -> Value {
        let what = format!("the CertificateAuthority to be Ready={status} ({reason}: {part})");
        wait_for(&what, Duration::from_secs(40), || async {
            let object = self.authorities().get("countersign").await?;
            let ready = object.data["status"]["conditions"][0].clone();
            ensure!(
                ready["status"] == status
                    && ready["reason"] == reason
                    && ready["message"].as_str().unwrap_or_default().contains(part),
                "it is {ready}"
            );
            Ok(object.data["status"].clone())
        })
        .await
        .unwrap()
    }

    /// Waits until what is kept is as it should be.
    pub async fn until_kept(&self, what: &str, is_so: impl Fn(&Kept) -> bool) -> Kept {
        wait_for(what, Duration::from_secs(40), || async {
            let kept = self.kept().await.context("there is no authority")?;
            ensure!(is_so(&kept), "it is {:?}", kept.state);
            Ok(kept)
        })
        .await
        .unwrap()
    }
}

/// A namespace with or without the label by which it asks for the roots.
pub async fn label(cluster: &Cluster, namespace: &str, change: &str) -> Result<()> {
    let args = ["label", "namespace", namespace, "--overwrite", change];
    cluster.testbed.kubectl(&args).await.map(drop)
}
