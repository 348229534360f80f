//! The API server with the policies in force, and how to ask it.

use std::time::Duration;

use anyhow::ensure;
use e2e::{Namespace, Testbed, wait_for};
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::objects::{CSR, EKS, LIMIT, SHAPES, account, certificate_request, pod, secret, token_request};

static INSTALLED: OnceCell<()> = OnceCell::const_new();

/// A namespace with a service account, and the policies in force.
pub async fn guarded() -> Namespace {
    let testbed = Testbed::from_env().await.unwrap();
    let namespace = testbed.namespace("guarded", &[]).await.unwrap();
    namespace
        .apply("{apiVersion: v1, kind: ServiceAccount, metadata: {name: default}}")
        .await
        .unwrap();
    INSTALLED.get_or_init(|| in_force(&namespace)).await;
    namespace
}

/// Installs the policies and waits until the API server has taken every one of them.
async fn in_force(namespace: &Namespace) {
    e2e::chart::install_admission_policies(namespace.testbed())
        .await
        .unwrap();
    let server = Server::admin(namespace);
    let mut probes: Vec<(String, Value)> = SHAPES
        .iter()
        .map(|shape| (server.path(shape.path), shape.object(pod(&[LIMIT + 1]), json!({}))))
        .collect();
    probes.push((
        server.path("/api/v1/{ns}/secrets"),
        secret("kubernetes.io/service-account-token", json!({})),
    ));
    probes.push((
        server.path("/api/v1/{ns}/serviceaccounts"),
        account(json!({EKS: "86401"})),
    ));
    probes.push((
        server.path("/api/v1/{ns}/serviceaccounts/default/token"),
        token_request(LIMIT + 1),
    ));
    probes.push((
        CSR.to_owned(),
        certificate_request("example.com/signer", json!(7_776_001)),
    ));
    probes.push((
        "/apis/storage.k8s.io/v1/csidrivers".to_owned(),
        json!({"metadata": {"name": "driver.example.com"}, "spec": {
            "tokenRequests": [{"audience": "", "expirationSeconds": LIMIT + 1}]}}),
    ));
    wait_for("the policies to be in force", Duration::from_secs(30), || async {
        for (path, object) in &probes {
            let answer = server.create(path, object).await;
            ensure!(answer.is_err(), "{path} takes {object}");
        }
        Ok(())
    })
    .await
    .unwrap();
}

/// The API server, as somebody.
pub struct Server {
    client: Client,
    namespace: String,
    user: Option<(&'static str, &'static [&'static str])>,
}

impl Server {
    pub fn admin(namespace: &Namespace) -> Self {
        Self {
            client: namespace.testbed().client(),
            namespace: namespace.name().to_owned(),
            user: None,
        }
    }

    /// The same as another user.
    pub fn with_user(mut self, user: &'static str, groups: &'static [&'static str]) -> Self {
        self.user = Some((user, groups));
        self
    }

    pub fn path(&self, pattern: &str) -> String {
        pattern.replace("{ns}", &format!("namespaces/{}", self.namespace))
    }

    /// Asks without writing.
    pub async fn create(&self, path: &str, object: &Value) -> Result<Value, String> {
        self.send("POST", &format!("{path}?dryRun=All"), "application/json", object)
            .await
    }

    pub async fn patch(&self, path: &str, change: &Value) -> Result<Value, String> {
        self.send("PATCH", path, "application/merge-patch+json", change).await
    }

    pub async fn send(&self, method: &str, path: &str, content: &str, body: &Value) -> Result<Value, String> {
        let mut request = axum::http::Request::builder()
            .method(method)
            .uri(path)
            .header("Content-Type", content);
        if let Some((user, groups)) = self.user {
            request = request.header("Impersonate-User", user);
            for group in groups {
                request = request.header("Impersonate-Group", *group);
            }
        }
        let request = request.body(body.to_string().into_bytes()).unwrap();
        match self.client.request::<Value>(request).await {
            Ok(answer) => Ok(answer),
            Err(kube::Error::Api(status)) => Err(status.message.clone()),
            Err(error) => panic!("{method} {path}: {error}"),
        }
    }
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
