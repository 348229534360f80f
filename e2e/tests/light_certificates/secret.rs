//! Secrets, where an identity asks for one.

use std::time::Duration;

use anyhow::ensure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use e2e::wait_for;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use crate::cluster::{IDENTITIES, Workloads};

const SECRETS: &str = "/api/v1/{ns}/secrets";

fn text(secret: &Value, key: &str) -> Vec<u8> {
    STANDARD.decode(secret["data"][key].as_str().unwrap()).unwrap()
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_secret_is_made_changed_and_removed_with_what_asks_for_it() {
    let workloads = Workloads::new().await;
    let spec = json!({"delivery": ["Secret"], "secretName": "tls", "certificate": {"duration": "2h"}});
    let identity = workloads.identity("api", spec).await;
    let path = format!("{SECRETS}/tls");
    let made = workloads.until("the Secret", &path, |_| true).await;
    assert_eq!(made["type"], "kubernetes.io/tls");
    assert_eq!(
        made["metadata"]["ownerReferences"][0]["uid"],
        identity["metadata"]["uid"]
    );
    let root = CertificateDer::from_pem_slice(&text(&made, "ca.crt")).unwrap();
    assert_eq!(root, workloads.root);
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&text(&made, "tls.crt"))
        .collect::<Result<_, _>>()
        .unwrap();
    let key = PrivateKeyDer::from_pem_slice(&text(&made, "tls.key")).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let key = rustls::sign::CertifiedKey::from_der(chain, key, &provider).unwrap();
    key.keys_match().unwrap();

    let status = format!("{IDENTITIES}/api");
    let (reason, message) = workloads.condition(&status, "KeyAtRest", "True").await;
    assert_eq!(reason, "Secret");
    assert!(message.contains("at rest in etcd"), "{message}");

    let profile = json!({"spec": {"certificate": {"usages": ["ClientAuth"]}}});
    workloads.admin.patch(&status, &profile).await.unwrap();
    let renewed = workloads
        .until("another key", &path, |secret| {
            secret["data"]["tls.key"] != made["data"]["tls.key"]
        })
        .await;
    assert_eq!(renewed["metadata"]["uid"], made["metadata"]["uid"]);

    let without = json!({"spec": {"delivery": ["PodCertificate"], "secretName": null}});
    workloads.admin.patch(&status, &without).await.unwrap();
    wait_for("the Secret to be gone", Duration::from_secs(20), || async {
        ensure!(workloads.get(&path).await.is_err());
        Ok(())
    })
    .await
    .unwrap();
    let (reason, _) = workloads.condition(&status, "KeyAtRest", "False").await;
    assert_eq!(reason, "NoSecret");
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn anothers_secret_is_left_alone() {
    let workloads = Workloads::new().await;
    let foreign = json!({"metadata": {"name": "tls"}, "stringData": {"mine": "1"}});
    let foreign = workloads.admin.create(SECRETS, &foreign).await.unwrap();
    workloads
        .identity("api", json!({"delivery": ["Secret"], "secretName": "tls"}))
        .await;
    let status = format!("{IDENTITIES}/api");
    let said = |object: &Value| {
        crate::cluster::condition(object, "KeyAtRest").is_some_and(|condition| condition["reason"] == "SecretNotOwned")
    };
    workloads.until("the condition", &status, said).await;
    let there = workloads.get(&format!("{SECRETS}/tls")).await.unwrap();
    assert_eq!(
        there["metadata"]["resourceVersion"],
        foreign["metadata"]["resourceVersion"]
    );
}
