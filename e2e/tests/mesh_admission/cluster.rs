//! The cluster works as before: workloads, controllers, the kubelet, garbage collection.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use e2e::{Namespace, Workload, wait_for};
use serde_json::{Value, json};

use crate::release::Release;

const LIMIT: Duration = Duration::from_mins(1);

async fn until_gone(namespace: &Namespace, selector: &str) {
    wait_for(&format!("Pods with {selector} to be collected"), LIMIT, || async {
        let left = namespace
            .kubectl(&["get", "pods", "-l", selector, "-o", "name"])
            .await?;
        ensure!(left.trim().is_empty(), "{left}");
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn workloads_run_and_what_they_owned_is_collected() {
    let release = Release::shared().await;
    let namespace = release.namespace(&[]).await;
    let server = namespace.deploy(&Workload::echo("server")).await.unwrap();

    // A Deployment rolls out, a CronJob's Job completes, a DaemonSet and a StatefulSet start.
    let token = json!([{"name": "token", "projected": {"sources": [
        {"serviceAccountToken": {"path": "token", "audience": "api", "expirationSeconds": 600}}]}}]);
    let container = |args: &[&str]| {
        json!({"name": "main", "image": "localhost/echo:1", "imagePullPolicy": "Never", "args": args,
            "volumeMounts": [{"name": "token", "mountPath": "/var/run/api"}]})
    };
    let template = |app: &str, args: &[&str], policy: &str| {
        json!({"metadata": {"labels": {"app": app}}, "spec": {"containers": [container(args)], "volumes": token,
            "restartPolicy": policy, "terminationGracePeriodSeconds": 0}})
    };
    let selected = |kind: &str, app: &str, more: Value| {
        let mut object = json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": app}, "spec": {
            "selector": {"matchLabels": {"app": app}}, "template": template(app, &[], "Always")}});
        object["spec"]
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        object
    };
    let url = server.url.clone();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [
        selected("DaemonSet", "each", json!({})),
        selected("StatefulSet", "ordered", json!({"serviceName": "server", "replicas": 1})),
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"}, "spec": {"schedule": "0 0 1 1 *",
            "jobTemplate": {"spec": {"template": template("nightly", &["client", &url], "Never")}}}},
    ]});
    namespace.apply(&list.to_string()).await.unwrap();
    let job = ["create", "job", "now", "--from=cronjob/nightly"];
    namespace.kubectl(&job).await.unwrap();
    for (what, object) in [
        ("complete", "job/now"),
        ("jsonpath={.status.numberReady}=1", "daemonset/each"),
    ] {
        let condition = if what.starts_with("json") {
            format!("--for={what}")
        } else {
            format!("--for=condition={what}")
        };
        let wait = ["wait", &condition, "--timeout=60s", object];
        namespace.kubectl(&wait).await.unwrap();
    }
    let restart = ["rollout", "restart", "deployment/server"];
    namespace.kubectl(&restart).await.unwrap();
    for workload in ["deployment/server", "statefulset/ordered"] {
        let status = ["rollout", "status", workload, "--timeout=60s"];
        namespace.kubectl(&status).await.unwrap();
    }

    for (object, selector) in [("deployment/server", "app=server"), ("job/now", "app=nightly")] {
        namespace.kubectl(&["delete", object, "--wait=false"]).await.unwrap();
        until_gone(&namespace, selector).await;
    }
    release.check_rights();
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn leases_are_renewed_and_accounts_made() {
    let release = Release::shared().await;
    renewed(&release).await;
    let namespace = release.namespace(&[]).await;
    let names = namespace
        .kubectl(&["get", "serviceaccounts,configmaps", "-o", "name"])
        .await
        .unwrap();
    assert!(names.contains("serviceaccount/default"), "{names}");
    wait_for("the namespace's certificates", LIMIT, || async {
        let names = namespace.kubectl(&["get", "configmaps", "-o", "name"]).await?;
        ensure!(
            names.contains("kube-root-ca.crt") && names.contains("istio-ca-root-cert"),
            "{names}"
        );
        Ok(())
    })
    .await
    .unwrap();
}

/// Waits until the kubelet has renewed its node's Lease.
pub async fn renewed(release: &Release) {
    let lease = || async {
        let get = [
            "get",
            "leases",
            "-n",
            "kube-node-lease",
            "-o",
            "jsonpath={.items[*].spec.renewTime}",
        ];
        release.testbed.kubectl(&get).await
    };
    let before = lease().await.unwrap();
    wait_for("the kubelet to renew its Lease", Duration::from_secs(30), || async {
        let now = lease().await.context("no Lease")?;
        ensure!(now != before, "still {now}");
        Ok(())
    })
    .await
    .unwrap();
}
