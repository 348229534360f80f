//! A namespace of a test's own, which explains itself when the test fails.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::core::v1 as core;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};

use crate::{Testbed, shell, wait_for};

/// A namespace that is deleted when it is dropped; when the test panics, what is in it is shown first.
pub struct Namespace {
    testbed: Testbed,
    name: String,
}

impl Namespace {
    /// A new namespace with a random name that begins with `prefix`.
    pub async fn create(testbed: &Testbed, prefix: &str, labels: &[(&str, &str)]) -> Result<Self> {
        let name = format!("{prefix}-{}", &uuid::Uuid::new_v4().simple().to_string()[..6]);
        let mut all = BTreeMap::from([("countersign.dev/e2e".to_owned(), prefix.to_owned())]);
        all.extend(
            labels
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
        );
        let metadata = ObjectMeta {
            name: Some(name.clone()),
            labels: Some(all),
            ..ObjectMeta::default()
        };
        let namespace = core::Namespace {
            metadata,
            ..core::Namespace::default()
        };
        Api::all(testbed.client())
            .create(&PostParams::default(), &namespace)
            .await?;
        let namespace = Self {
            testbed: testbed.clone(),
            name,
        };
        if testbed.has_controllers() {
            namespace.settled().await?;
        }
        Ok(namespace)
    }

    /// The namespace's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The testbed that it is in.
    pub fn testbed(&self) -> &Testbed {
        &self.testbed
    }

    /// The SPIFFE ID that the mesh gives to `service_account` here.
    pub fn spiffe_id(&self, service_account: &str) -> String {
        format!("spiffe://cluster.local/ns/{}/sa/{service_account}", self.name)
    }

    /// Applies a manifest here.
    pub async fn apply(&self, manifest: &str) -> Result<()> {
        let file = self
            .testbed
            .data()
            .join(format!("apply-{}.yaml", uuid::Uuid::new_v4().simple()));
        std::fs::write(&file, manifest)?;
        let result = self
            .kubectl(&["apply", "--server-side", "-f", &file.display().to_string()])
            .await;
        std::fs::remove_file(&file)?;
        result.map(drop)
    }

    /// Runs kubectl here and gives what it printed.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String> {
        let mut all = vec!["--namespace", &self.name];
        all.extend(args);
        self.testbed.kubectl(&all).await
    }

    /// Waits until Pods may be made here: the API server refuses them until there is a service account.
    async fn settled(&self) -> Result<()> {
        let accounts: Api<core::ServiceAccount> = Api::namespaced(self.testbed.client(), &self.name);
        let what = format!("the default service account of {}", self.name);
        let account = wait_for(&what, Duration::from_secs(20), || async {
            Ok(accounts.get("default").await?)
        });
        account.await.map(drop)
    }

    /// What is in the namespace, for a person who looks for the cause of a failure.
    fn dump(&self) {
        eprintln!("===== namespace {} =====", self.name);
        self.show(&["get", "events", "--sort-by=.lastTimestamp"], 40);
        self.show(&["get", "pods,services", "-o", "wide"], 40);
        for group in ["countersign.dev", "security.istio.io", "gateway.networking.k8s.io"] {
            let kinds = self.ask(&[
                "api-resources",
                "--namespaced",
                "--verbs=list",
                "-o",
                "name",
                "--api-group",
                group,
            ]);
            let kinds = kinds.split_whitespace().collect::<Vec<_>>().join(",");
            if !kinds.is_empty() {
                self.show(&["get", &kinds, "-o", "yaml"], 400);
            }
        }
        for pod in self.ask(&["get", "pods", "-o", "name"]).split_whitespace() {
            self.show(&["logs", "--all-containers", "--prefix", "--tail=20", pod], 60);
        }
    }

    fn show(&self, args: &[&str], lines: usize) {
        eprintln!(
            "--- kubectl {}\n{}",
            args.join(" "),
            shell::tail(&self.ask(args), lines)
        );
    }

    fn ask(&self, args: &[&str]) -> String {
        let mut command = self.testbed.command("kubectl");
        command
            .args(["--request-timeout=10s", "--namespace", &self.name])
            .args(args);
        shell::run(&mut command).unwrap_or_else(|error| format!("{error:#}"))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.dump();
        }
        self.ask(&["delete", "namespace", &self.name, "--wait=false"]);
    }
}
