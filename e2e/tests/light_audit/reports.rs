//! Findings appear in reports, metrics and events, and disappear when they are mended.

use std::time::Duration;

use anyhow::ensure;
use e2e::{chart, wait_for};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::cluster::{Cluster, canary, settings};
use crate::webhook::Webhook;

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn findings_are_reported_until_they_are_mended() {
    let cluster = Cluster::turn().await;
    chart::install_report_kinds(&cluster.testbed).await.unwrap();
    let namespace = cluster.namespace().await;
    let ns = namespace.name();
    let old = canary();
    cluster.apply(&settings(ns, Some(&old))).await;
    let webhook = Webhook::audits(&cluster).await;

    // What was there before.
    let report = cluster.until_reported(ns, 1, 0, 0).await;
    let result = &report["results"][0];
    assert_eq!(result["resources"][0]["kind"], "ConfigMap");
    assert_eq!(result["resources"][0]["name"], "settings");
    assert_eq!(result["properties"]["field"], "/data/DB_PASSWORD");
    assert!(webhook.number("countersign_audit_findings").await >= 1.0);
    let event = wait_for("an event about it", Duration::from_secs(20), || async {
        let events = cluster.list("Event", ns).await;
        let found = events.into_iter().find(|event| event["reason"] == "CredentialFound");
        found.ok_or_else(|| anyhow::anyhow!("there is none"))
    })
    .await
    .unwrap();
    assert_eq!(event["regarding"]["name"], "settings");
    assert_eq!(event["type"], "Warning");

    // What comes later.
    let new = canary();
    let mut other = settings(ns, Some(&new));
    other["metadata"]["name"] = json!("later");
    cluster.apply(&other).await;
    cluster.until_reported(ns, 2, 0, 0).await;

    // A report that somebody deleted comes again: soon, since a new kind makes the audit look around.
    let reports = cluster.api("Report", ns);
    reports.delete("countersign", &DeleteParams::default()).await.unwrap();
    cluster.apply(&vaults()).await;
    cluster.until_reported(ns, 2, 0, 0).await;

    // No value comes out.
    let told = [
        json!(cluster.report(ns).await).to_string(),
        json!(cluster.list("Event", ns).await).to_string(),
        webhook.metrics().await.unwrap(),
        webhook.logged(),
    ];
    for told in told {
        assert!(!told.contains(&old) && !told.contains(&new), "a value came out");
    }

    let kinds = cluster.api("CustomResourceDefinition", "");
    kinds
        .delete("vaults.example.com", &DeleteParams::default())
        .await
        .unwrap();

    // What is mended or deleted.
    cluster.apply(&settings(ns, None)).await;
    cluster.until_reported(ns, 1, 0, 0).await;
    let maps = cluster.api("ConfigMap", ns);
    maps.delete("later", &DeleteParams::default()).await.unwrap();
    cluster.until_not_reported(ns).await;
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn at_rest_and_after_a_restart_nothing_is_written() {
    let cluster = Cluster::turn().await;
    chart::install_report_kinds(&cluster.testbed).await.unwrap();
    let namespace = cluster.namespace().await;
    let ns = namespace.name();
    cluster.apply(&settings(ns, Some(&canary()))).await;
    let webhook = Webhook::audits(&cluster).await;
    let before = cluster.until_reported(ns, 1, 0, 0).await;
    tokio::time::sleep(Duration::from_secs(5)).await;

    let seen = writes(&cluster, ns);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(writes(&cluster, ns)[seen.len()..], [] as [String; 0], "at rest");

    drop(webhook);
    cluster.forget_lease().await;
    let webhook = Webhook::audits(&cluster).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(writes(&cluster, ns)[seen.len()..], [] as [String; 0], "after a restart");
    assert_eq!(cluster.report(ns).await.unwrap(), before);
    assert!(webhook.number("countersign_audit_findings").await >= 1.0);
}

/// A kind that the API server does not know.
fn vaults() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "vaults.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"kind": "Vault", "plural": "vaults"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            }}}],
        },
    })
}

/// What the webhook wrote about a namespace. What other tests left in theirs may have ended by now, which is news.
fn writes(cluster: &Cluster, namespace: &str) -> Vec<String> {
    let entries = cluster.testbed.audit().unwrap();
    let theirs = entries.iter().filter(|entry| {
        entry.user_agent.starts_with("countersign-webhook/")
            && entry.is_write()
            && !entry.is_about("coordination.k8s.io", "leases")
            && entry.request_uri.contains(namespace)
    });
    theirs
        .map(|entry| format!("{} {}", entry.verb, entry.request_uri))
        .collect()
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn what_is_installed_later_is_audited_and_reported_with() {
    let cluster = Cluster::turn().await;
    let delete = [
        "delete",
        "crd",
        "reports.openreports.io",
        "clusterreports.openreports.io",
    ];
    let delete = [&delete[..], &["--ignore-not-found"]].concat();
    cluster.testbed.kubectl(&delete).await.unwrap();
    let namespace = cluster.namespace().await;
    let ns = namespace.name();
    cluster.apply(&settings(ns, Some(&canary()))).await;
    let webhook = Webhook::audits(&cluster).await;

    // Without a kind to report with.
    assert!(webhook.number("countersign_audit_findings").await >= 1.0);
    assert!(
        webhook.logged().contains("openreports.io are not installed"),
        "it does not say what is missing"
    );
    chart::install_report_kinds(&cluster.testbed).await.unwrap();
    cluster.until_reported(ns, 1, 0, 0).await;

    // A kind that did not exist.
    cluster.apply(&vaults()).await;
    let vault = json!({
        "apiVersion": "example.com/v1", "kind": "Vault", "metadata": {"name": "main", "namespace": ns},
        "spec": {"auth": {"password": canary()}},
    });
    wait_for("the new kind to be served", Duration::from_secs(20), || async {
        ensure!(cluster.try_apply(&vault).await.is_ok(), "it is not");
        Ok(())
    })
    .await
    .unwrap();
    let report = cluster.until_reported(ns, 2, 0, 0).await;
    assert!(report.to_string().contains("/spec/auth/password"), "{report}");

    // And exists no longer.
    let kinds = cluster.api("CustomResourceDefinition", "");
    kinds
        .delete("vaults.example.com", &DeleteParams::default())
        .await
        .unwrap();
    cluster.until_reported(ns, 1, 0, 0).await;
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_report_of_somebody_else_is_left_alone() {
    let cluster = Cluster::turn().await;
    chart::install_report_kinds(&cluster.testbed).await.unwrap();
    let namespace = cluster.namespace().await;
    let ns = namespace.name();
    let theirs = json!({
        "apiVersion": "openreports.io/v1alpha1", "kind": "Report", "metadata": {"name": "countersign", "namespace": ns},
        "source": "somebody", "summary": {"pass": 1},
    });
    cluster.apply(&theirs).await;
    cluster.apply(&settings(ns, Some(&canary()))).await;
    let webhook = Webhook::audits(&cluster).await;
    wait_for("the audit to say so", Duration::from_secs(20), || async {
        ensure!(webhook.logged().contains("not the audit's"), "it does not");
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(cluster.report(ns).await.unwrap()["source"], "somebody");
    // Else each audit of a later test would tell of it anew.
    cluster.apply(&settings(ns, None)).await;
}
