//! The mesh enforces what was written, also when the operator is upgraded or gone.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use e2e::wait_for;

use crate::release::{ACCOUNT, CHART, Release, install};
use crate::shop::{Shop, admits};

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn without_the_operator_the_mesh_goes_on_to_enforce() {
    let mut shop = Shop::open(Release::alone().await, "gone").await;
    shop.apply(&shop.policy("api", &admits(&BTreeMap::from([("orders", "/v1")]))))
        .await;
    shop.until_ready("api", "True", "Enforcing").await;
    enforced(&shop).await;

    upgraded(&shop).await;

    shop.release.uninstall().await;
    let kept = shop
        .namespace
        .kubectl(&["get", "apiauthpolicies,serviceidentities"])
        .await;
    let kept = kept.unwrap();
    assert!(
        kept.contains("apiauthpolicy.countersign.dev/api") && kept.contains("orders"),
        "{kept}"
    );
    enforced(&shop).await;
    // Also for Pods that come later.
    let pods = ["delete", "pods", "-l", "app=api"];
    shop.namespace.kubectl(&pods).await.unwrap();
    shop.api = shop.namespace.running("api", 8080).await.unwrap();
    enforced(&shop).await;

    let before = writes(&shop);
    shop.release.reinstall().await;
    shop.release.until_led().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(writes(&shop)[before.len()..], [""; 0], "all was as it should be");
    shop.until_ready("api", "True", "Enforcing").await;
    enforced(&shop).await;
    shop.done();
}

/// An older chart, whose CRDs say something else, and back.
async fn upgraded(shop: &Shop) {
    let older = tempfile::tempdir().unwrap();
    copy(Path::new(CHART), older.path());
    let file = older.path().join("templates/crd-apiauthpolicies.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let changed = text.replace("What no rule admits", "What no rule of old admits");
    assert_ne!(text, changed);
    std::fs::write(&file, changed).unwrap();
    for (chart, expected) in [(older.path().to_str().unwrap(), true), (CHART, false)] {
        install(chart).await.unwrap();
        // kubectl asks the API server for its schemas, which follow in a moment.
        wait_for("the CRD to be replaced", Duration::from_secs(20), || async {
            let explained = shop.namespace.kubectl(&["explain", "apiauthpolicy"]).await?;
            ensure!(
                explained.contains("What no rule of old admits") == expected,
                "{explained}"
            );
            Ok(())
        })
        .await
        .unwrap();
        enforced(shop).await;
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

async fn enforced(shop: &Shop) {
    shop.until_answered("orders", "/v1", 200).await;
    shop.until_answered("stranger", "/v1", 403).await;
}

/// What the operator wrote in the namespace.
fn writes(shop: &Shop) -> Vec<String> {
    let entries = shop.release.testbed.audit().unwrap();
    let own = entries.into_iter().filter(|entry| {
        entry.user.username == ACCOUNT
            && entry.is_write()
            && entry
                .object_ref
                .as_ref()
                .is_some_and(|object| object.namespace == shop.namespace.name())
    });
    own.map(|entry| format!("{} {}", entry.verb, entry.request_uri))
        .collect()
}
