//! The API server with the policies in force, and how to ask it.

use std::time::Duration;

use anyhow::ensure;
use e2e::{ApiUser, Namespace, Testbed, wait_for};
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
    let admin = ApiUser::admin(namespace);
    let mut probes: Vec<(String, Value)> = SHAPES
        .iter()
        .map(|shape| (shape.path.to_owned(), shape.object(pod(&[LIMIT + 1]), json!({}))))
        .collect();
    probes.push((
        "/api/v1/{ns}/secrets".to_owned(),
        secret("kubernetes.io/service-account-token", json!({})),
    ));
    probes.push((
        "/api/v1/{ns}/serviceaccounts".to_owned(),
        account(json!({EKS: "86401"})),
    ));
    probes.push((
        "/api/v1/{ns}/serviceaccounts/default/token".to_owned(),
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
            let answer = admin.try_create(path, object).await;
            ensure!(answer.is_err(), "{path} takes {object}");
        }
        Ok(())
    })
    .await
    .unwrap();
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
