//! The agent of a node, asked by a Pod that mounts its socket.

use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use e2e::{Testbed, chart, wait_for};
use serde_json::{Value, json};

use crate::issued::{SIGNER, until_told};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/countersign");
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

fn pod(name: &str) -> Value {
    let folder = json!({"name": "spiffe", "hostPath": {"path": "/run/countersign/workload", "type": "Directory"}});
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {
            "serviceAccountName": name,
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "main", "image": "localhost/echo:1", "imagePullPolicy": "Never",
                "env": [{"name": "SPIFFE_ENDPOINT_SOCKET", "value": "unix:///spiffe/api.sock"}],
                "volumeMounts": [{"name": "spiffe", "mountPath": "/spiffe", "readOnly": true}],
            }],
            "volumes": [folder],
        },
    })
}

async fn agent(testbed: &Testbed) {
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
    namespace.apply(PODS).await.unwrap();
    for name in ["known", "unknown"] {
        namespace.apply(&pod(name).to_string()).await.unwrap();
        let pod = format!("pod/{name}");
        let ready = ["wait", &pod, "--for=condition=Ready", "--timeout=60s"];
        namespace.kubectl(&ready).await.unwrap();
    }
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
