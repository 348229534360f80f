//! An authority that cannot be read, or is gone, is not written over.

use std::time::Duration;

use e2e::wait_for;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use crate::cluster::{Cluster, SECRET};
use crate::process::Signer;

/// Damages what is kept; gives it as it was and as it is. The signer may write at that moment too, and then it is done again.
async fn damage(cluster: &Cluster) -> (Secret, Secret) {
    wait_for("what is kept to be damaged", Duration::from_secs(20), || async {
        let good = cluster.secrets().get(SECRET).await?;
        let mut bad = good.clone();
        let entry = ByteString(b"half of a ke".to_vec());
        bad.data.as_mut().unwrap().insert("intermediate.key".to_owned(), entry);
        let bad = cluster.secrets().replace(SECRET, &PostParams::default(), &bad).await?;
        Ok((good, bad))
    })
    .await
    .unwrap()
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn what_cannot_be_read_is_left_as_it_is_and_told() {
    let cluster = Cluster::turn().await;
    let signer = Signer::start(&cluster).await;
    cluster.until_told("True", "Signing", "").await;
    let (good, bad) = damage(&cluster).await;
    let status = cluster
        .until_told("False", "Unreadable", "intermediate.key is damaged")
        .await;
    assert_eq!(
        status["roots"].as_array().map(Vec::len),
        Some(1),
        "it tells what was there"
    );
    signer.until("/readyz", "cannot be used").await;
    cluster
        .ask(&json!({}), &json!({"countersign.dev/rotate-intermediate": "now"}))
        .await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let still = cluster.secrets().get(SECRET).await.unwrap();
    assert_eq!(still.metadata.resource_version, bad.metadata.resource_version);
    let mut repaired = still;
    repaired.data = good.data;
    cluster
        .secrets()
        .replace(SECRET, &PostParams::default(), &repaired)
        .await
        .unwrap();
    cluster.until_told("True", "Signing", "").await;
    signer.until("/readyz", "ok").await;
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn an_authority_that_is_gone_is_not_replaced_by_another() {
    let cluster = Cluster::turn().await;
    let signer = Signer::start(&cluster).await;
    cluster.until_told("True", "Signing", "").await;
    let before = cluster.kept().await.unwrap();
    cluster
        .secrets()
        .delete(SECRET, &DeleteParams::default())
        .await
        .unwrap();
    cluster.until_told("False", "Lost", "put it back from a backup").await;
    signer.until("/readyz", "no certificate authority").await;
    assert!(cluster.kept().await.is_none());
    // The way out that the status tells.
    cluster
        .authorities()
        .delete("countersign", &DeleteParams::default())
        .await
        .unwrap();
    signer.until("/readyz", "ok").await;
    assert_ne!(cluster.kept().await.unwrap().under(), before.under());
}
