//! What is trusted no more: an old root under which nothing is valid, and an intermediate that is revoked.

use std::time::Duration;

use anyhow::ensure;
use e2e::wait_for;
use k8s_openapi::ByteString;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::bundles::{bundle, published};
use crate::cluster::{Cluster, SECRET};
use crate::process::Signer;

/// Has all intermediates under retiring roots end in the past. Half a day would pass until then otherwise.
async fn let_old_intermediates_end(cluster: &Cluster) {
    let mut secret = cluster.secrets().get(SECRET).await.unwrap();
    let data = secret.data.as_mut().unwrap();
    let mut document: Value = serde_json::from_slice(&data["state.json"].0).unwrap();
    let mut retiring = 0;
    for root in document["state"]["roots"].as_array_mut().unwrap() {
        if root["state"] == "Retiring" {
            root["lastEnd"] = json!("2026-01-01T00:00:00Z");
            retiring += 1;
        }
    }
    assert_eq!(retiring, 1, "{document}");
    data.insert(
        "state.json".to_owned(),
        ByteString(serde_json::to_vec(&document).unwrap()),
    );
    cluster
        .secrets()
        .replace(SECRET, &PostParams::default(), &secret)
        .await
        .unwrap();
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn an_old_root_leaves_every_bundle_when_nothing_under_it_is_valid() {
    let cluster = Cluster::turn().await;
    let asking = cluster
        .testbed
        .namespace("withdrawn", &[("countersign.dev/trust-bundle", "enabled")])
        .await
        .unwrap();
    let spec = json!({"intermediate": {"duration": "3h"}, "root": {"duration": "100h"}, "propagation": "2s"});
    cluster.ask(&spec, &json!({})).await;
    let signer = Signer::start(&cluster).await;
    let before = cluster.kept().await.unwrap();
    cluster.ask(&spec, &json!({"countersign.dev/rotate-root": "now"})).await;
    let kept = cluster
        .until_kept("the new root to be used", |kept| kept.under() != before.under())
        .await;
    assert_eq!(kept.roots().count(), 2);
    bundle(&cluster, 2).await;
    published(&cluster, asking.name(), 2).await;
    signer.stop().await;

    let_old_intermediates_end(&cluster).await;
    let signer = Signer::start(&cluster).await;
    let pem = bundle(&cluster, 1).await;
    let data = published(&cluster, asking.name(), 1).await;
    assert_eq!(pem["spec"]["trustBundle"], data["ca.crt"].as_str());
    let after = cluster.kept().await.unwrap();
    let left: Vec<&Value> = after.roots().map(|root| &root["sha256"]).collect();
    assert_eq!(left, [kept.under().as_str()]);
    assert_eq!(after.signing(), kept.signing(), "what signs goes on");
    wait_for("the status to have one root", Duration::from_secs(40), || async {
        let status = cluster.authorities().get("countersign").await?.data["status"].take();
        let roots = status["roots"].as_array().map_or(0, Vec::len);
        ensure!(status["phase"] == "Steady" && roots == 1, "it is {status}");
        Ok(())
    })
    .await
    .unwrap();
    let metrics = signer.ask("/metrics").await.unwrap();
    for line in [
        "countersign_ca_roots 1",
        "countersign_ca_steps_total{step=\"withdraw-root\"} 1",
        "phase=\"Steady\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    signer.stop().await;
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn another_intermediate_takes_the_place_of_one_that_is_revoked() {
    let cluster = Cluster::turn().await;
    let signer = Signer::start(&cluster).await;
    let status = cluster.until_told("True", "Signing", "").await;
    let before = cluster.kept().await.unwrap();
    let revoked = &status["intermediate"]["sha256"];
    assert_eq!(*revoked, before.signing().as_str());
    cluster
        .ask(&json!({"revokedIntermediates": [revoked]}), &json!({}))
        .await;
    let after = cluster
        .until_kept("another intermediate", |kept| kept.signing() != before.signing())
        .await;
    assert_eq!(after.under(), before.under(), "the root stays");
    let what = "the status to name the other one";
    wait_for(what, Duration::from_secs(40), || async {
        let status = cluster.authorities().get("countersign").await?.data["status"].take();
        ensure!(
            status["intermediate"]["sha256"] == after.signing().as_str(),
            "it is {status}"
        );
        Ok(())
    })
    .await
    .unwrap();

    // A root cannot be revoked so, and the message says what to do.
    cluster
        .ask(&json!({"revokedIntermediates": [after.under()]}), &json!({}))
        .await;
    let told = cluster.until_told("True", "Invalid", "is a root").await;
    assert_eq!(told["intermediate"]["sha256"], after.signing().as_str());
    signer.stop().await;
}
