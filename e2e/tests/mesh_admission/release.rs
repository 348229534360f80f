//! The chart's release: one for all tests of the process.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use e2e::chart::NAMESPACE;
use e2e::tools::{self, Scope};
use e2e::{Namespace, Testbed, Turn};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::Mutex;

/// The chart.
pub const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/countersign");
/// The webhook's Deployment, and all that is called like it.
pub const WEBHOOK: &str = "countersign-webhook";
/// The labels of its Pods.
const PODS: &str = "app.kubernetes.io/component=webhook";
pub const CONFIG_MAPS: &str = "/api/v1/{ns}/configmaps";
pub const SECRETS: &str = "/api/v1/{ns}/secrets";

static INSTALLED: Mutex<bool> = Mutex::const_new(false);

/// The installed chart, for as long as a test uses it.
pub struct Release {
    pub testbed: Testbed,
    /// Tests that take the webhook away, or count what it is asked, are alone.
    _turn: Turn,
}

impl Release {
    /// The release, beside other tests.
    pub async fn shared() -> Self {
        Self::of(Turn::shared().await).await
    }

    /// The release, with no other test under way.
    pub async fn alone() -> Self {
        Self::of(Turn::alone().await).await
    }

    async fn of(turn: Turn) -> Self {
        let release = Self {
            testbed: Testbed::from_env().await.unwrap(),
            _turn: turn,
        };
        let mut installed = INSTALLED.lock().await;
        if !*installed {
            release.install(&[]).await;
            *installed = true;
        }
        drop(installed);
        // A test that failed may have left the webhook away: the next one need not fail with it.
        release.until_judged().await;
        release
    }

    /// Installs or upgrades the chart, and waits until the API server asks the webhook.
    pub async fn install(&self, settings: &[&str]) {
        let arguments = ["upgrade", "--install", "countersign", CHART, "--namespace", NAMESPACE];
        let more = ["--create-namespace", "--wait", "--timeout=2m"];
        helm(&[&arguments[..], &more, settings].concat()).unwrap();
        self.until_judged().await;
    }

    /// Waits until a literal password is refused by the webhook itself.
    pub async fn until_judged(&self) {
        e2e::chart::until_judged(&self.testbed).await.unwrap();
    }

    /// A namespace for a test.
    pub async fn namespace(&self, labels: &[(&str, &str)]) -> Namespace {
        self.testbed.namespace("admission", labels).await.unwrap()
    }

    /// The webhook must never have asked for what the chart's roles do not give it.
    pub fn check_rights(&self) {
        let account = format!("system:serviceaccount:{NAMESPACE}:{WEBHOOK}");
        let entries = self.testbed.audit().unwrap();
        let denied: Vec<&str> = entries
            .iter()
            .filter(|entry| entry.user.username == account && entry.is_denied())
            .map(|entry| entry.request_uri.as_str())
            .collect();
        assert_eq!(denied, [""; 0], "the chart's roles do not allow it");
    }

    /// Runs kubectl in Countersign's own namespace.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.testbed
            .kubectl(&[&["--namespace", NAMESPACE], arguments].concat())
            .await
    }

    /// The names of the webhook's Pods.
    pub async fn pods(&self) -> Vec<String> {
        let pods = self.kubectl(&["get", "pods", "-l", PODS, "-o", "name"]).await;
        pods.unwrap().lines().map(str::to_owned).collect()
    }

    /// The names of the webhook's Pods that are ready, as [`Self::pods`] gives them.
    pub async fn ready(&self) -> Result<Vec<String>> {
        let pods: Api<Pod> = Api::namespaced(self.testbed.client(), NAMESPACE);
        let pods = pods.list(&ListParams::default().labels(PODS)).await?;
        let ready = |pod: &Pod| {
            let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
            conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
        };
        let ready = pods.items.iter().filter(|pod| ready(pod));
        Ok(ready.map(|pod| format!("pod/{}", pod.name_any())).collect())
    }
}

/// A ConfigMap with a literal password in it.
pub fn password() -> Value {
    json!({"metadata": {"name": "one"}, "data": {"db.password": "correct-horse-battery"}})
}

/// Runs Helm, and gives what it printed.
pub fn helm(arguments: &[&str]) -> Result<String> {
    said(Command::new("helm").args(arguments))
}

/// Runs a command and gives all that it printed, warnings too; the error is what it printed.
pub fn said(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    ensure!(output.status.success(), "{text}");
    Ok(text)
}

/// Istio's own charts.
pub fn istio_charts() -> PathBuf {
    tools::ensure(Scope::Istio, None).unwrap().share("charts").unwrap()
}

#[track_caller]
pub fn taken(answer: &Result<Value, String>, what: &str) {
    if let Err(message) = answer {
        panic!("{what} is refused: {message}");
    }
}

#[track_caller]
pub fn refused(answer: &Result<Value, String>, parts: &[&str], what: &str) {
    let Err(message) = answer else {
        panic!("{what} is taken");
    };
    for part in parts {
        assert!(message.contains(part), "{what}: {part} is not in {message}");
    }
}
