//! `countersign scan --cluster` against a real API server:
//! `testbed run --light -- cargo test -p countersign-e2e --test light_scan -- --ignored`.
#![allow(clippy::unwrap_used, reason = "test code: a panic is how a test fails")]

use std::path::{Path, PathBuf};

use anyhow::Context;
use e2e::{Namespace, Testbed, chart};
use kube::config::Kubeconfig;
use rand::RngExt;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

static INSTALLED: OnceCell<()> = OnceCell::const_new();

/// More than come in one page of a list.
const MANY: usize = 260;

/// A testbed that knows Countersign's kinds.
async fn testbed() -> Testbed {
    let testbed = Testbed::from_env().await.unwrap();
    INSTALLED
        .get_or_try_init(|| chart::install_kinds(&testbed))
        .await
        .unwrap();
    testbed
}

/// Runs `countersign scan --cluster -o json`, and gives its exit code, the findings and what it complained of.
async fn scan(kubeconfig: &Path, arguments: &[&str]) -> (i32, Vec<Value>, String) {
    let output = tokio::process::Command::new(binary())
        .args(["scan", "--cluster", "-o", "json"])
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .output()
        .await
        .with_context(|| {
            format!(
                "{} cannot be started; build it with `cargo build -p countersign-cli`",
                binary().display()
            )
        })
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap().clone();
    (
        output.status.code().unwrap(),
        findings,
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap_or(Path::new(".")).join("countersign")
}

fn files(findings: &[Value]) -> Vec<&str> {
    findings
        .iter()
        .map(|finding| finding["file"].as_str().unwrap())
        .collect()
}

fn password() -> String {
    let mut random = rand::rng();
    (0..24).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect()
}

/// A Deployment with a literal password, and the `ReplicaSet` that its controller would make.
async fn shop(namespace: &Namespace, password: &str) {
    let template = json!({
        "metadata": {"labels": {"app": "a"}},
        "spec": {"containers": [{"name": "a", "image": "a:1", "env": [{"name": "DB_PASSWORD", "value": password}]}]},
    });
    let spec = json!({"selector": {"matchLabels": {"app": "a"}}, "template": template});
    let deployment =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "payments"}, "spec": spec});
    namespace.apply(&deployment.to_string()).await.unwrap();
    let uid = namespace
        .kubectl(&["get", "deployment", "payments", "-o", "jsonpath={.metadata.uid}"])
        .await
        .unwrap();
    let owner =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "payments", "uid": uid, "controller": true});
    let metadata = json!({"name": "payments-1", "ownerReferences": [owner]});
    let copy = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec});
    namespace.apply(&copy.to_string()).await.unwrap();
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn live_objects_are_scanned() {
    let testbed = testbed().await;
    let namespace = testbed.namespace("scan", &[]).await.unwrap();
    let other = testbed.namespace("scan-other", &[]).await.unwrap();
    let admin = testbed.data().join("admin.kubeconfig");
    let secret = password();
    shop(&namespace, &secret).await;
    shop(&other, &password()).await;
    let map = |index| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("map-{index:03}")}});
    let maps: Vec<Value> = (0..MANY).map(map).collect();
    namespace
        .apply(&json!({"apiVersion": "v1", "kind": "List", "items": maps}).to_string())
        .await
        .unwrap();
    let last =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "z"}, "data": {"password": secret}});
    namespace.apply(&last.to_string()).await.unwrap();

    let here = namespace.name();
    let (code, findings, errors) = scan(&admin, &["-n", here]).await;
    let (map, deployment) = (
        format!("cluster:{here}/ConfigMap/z"),
        format!("cluster:{here}/Deployment/payments"),
    );
    assert_eq!(
        (code, files(&findings), errors.as_str()),
        (1, vec![map.as_str(), &deployment], "")
    );
    assert!(!format!("{findings:?}{errors}").contains(&secret));

    let (code, findings, _) = scan(&admin, &["-A"]).await;
    let elsewhere = format!("cluster:{}/Deployment/payments", other.name());
    assert_eq!(code, 1);
    for file in [&map, &deployment, &elsewhere] {
        assert!(files(&findings).contains(&file.as_str()), "{file}");
    }
    assert!(
        !files(&findings).iter().any(|file| file.contains("/ReplicaSet/")),
        "{:?}",
        files(&findings)
    );
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_waiver_of_the_cluster_counts() {
    let testbed = testbed().await;
    let namespace = testbed.namespace("scan-waived", &[]).await.unwrap();
    let admin = testbed.data().join("admin.kubeconfig");
    shop(&namespace, &password()).await;
    let (code, findings, _) = scan(&admin, &["-n", namespace.name()]).await;
    assert_eq!((code, findings.len()), (1, 1));
    let waiver = json!({
        "apiVersion": "countersign.dev/v1alpha1",
        "kind": "CredentialWaiver",
        "metadata": {"name": "old-database"},
        "spec": {
            "object": {"group": "apps", "kind": "Deployment", "name": "payments"},
            "rule": findings[0]["rule"],
            "fields": [findings[0]["pointer"]],
            "reason": "the database is replaced next month",
            "expires": "2999-01-01T00:00:00Z",
        },
    });
    namespace.apply(&waiver.to_string()).await.unwrap();
    let (code, findings, _) = scan(&admin, &["-n", namespace.name()]).await;
    assert_eq!((code, findings.len()), (0, 0));
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn what_may_not_be_listed_is_not_clean() {
    let testbed = testbed().await;
    let namespace = testbed.namespace("scan-rights", &[]).await.unwrap();
    let mut config = Kubeconfig::read_from(testbed.data().join("admin.kubeconfig")).unwrap();
    for user in &mut config.auth_infos {
        let user = user.auth_info.as_mut().unwrap();
        user.impersonate = Some("nobody".to_owned());
        user.impersonate_groups = Some(vec!["system:authenticated".to_owned()]);
    }
    let path = testbed.data().join("nobody.kubeconfig");
    std::fs::write(&path, serde_json::to_vec(&config).unwrap()).unwrap();
    let (code, findings, errors) = scan(&path, &["-n", namespace.name()]).await;
    assert_eq!((code, findings.len()), (2, 0));
    assert!(errors.contains("error: secrets: secrets is forbidden"), "{errors}");
}
