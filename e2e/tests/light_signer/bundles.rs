//! Where the roots are published.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use countersign_identity::Bundle;
use e2e::{ApiUser, chart, wait_for};
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::cluster::{Cluster, SECRET, label};
use crate::process::Signer;

const CONFIG_MAP: &str = "countersign-trust-bundle";
const BUNDLE: &str = "countersign.dev:spiffe:cluster.local";

/// Waits until a namespace has these roots, and gives the ConfigMap's data.
pub async fn published(cluster: &Cluster, namespace: &str, roots: usize) -> std::collections::BTreeMap<String, String> {
    wait_for(
        &format!("{roots} roots in {namespace}"),
        Duration::from_secs(30),
        || async {
            let there = cluster.config_maps(namespace).get(CONFIG_MAP).await?;
            let data = there.data.context("it is empty")?;
            let count = data
                .get("ca.crt")
                .map_or(0, |pem| pem.matches("BEGIN CERTIFICATE").count());
            ensure!(count == roots, "it has {count}");
            Ok(data)
        },
    )
    .await
    .unwrap()
}

pub async fn bundle(cluster: &Cluster, roots: usize) -> Value {
    wait_for(
        &format!("{roots} roots in the ClusterTrustBundle"),
        Duration::from_secs(30),
        || async {
            let there = cluster.bundles().get(BUNDLE).await?;
            let pem = there.data["spec"]["trustBundle"].as_str().unwrap_or_default();
            let count = pem.matches("BEGIN CERTIFICATE").count();
            ensure!(count == roots, "it has {count}");
            Ok(serde_json::to_value(there)?)
        },
    )
    .await
    .unwrap()
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn roots_are_where_they_are_asked_for_and_stay_so() {
    let cluster = Cluster::turn().await;
    let asking = cluster
        .testbed
        .namespace("trusts", &[("countersign.dev/trust-bundle", "enabled")])
        .await
        .unwrap();
    let other = cluster.testbed.namespace("asks-not", &[]).await.unwrap();
    let signer = Signer::start(&cluster).await;
    let data = published(&cluster, asking.name(), 1).await;
    let read = Bundle::from_jwks("cluster.local".parse().unwrap(), &data["bundle.json"]).unwrap();
    assert_eq!(read.bundle.to_pem(), data["ca.crt"]);
    assert_eq!(data["root-cert.pem"], data["ca.crt"], "Istio's proxies look there");
    // The agents of the nodes are in the signer's own namespace, which has no label.
    let own = published(&cluster, chart::NAMESPACE, 1).await;
    assert_eq!(own["ca.crt"], data["ca.crt"]);
    let there = bundle(&cluster, 1).await;
    assert_eq!(there["spec"]["signerName"], "countersign.dev/spiffe");
    assert_eq!(
        there["metadata"]["labels"]["countersign.dev/trust-domain"],
        "cluster.local"
    );
    assert_eq!(there["spec"]["trustBundle"], data["ca.crt"].as_str());

    // What somebody edits or deletes comes back.
    let edit = Patch::Merge(json!({"data": {"ca.crt": "mine", "more": "theirs"}}));
    cluster
        .config_maps(asking.name())
        .patch(CONFIG_MAP, &PatchParams::default(), &edit)
        .await
        .unwrap();
    let again = published(&cluster, asking.name(), 1).await;
    assert_eq!(
        (again["ca.crt"].as_str(), again["more"].as_str()),
        (data["ca.crt"].as_str(), "theirs")
    );
    cluster
        .bundles()
        .delete(BUNDLE, &kube::api::DeleteParams::default())
        .await
        .unwrap();
    bundle(&cluster, 1).await;

    // A namespace that asks later, with a ConfigMap of its own.
    let own = json!({"metadata": {"name": CONFIG_MAP}, "data": {"ca.crt": "own"}});
    let own = serde_json::from_value(own).unwrap();
    cluster
        .config_maps(other.name())
        .create(&PostParams::default(), &own)
        .await
        .unwrap();
    label(&cluster, other.name(), "countersign.dev/trust-bundle=enabled")
        .await
        .unwrap();
    cluster.until_told("True", "Signing", other.name()).await;
    let still = cluster.config_maps(other.name()).get(CONFIG_MAP).await.unwrap();
    assert_eq!(still.data.unwrap()["ca.crt"], "own");

    // And one that asks no more.
    label(&cluster, asking.name(), "countersign.dev/trust-bundle-")
        .await
        .unwrap();
    wait_for("the ConfigMap to go", Duration::from_secs(20), || async {
        let there = cluster.config_maps(asking.name()).get_opt(CONFIG_MAP).await?;
        ensure!(there.is_none(), "it is there");
        Ok(())
    })
    .await
    .unwrap();
    assert!(
        cluster
            .config_maps(other.name())
            .get_opt(CONFIG_MAP)
            .await
            .unwrap()
            .is_some()
    );
    label(&cluster, other.name(), "countersign.dev/trust-bundle-")
        .await
        .unwrap();
    signer.stop().await;
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_new_root_is_published_before_it_is_used() {
    let cluster = Cluster::turn().await;
    let asking = cluster
        .testbed
        .namespace("trusts", &[("countersign.dev/trust-bundle", "enabled")])
        .await
        .unwrap();
    let spec = json!({"intermediate": {"duration": "3h"}, "root": {"duration": "100h"}, "propagation": "6s"});
    cluster.ask(&spec, &json!({})).await;
    let signer = Signer::start(&cluster).await;
    published(&cluster, asking.name(), 1).await;
    let before = cluster.kept().await.unwrap();
    // No room for one more ConfigMap: a place that cannot be written.
    let full = cluster.testbed.namespace("full", &[]).await.unwrap();
    let quota = "{apiVersion: v1, kind: ResourceQuota, metadata: {name: none}, spec: {hard: {count/configmaps: '0'}}}";
    full.apply(quota).await.unwrap();
    let used = Patch::Merge(json!({"status": {"hard": {"count/configmaps": "0"}, "used": {"count/configmaps": "0"}}}));
    let quotas: kube::Api<k8s_openapi::api::core::v1::ResourceQuota> =
        kube::Api::namespaced(cluster.testbed.client(), full.name());
    quotas
        .patch_status("none", &PatchParams::default(), &used)
        .await
        .unwrap();
    label(&cluster, full.name(), "countersign.dev/trust-bundle=enabled")
        .await
        .unwrap();
    cluster.until_told("True", "Signing", full.name()).await;
    cluster.ask(&spec, &json!({"countersign.dev/rotate-root": "now"})).await;
    published(&cluster, asking.name(), 2).await;
    bundle(&cluster, 2).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(
        cluster.kept().await.unwrap().under(),
        before.under(),
        "one place does not hold the new root"
    );
    let status = cluster.until_told("True", "Signing", "exceeded quota").await;
    assert_eq!(status["phase"], "RootPublished");

    label(&cluster, full.name(), "countersign.dev/trust-bundle-")
        .await
        .unwrap();
    let noted = std::time::Instant::now();
    let kept = cluster
        .until_kept("the new root to be used", |kept| kept.under() != before.under())
        .await;
    assert!(
        noted.elapsed() > Duration::from_secs(5),
        "consumers had no time: {:?}",
        noted.elapsed()
    );
    assert_eq!(kept.roots().count(), 2);
    // The status follows what is kept.
    wait_for(
        "the status to name the root in use first",
        Duration::from_secs(40),
        || async {
            let object = cluster.authorities().get("countersign").await?;
            let first = &object.data["status"]["roots"][0]["sha256"];
            ensure!(first == kept.under().as_str(), "it is {first}");
            Ok(())
        },
    )
    .await
    .unwrap();
    let metrics = signer.ask("/metrics").await.unwrap();
    for line in [
        "countersign_ca_roots 2",
        "countersign_ca_steps_total{step=\"use-root\"}",
        "phase=\"RootInUse\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    signer.stop().await;
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn nobody_but_the_signer_may_read_the_authority() {
    let cluster = Cluster::turn().await;
    let signer = Signer::start(&cluster).await;
    // By its name, and by a list.
    let may = async |account: &str| {
        let user = format!("system:serviceaccount:{}:{account}", chart::NAMESPACE);
        let user =
            ApiUser::admin_of(&cluster.testbed, chart::NAMESPACE).impersonate(&user, &["system:serviceaccounts"]);
        let by_name = format!("/api/v1/{{ns}}/secrets/{SECRET}");
        let named = format!("/api/v1/{{ns}}/secrets?fieldSelector=metadata.name={SECRET}");
        let mut reads = false;
        for path in [&by_name, &named] {
            reads |= user.send("GET", path, "application/json", &Value::Null).await.is_ok();
        }
        reads
    };
    assert!(may("countersign-signer").await);
    chart::install_webhook_account(&cluster.testbed).await.unwrap();
    chart::allow_audit(&cluster.testbed, &[]).await.unwrap();
    chart::install_agent_account(&cluster.testbed).await.unwrap();
    chart::install_tokens_account(&cluster.testbed).await.unwrap();
    for other in [
        "countersign",
        "default",
        "countersign-webhook",
        "countersign-agent",
        "countersign-tokens",
    ] {
        assert!(!may(other).await, "{other} may");
    }
    // Only who turns the audit of Secrets on gives that away, as the values say.
    chart::allow_audit(&cluster.testbed, &[chart::AUDIT_ALL]).await.unwrap();
    let list = "/api/v1/{ns}/secrets";
    let webhook = format!("system:serviceaccount:{}:countersign-webhook", chart::NAMESPACE);
    let webhook = ApiUser::admin_of(&cluster.testbed, chart::NAMESPACE).impersonate(&webhook, &[]);
    assert!(
        webhook
            .send("GET", list, "application/json", &Value::Null)
            .await
            .is_ok()
    );
    signer.stop().await;
}
