//! A waiver counts until its end, and its status tells.

use std::time::Duration;

use anyhow::{Context, ensure};
use e2e::{chart, wait_for};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cluster::{Cluster, canary, settings};
use crate::webhook::Webhook;

async fn until_waiver_is(cluster: &Cluster, namespace: &str, name: &str, reason: &str, covers: u64) -> Value {
    let what = format!("waiver {name} to be {reason} and to cover {covers}");
    wait_for(&what, Duration::from_secs(40), || async {
        let waiver = cluster
            .get("CredentialWaiver", namespace, name)
            .await
            .context("it is gone")?;
        let condition = waiver["status"]["conditions"][0].clone();
        ensure!(
            condition["reason"] == reason && waiver["status"]["covers"] == covers,
            "{}",
            waiver["status"]
        );
        Ok(condition)
    })
    .await
    .unwrap()
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_waiver_counts_until_it_ends() {
    let cluster = Cluster::turn().await;
    chart::install_report_kinds(&cluster.testbed).await.unwrap();
    let namespace = cluster.namespace().await;
    let ns = namespace.name();
    cluster.apply(&settings(ns, Some(&canary()))).await;
    let webhook = Webhook::audits(&cluster).await;
    let report = cluster.until_reported(ns, 1, 0, 0).await;
    let rule = report["results"][0]["policy"].as_str().unwrap();

    let end = OffsetDateTime::now_utc() + Duration::from_secs(12);
    let waiver = |name: &str, end: OffsetDateTime, change: &dyn Fn(&mut Value)| {
        let mut waiver = json!({
            "apiVersion": "countersign.dev/v1alpha1", "kind": "CredentialWaiver",
            "metadata": {"name": name, "namespace": ns},
            "spec": {
                "object": {"kind": "ConfigMap", "name": "settings"}, "rule": rule, "fields": ["/data/DB_PASSWORD"],
                "reason": "until the secret store is there",
                "expires": end.replace_nanosecond(0).unwrap().format(&Rfc3339).unwrap(),
            },
        });
        change(&mut waiver);
        waiver
    };
    cluster.apply(&waiver("soon-over", end, &|_| ())).await;
    let later = end + Duration::from_hours(24);
    let elsewhere = |waiver: &mut Value| waiver["spec"]["object"]["name"] = json!("another");
    cluster.apply(&waiver("unused", later, &elsewhere)).await;
    let broken = |waiver: &mut Value| waiver["spec"]["rule"] = json!("zebra");
    cluster.apply(&waiver("broken", later, &broken)).await;

    let report = cluster.until_reported(ns, 0, 0, 1).await;
    assert_eq!(report["results"][0]["properties"]["waiver"], format!("{ns}/soon-over"));
    until_waiver_is(&cluster, ns, "soon-over", "Active", 1).await;
    until_waiver_is(&cluster, ns, "unused", "Unused", 0).await;
    let condition = until_waiver_is(&cluster, ns, "broken", "Invalid", 0).await;
    assert!(condition["message"].as_str().unwrap().contains("zebra"), "{condition}");
    let columns = namespace.kubectl(&["get", "credentialwaivers"]).await.unwrap();
    println!("{columns}");
    assert!(webhook.metrics().await.unwrap().contains("result=\"skip\"} 1"));

    cluster.until_reported(ns, 1, 0, 0).await;
    assert!(
        OffsetDateTime::now_utc() >= end.replace_nanosecond(0).unwrap(),
        "it ended too early"
    );
    until_waiver_is(&cluster, ns, "soon-over", "Expired", 0).await;
}
