//! What the audit of a large namespace takes.

use std::time::{Duration, Instant};

use e2e::{chart, wait_for};
use futures::stream::{self, StreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

use crate::cluster::{Cluster, canary};
use crate::webhook::Webhook;

/// How many maps there are, and every how many has a password in it.
const MAPS: usize = 5000;
const EVERY: usize = 50;

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn memory_does_not_grow_with_what_is_read() {
    let cluster = Cluster::turn().await;
    chart::install_report_kinds(&cluster.testbed).await.unwrap();
    let namespace = cluster.namespace().await;
    let ns = namespace.name();
    let webhook = Webhook::audits(&cluster).await;
    let (before, _) = webhook.resident();
    drop(webhook);
    cluster.forget_lease().await;

    let maps: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), ns);
    let padding = "some text that is not a secret, again and again. ".repeat(40);
    let made = stream::iter(0..MAPS).map(|at| {
        let mut map = json!({"metadata": {"name": format!("map-{at}")}, "data": {"notes": padding}});
        if at % EVERY == 0 {
            map["data"]["DB_PASSWORD"] = json!(canary());
        }
        let map: ConfigMap = serde_json::from_value(map).unwrap();
        let maps = maps.clone();
        async move { maps.create(&PostParams::default(), &map).await.unwrap() }
    });
    made.buffer_unordered(20).for_each(|_| async {}).await;

    let started = Instant::now();
    let webhook = Webhook::audits(&cluster).await;
    let took = started.elapsed();
    let found = u64::try_from(MAPS / EVERY).unwrap();
    cluster.until_reported(ns, found, 0, 0).await;
    let (after, most) = webhook.resident();
    println!(
        "{MAPS} ConfigMaps of 2 KB: read in {:.1} s, resident {} MiB before, {} MiB after, {} MiB at the most",
        took.as_secs_f64(),
        before / 1024,
        after / 1024,
        most / 1024
    );
    assert!(after < before + 40 * 1024, "{before} KiB became {after} KiB");
    let delete = ["delete", "configmaps", "--all", "--wait=false"];
    namespace.kubectl(&delete).await.unwrap();
    cluster.until_not_reported(ns).await;
    wait_for("the metrics to forget", Duration::from_secs(10), || async {
        let metrics = webhook.metrics().await?;
        anyhow::ensure!(
            !metrics.contains("countersign_audit_findings{rule=\"password\""),
            "they do not"
        );
        Ok(())
    })
    .await
    .unwrap();
}
