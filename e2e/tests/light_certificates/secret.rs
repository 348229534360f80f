//! Secrets, where an identity asks for one.

use std::time::Duration;

use anyhow::ensure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_runtime::clock;
use countersign_signer::authority::{Certificate, SKEW};
use countersign_signer::pem;
use countersign_signer::secret::{NOT_AFTER_ANNOTATION, REFRESH_ANNOTATION};
use e2e::wait_for;
use jiff::{SignedDuration, Timestamp};
use rcgen::KeyPair;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use x509_parser::prelude::{ASN1Time, FromDer as _, X509Certificate};

use crate::cluster::{IDENTITIES, Workloads};
use crate::signer::issued_at;

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
async fn a_secret_that_is_deleted_is_made_again() {
    let workloads = Workloads::new().await;
    let spec = json!({"delivery": ["Secret"], "secretName": "tls"});
    workloads.identity("api", spec).await;
    let path = format!("{SECRETS}/tls");
    let made = workloads.until("the Secret", &path, |_| true).await;
    workloads.namespace.kubectl(&["delete", "secret", "tls"]).await.unwrap();
    let again = workloads
        .until("another Secret", &path, |secret| {
            secret["metadata"]["uid"] != made["metadata"]["uid"]
        })
        .await;
    for entry in ["tls.key", "tls.crt"] {
        assert_ne!(again["data"][entry], made["data"][entry], "{entry} is a new one");
    }
    assert_eq!(again["data"]["ca.crt"], made["data"]["ca.crt"]);
    assert_eq!(
        again["metadata"]["ownerReferences"],
        made["metadata"]["ownerReferences"]
    );
}

impl Workloads {
    /// Puts what the signer would have issued at a time into the Secret, as it would have written it then.
    async fn issued_at(&self, path: &str, time: Timestamp) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let certificate = issued_at(self.namespace.name(), &key, time);
        let change = json!({
            "metadata": {"annotations": {
                REFRESH_ANNOTATION: certificate.refresh_at.to_string(),
                NOT_AFTER_ANNOTATION: certificate.not_after.to_string(),
            }},
            "data": {
                "tls.crt": STANDARD.encode(pem::certificates(&certificate.chain)),
                "tls.key": STANDARD.encode(key.serialize_pem()),
            },
        });
        self.admin.patch(path, &change).await.unwrap();
        certificate
    }

    /// Waits until a Secret has another certificate than this one; gives from when and until when that one holds.
    async fn renewed(&self, path: &str, old: &Certificate) -> (Timestamp, Timestamp) {
        let before = pem::certificates(&old.chain);
        // What is due is looked for every half minute.
        let secret = wait_for("the certificate to be renewed", Duration::from_mins(1), || async {
            let secret = self.get(path).await?;
            ensure!(text(&secret, "tls.crt") != before.as_bytes(), "it is the old one");
            Ok(secret)
        })
        .await
        .unwrap();
        let leaf = CertificateDer::from_pem_slice(&text(&secret, "tls.crt")).unwrap();
        let key = PrivateKeyDer::from_pem_slice(&text(&secret, "tls.key")).unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let pair = rustls::sign::CertifiedKey::from_der(vec![leaf.clone()], key, &provider).unwrap();
        pair.keys_match().unwrap();
        let (_, leaf) = X509Certificate::from_der(&leaf).unwrap();
        let validity = leaf.validity();
        let second = |time: &ASN1Time| Timestamp::from_second(time.timestamp()).unwrap();
        let annotation = &secret["metadata"]["annotations"][NOT_AFTER_ANNOTATION];
        assert_eq!(crate::cluster::time(annotation).unwrap(), second(&validity.not_after));
        (second(&validity.not_before), second(&validity.not_after))
    }
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_certificate_is_renewed_when_its_time_has_come_and_not_before() {
    let workloads = Workloads::new().await;
    let spec = json!({"delivery": ["Secret"], "secretName": "tls", "certificate": {"duration": "1h"}});
    workloads.identity("api", spec).await;
    let path = format!("{SECRETS}/tls");
    let made = workloads.until("the Secret", &path, |_| true).await;

    // Nobody touches anything between that and the renewal.
    let now = clock::now();
    let fresh = issued_at(workloads.namespace.name(), &KeyPair::generate().unwrap(), now);
    let wait = fresh.refresh_at.duration_since(now);
    let almost = now + SignedDuration::from_secs(10) - wait;
    let due = workloads.issued_at(&path, almost).await;
    assert!(
        due.refresh_at > clock::now() + SignedDuration::from_secs(5),
        "it is not due yet"
    );
    let (begins, ends) = workloads.renewed(&path, &due).await;
    assert!(
        begins + SKEW >= due.refresh_at,
        "it was renewed before its time: {begins}"
    );
    assert!(ends > due.not_after);

    // One whose time passed while no signer was there.
    let late = clock::now() + SignedDuration::from_mins(1) - fresh.not_after.duration_since(now);
    let ending = workloads.issued_at(&path, late).await;
    assert!(ending.not_after < clock::now() + SignedDuration::from_secs(61));
    let (_, ends) = workloads.renewed(&path, &ending).await;
    assert!(ends > clock::now() + SignedDuration::from_mins(50), "{ends}");
    let last = workloads.get(&path).await.unwrap();
    assert_eq!(last["metadata"]["uid"], made["metadata"]["uid"]);
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
