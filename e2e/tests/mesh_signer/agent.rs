//! The agent of a node, asked by a Pod that mounts its socket.

use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use e2e::{Namespace, ProxyCertificate, Testbed, bare_serial, chart, wait_for};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::issued::{SIGNER, until_told};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/countersign");
const DOCUMENTATION: &str = include_str!("../../../docs/workload-api.md");
const FOLDER: &str = "/run/countersign/workload";
const PODS: &str = "
apiVersion: countersign.dev/v1alpha1
kind: ServiceIdentity
metadata: {name: known}
spec: {serviceAccountName: known, delivery: [WorkloadAPI]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: known}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: unknown}
";

/// A Pod of the service account of its name, with a container that sees the folder of the socket.
fn pod(name: &str, mut container: Value) -> Value {
    let folder = json!({"name": "spiffe", "hostPath": {"path": FOLDER, "type": "Directory"}});
    container["imagePullPolicy"] = "Never".into();
    container["volumeMounts"] = json!([{"name": "spiffe", "mountPath": FOLDER, "readOnly": true}]);
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {
            "serviceAccountName": name,
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
            "volumes": [folder],
        },
    })
}

/// The test server, whose client speaks the Workload API.
fn echo() -> Value {
    let socket = format!("unix://{FOLDER}/api.sock");
    json!({
        "name": "main", "image": "localhost/echo:1",
        "env": [{"name": "SPIFFE_ENDPOINT_SOCKET", "value": socket}],
    })
}

/// An Envoy with the configuration of the documentation, in the image of Istio's proxies and told of as theirs are.
fn envoy() -> Value {
    let (_, after) = DOCUMENTATION.split_once("## Envoy\n\n```yaml\n").unwrap();
    let (documented, _) = after.split_once("```").unwrap();
    let admin = "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 15000}}}\n";
    let configuration = format!("{documented}{admin}");
    json!({
        "name": "istio-proxy", "image": "localhost/proxyv2:1", "command": ["/usr/local/bin/envoy"],
        "args": ["--config-yaml", configuration, "--concurrency", "1", "--log-level", "warning"],
    })
}

/// Makes the identities, and a Pod with and one without.
async fn start(namespace: &Namespace, container: fn() -> Value) {
    namespace.apply(PODS).await.unwrap();
    for name in ["known", "unknown"] {
        namespace.apply(&pod(name, container()).to_string()).await.unwrap();
        let pod = format!("pod/{name}");
        let ready = ["wait", &pod, "--for=condition=Ready", "--timeout=60s"];
        namespace.kubectl(&ready).await.unwrap();
    }
}

/// Has the chart run its agent. Helm does one thing at a time.
async fn agent(testbed: &Testbed) {
    static RUNS: OnceCell<()> = OnceCell::const_new();
    RUNS.get_or_init(|| upgrade(testbed)).await;
}

async fn upgrade(testbed: &Testbed) {
    let upgraded = Command::new("helm")
        .args([
            "upgrade",
            "countersign",
            CHART,
            "--reuse-values",
            "--namespace",
            chart::NAMESPACE,
        ])
        .args(["--set=agent.enabled=true", "--wait", "--timeout=2m"])
        .status();
    assert!(upgraded.unwrap().success());
    let rollout = ["rollout", "status", "daemonset/countersign-agent", "--timeout=90s"];
    testbed
        .kubectl(&[&["--namespace", chart::NAMESPACE], &rollout[..]].concat())
        .await
        .unwrap();
}

#[tokio::test]
#[ignore = "needs testbed run --istio --countersign"]
async fn a_pod_is_told_who_it_is_over_the_socket_and_another_is_refused() {
    let testbed = Testbed::from_env().await.unwrap();
    let _stays = SIGNER.read().await;
    agent(&testbed).await;
    let namespace = testbed.namespace("socket", &[]).await.unwrap();
    start(&namespace, echo).await;
    let ask = async |pod: &str| namespace.exec(pod, "main", &["/echo", "identity"]).await;
    let told = wait_for("the Pod to be told who it is", Duration::from_secs(40), || async {
        let executed = ask("known").await?;
        ensure!(executed.code == 0, "{}", executed.stderr);
        Ok(serde_json::from_str::<Value>(&executed.stdout)?)
    })
    .await
    .unwrap();
    let id = namespace.spiffe_id("known");
    assert_eq!(told["spiffe_id"], *id, "{told}");
    assert_eq!(told["token_of"], *id, "{told}");
    assert_eq!(told["token_for"], json!(["ledger"]), "{told}");
    assert_eq!(
        (&told["certificates"], &told["roots"]),
        (&json!(2), &json!(1)),
        "{told}"
    );

    let refused = ask("unknown").await.unwrap();
    assert_ne!(refused.code, 0, "{}", refused.stdout);
    assert!(refused.stderr.contains("ermission"), "{}", refused.stderr);
    until_told(&testbed, namespace.name(), "known", |status| {
        status["delivery"] == json!(["WorkloadAPI"])
    })
    .await;
}

#[tokio::test]
#[ignore = "needs testbed run --istio --countersign"]
async fn an_envoy_is_given_the_secrets_of_its_pod_over_the_socket_and_another_none() {
    let testbed = Testbed::from_env().await.unwrap();
    let _stays = SIGNER.read().await;
    agent(&testbed).await;
    let namespace = testbed.namespace("secrets", &[]).await.unwrap();
    start(&namespace, envoy).await;
    let what = "Envoy to have its certificate";
    let shown = wait_for(what, Duration::from_secs(40), || {
        ProxyCertificate::of(&namespace, "known")
    })
    .await
    .unwrap();
    assert_eq!(shown.uris, [namespace.spiffe_id("known")]);
    // It is one that the signer gave to this workload by this way.
    until_told(&testbed, namespace.name(), "known", |status| {
        let serial = status["certificate"]["serialNumber"].as_str().unwrap_or_default();
        bare_serial(serial) == shown.serial && status["delivery"] == json!(["WorkloadAPI"])
    })
    .await;

    let what = "the other Envoy to be told why it gets none";
    wait_for(what, Duration::from_secs(40), || async {
        // As gRPC sends it.
        let log = namespace.kubectl(&["logs", "unknown"]).await?.replace("%20", " ");
        ensure!(log.contains("names the service account unknown"), "it says {log}");
        Ok(())
    })
    .await
    .unwrap();
    let none = ProxyCertificate::of(&namespace, "unknown").await.unwrap_err();
    assert!(none.to_string().contains("no certificate"), "{none:#}");
}
