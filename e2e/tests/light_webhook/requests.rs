//! Which requests the API server sends, and what their users are told.

use std::time::Duration;

use anyhow::ensure;
use e2e::wait_for;
use serde_json::{Value, json};

use crate::objects::{deployment, literal, password, pod, reference};
use crate::webhook::Webhook;

const DEPLOYMENTS: &str = "/apis/apps/v1/{ns}/deployments";
const PODS: &str = "/api/v1/{ns}/pods";

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_literal_is_refused_with_its_place_and_what_to_do() {
    let webhook = Webhook::start("", &[]).await;
    let password = password();
    let refused = webhook
        .admin()
        .create(DEPLOYMENTS, &deployment("api", literal(&password)))
        .await
        .unwrap_err();
    for part in [
        "admission webhook \"credentials.countersign.dev\" denied the request",
        "/spec/template/spec/containers/0/env/0/value",
        "ExternalSecret",
        "fingerprint",
    ] {
        assert!(refused.contains(part), "{part} is not in {refused}");
    }
    webhook
        .admin()
        .create(DEPLOYMENTS, &deployment("api", reference()))
        .await
        .unwrap();

    let metrics = webhook.ask("/metrics").await.unwrap();
    assert!(
        metrics.contains("countersign_admission_requests_total{operation=\"CREATE\",outcome=\"Denied\"} 1"),
        "{metrics}"
    );
    let log = webhook.logged();
    assert!(
        log.contains("\"outcome\":\"denied\"") && log.contains("deployments.apps"),
        "{log}"
    );
    for place in [refused, metrics, log] {
        assert!(!place.contains(&password), "the password is told");
    }
    webhook.forget().await;
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn an_update_is_judged_by_what_it_changes() {
    let webhook = Webhook::spawn("", &[]).await;
    let server = webhook.admin();
    server
        .create(DEPLOYMENTS, &deployment("old", literal(&password())))
        .await
        .unwrap();
    webhook.configure().await;
    webhook.until_ready().await;

    let path = format!("{DEPLOYMENTS}/old");
    server.patch(&path, &json!({"spec": {"replicas": 2}})).await.unwrap();
    server
        .patch(&path, &json!({"metadata": {"labels": {"touched": "yes"}}}))
        .await
        .unwrap();
    let change = deployment("old", literal(&password()));
    let refused = server.patch(&path, &json!({"spec": change["spec"]})).await.unwrap_err();
    assert!(refused.contains("/env/0/value"), "{refused}");
    webhook.forget().await;
}

/// The API server sends subresources only where the configuration names them.
#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn ephemeral_containers_and_token_requests_are_seen() {
    let webhook = Webhook::start("limits: {serviceAccountToken: 1h}", &[]).await;
    let server = webhook.admin();
    server.create(PODS, &pod("app")).await.unwrap();
    let container = json!({"name": "debug", "image": "localhost/none:1", "env": literal(&password())});
    let change = json!({"spec": {"ephemeralContainers": [container]}});
    let refused = server
        .patch(&format!("{PODS}/app/ephemeralcontainers"), &change)
        .await
        .unwrap_err();
    assert!(refused.contains("/spec/ephemeralContainers/0/env/0/value"), "{refused}");

    let token = |seconds: i64| json!({"spec": {"expirationSeconds": seconds, "audiences": ["there"]}});
    let tokens = "/api/v1/{ns}/serviceaccounts/default/token";
    let refused = server.create(tokens, &token(7200)).await.unwrap_err();
    assert!(
        refused.contains("/spec/expirationSeconds") && refused.contains("2 hours"),
        "{refused}"
    );
    let given = server.create(tokens, &token(3600)).await.unwrap();
    assert!(given["status"]["token"].is_string());
    webhook.forget().await;
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_namespace_that_warns_lets_in_and_warns() {
    let webhook = Webhook::start("", &[]).await;
    let namespace = webhook.namespace.name();
    let object = deployment("api", literal(&password())).to_string();
    let file = webhook.testbed.data().join(format!("{namespace}.json"));
    std::fs::write(&file, object).unwrap();
    let label = [
        "label",
        "namespace",
        namespace,
        "countersign.dev/admission=warn",
        "--overwrite",
    ];
    webhook.testbed.kubectl(&label).await.unwrap();
    let file = file.display().to_string();
    let apply = format!("kubectl create --dry-run=server -n {namespace} -f {file} 2>&1");
    wait_for("a warning", Duration::from_secs(10), || async {
        let config = webhook.testbed.data().join("admin.kubeconfig");
        let mut shell = tokio::process::Command::new("sh");
        let output = shell.args(["-c", &apply]).env("KUBECONFIG", config).output().await?;
        let said = String::from_utf8(output.stdout)?;
        ensure!(said.contains("Warning: /spec/template"), "kubectl says {said}");
        ensure!(output.status.success(), "kubectl fails: {said}");
        Ok(())
    })
    .await
    .unwrap();
    webhook.forget().await;
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn what_is_no_review_is_refused() {
    let webhook = Webhook::start("", &[]).await;
    let (code, answer) = webhook.review("{}").await;
    assert_eq!(code, "400");
    assert!(answer.contains("AdmissionReview"), "{answer}");

    let half = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "some"}});
    let (code, answer) = webhook.review(&half.to_string()).await;
    assert_eq!(code, "200");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["response"]["allowed"], false);
    assert_eq!(answer["response"]["uid"], "some");
    assert_eq!(answer["response"]["status"]["code"], 400);
    webhook.forget().await;
}
