//! An API server with the chart's CRDs and RBAC, for one test at a time.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Namespace, Testbed, chart, wait_for};
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use kube::{Api, Client};
use rand::RngExt as _;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

/// The audit looks at the whole cluster, so tests take turns.
static TURN: Mutex<()> = Mutex::const_new(());
static INSTALLED: OnceCell<()> = OnceCell::const_new();

/// The API server, for as long as it is this test's turn.
pub struct Cluster {
    pub testbed: Testbed,
    pub client: Client,
    _turn: MutexGuard<'static, ()>,
}

impl Cluster {
    /// Waits for this test's turn. Nobody holds the Lease of the audit.
    pub async fn turn() -> Self {
        let turn = TURN.lock().await;
        let testbed = Testbed::from_env().await.unwrap();
        INSTALLED.get_or_init(|| install(&testbed)).await;
        let client = testbed.client();
        let cluster = Self {
            testbed,
            client,
            _turn: turn,
        };
        cluster.forget_lease().await;
        cluster
    }

    /// Takes the Lease from a replica that was killed.
    pub async fn forget_lease(&self) {
        let api = self.api("Lease", chart::NAMESPACE);
        let _ = api.delete("countersign-webhook", &DeleteParams::default()).await;
    }

    /// A new namespace.
    pub async fn namespace(&self) -> Namespace {
        self.testbed.namespace("audited", &[]).await.unwrap()
    }

    /// The objects of a kind, in a namespace or without one.
    pub fn api(&self, kind: &str, namespace: &str) -> Api<DynamicObject> {
        let resource = resource(kind);
        match namespace {
            "" => Api::all_with(self.client.clone(), &resource),
            _ => Api::namespaced_with(self.client.clone(), namespace, &resource),
        }
    }

    /// Applies an object as a user would, where the API server may refuse.
    pub async fn try_apply(&self, object: &Value) -> Result<DynamicObject, kube::Error> {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let api = self.api(text("/kind"), text("/metadata/namespace"));
        let params = PatchParams::apply("user").force();
        api.patch(text("/metadata/name"), &params, &Patch::Apply(object)).await
    }

    /// Applies an object as a user would.
    pub async fn apply(&self, object: &Value) {
        self.try_apply(object).await.unwrap();
    }

    /// An object, if it exists.
    pub async fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        // A kind that is not installed has no objects.
        let found = self.api(kind, namespace).get_opt(name).await.unwrap_or_default();
        found.map(|object| serde_json::to_value(object).unwrap())
    }

    /// All objects of a kind in a namespace.
    pub async fn list(&self, kind: &str, namespace: &str) -> Vec<Value> {
        let list = self.api(kind, namespace).list(&ListParams::default()).await.unwrap();
        list.items
            .into_iter()
            .map(|object| serde_json::to_value(object).unwrap())
            .collect()
    }

    /// The report on a namespace.
    pub async fn report(&self, namespace: &str) -> Option<Value> {
        self.get("Report", namespace, "countersign").await
    }

    /// Waits until the report on a namespace has that summary.
    pub async fn until_reported(&self, namespace: &str, fail: u64, warn: u64, skip: u64) -> Value {
        let what = format!("the report on {namespace} to have {fail} fail, {warn} warn, {skip} skip");
        wait_for(&what, Duration::from_secs(30), || async {
            let report = self.report(namespace).await.context("there is none")?;
            let summary = &report["summary"];
            ensure!(
                summary["fail"] == fail && summary["warn"] == warn && summary["skip"] == skip,
                "{summary}: {}",
                report["results"]
            );
            Ok(report)
        })
        .await
        .unwrap()
    }

    /// Waits until there is no report on a namespace.
    pub async fn until_not_reported(&self, namespace: &str) {
        wait_for("the report to be gone", Duration::from_secs(30), || async {
            ensure!(self.report(namespace).await.is_none(), "it is there");
            Ok(())
        })
        .await
        .unwrap();
    }
}

async fn install(testbed: &Testbed) {
    chart::install_kinds(testbed).await.unwrap();
    chart::install_webhook_account(testbed).await.unwrap();
    chart::allow_audit(testbed, &[chart::AUDIT_ALL]).await.unwrap();
}

/// A value that must not come out anywhere.
pub fn canary() -> String {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut random = rand::rng();
    (0..32)
        .map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())]))
        .collect()
}

/// A ConfigMap with a password in it, if one is given.
pub fn settings(namespace: &str, password: Option<&str>) -> Value {
    let mut object = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": namespace},
        "data": {"DB_HOST": "db.example.com"},
    });
    if let Some(password) = password {
        object["data"]["DB_PASSWORD"] = json!(password);
    }
    object
}

fn resource(kind: &str) -> ApiResource {
    let (group, version, plural) = match kind {
        "ConfigMap" => ("", "v1", "configmaps"),
        "Service" => ("", "v1", "services"),
        "Lease" => ("coordination.k8s.io", "v1", "leases"),
        "Event" => ("events.k8s.io", "v1", "events"),
        "CustomResourceDefinition" => ("apiextensions.k8s.io", "v1", "customresourcedefinitions"),
        "ValidatingWebhookConfiguration" => ("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations"),
        "Vault" => ("example.com", "v1", "vaults"),
        "Report" => ("openreports.io", "v1alpha1", "reports"),
        "CredentialWaiver" => ("countersign.dev", "v1alpha1", "credentialwaivers"),
        "ApiAuthPolicy" => ("countersign.dev", "v1alpha1", "apiauthpolicies"),
        "ServiceIdentity" => ("countersign.dev", "v1alpha1", "serviceidentities"),
        "TokenClient" => ("countersign.dev", "v1alpha1", "tokenclients"),
        "TokenIssuer" => ("countersign.dev", "v1alpha1", "tokenissuers"),
        other => panic!("the tests do not know the kind {other}"),
    };
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}
