//! Pods outside the mesh, with certificates that a real kubelet asked for and mounted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use e2e::{Request, Testbed, wait_for};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

use crate::issued::{SIGNER, until_told};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/mounted.yaml");

async fn exec(testbed: &Testbed, deployment: &str, command: &[&str]) -> anyhow::Result<String> {
    let pod = format!("deployment/{deployment}");
    let exec = ["--namespace", "ledger", "exec", &pod, "--"];
    testbed.kubectl(&[&exec, command].concat()).await
}

/// A client that trusts what the signer publishes, and has no certificate.
async fn anonymous(testbed: &Testbed) -> ClientConfig {
    let get = ["get", "clustertrustbundle", "countersign.dev:spiffe:cluster.local"];
    let get = [&get[..], &["-o", "jsonpath={.spec.trustBundle}"]].concat();
    let pem = testbed.kubectl(&get).await.unwrap();
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(root.unwrap()).unwrap();
    }
    assert!(!roots.is_empty());
    ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[tokio::test]
#[ignore = "needs testbed run --istio --countersign"]
async fn pods_speak_mutual_tls_with_what_the_kubelet_mounts() {
    let testbed = Testbed::from_env().await.unwrap();
    let _stays = SIGNER.read().await;
    let namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: ledger}}";
    testbed.apply(namespace).await.unwrap();
    testbed.kubectl(&["apply", "-f", EXAMPLE]).await.unwrap();
    for name in ["ledger", "auditor"] {
        let deployment = format!("deployment/{name}");
        let rollout = [
            "--namespace",
            "ledger",
            "rollout",
            "status",
            &deployment,
            "--timeout=90s",
        ];
        testbed.kubectl(&rollout).await.unwrap();
    }
    let ask = ["/echo", "client", "-v", "https://ledger.ledger.svc/entries"];
    let answer = wait_for("the ledger to answer", Duration::from_secs(30), || async {
        let answer = exec(&testbed, "auditor", &ask).await?;
        ensure!(answer.starts_with("200"), "{answer}");
        Ok(answer)
    })
    .await
    .unwrap();
    let (_, body) = answer.split_once('\n').unwrap();
    let seen: Value = serde_json::from_str(body).unwrap();
    assert_eq!(seen["peer"], "spiffe://cluster.local/ns/ledger/sa/auditor");

    // Who trusts the server and shows nothing gets nothing.
    let get = ["--namespace", "ledger", "get", "pods", "-l", "app=ledger"];
    let get = [&get[..], &["-o", "jsonpath={.items[0].status.podIP}"]].concat();
    let address = testbed.kubectl(&get).await.unwrap();
    let address = SocketAddr::new(address.trim().parse().unwrap(), 8443);
    let answer = Request::get("/entries")
        .send_tls(address, "ledger.ledger.svc", anonymous(&testbed).await)
        .await;
    assert!(answer.is_reset(), "{answer:?}");

    for name in ["ledger", "auditor"] {
        let status = until_told(&testbed, "ledger", name, |status| status["live"] == 1).await;
        assert_eq!(status["delivery"], serde_json::json!(["PodCertificate"]));
        assert_eq!(
            status["spiffeId"],
            format!("spiffe://cluster.local/ns/ledger/sa/{name}")
        );
    }
}

const UNKNOWN: &str = "
apiVersion: v1
kind: Pod
metadata: {name: nobody}
spec:
  containers:
  - name: echo
    image: localhost/echo:1
    imagePullPolicy: Never
    volumeMounts: [{name: identity, mountPath: /identity}]
  volumes:
  - name: identity
    projected:
      sources:
      - podCertificate: {signerName: countersign.dev/spiffe, keyType: ECDSAP256, credentialBundlePath: credential.pem}
";

#[tokio::test]
#[ignore = "needs testbed run --istio --countersign"]
async fn a_pod_without_an_identity_does_not_start_and_is_told_why() {
    let testbed = Testbed::from_env().await.unwrap();
    let namespace = testbed.namespace("nobody", &[]).await.unwrap();
    namespace.apply(UNKNOWN).await.unwrap();
    let what = "the request to be denied";
    wait_for(what, Duration::from_mins(1), || async {
        let get = ["get", "podcertificaterequests", "-o", "json"];
        let list: Value = serde_json::from_str(&namespace.kubectl(&get).await?)?;
        let condition = &list["items"][0]["status"]["conditions"][0];
        ensure!(condition["type"] == "Denied", "it says {condition}");
        ensure!(condition["reason"] == "NoServiceIdentity", "it says {condition}");
        Ok(())
    })
    .await
    .unwrap();
    let phase = ["get", "pod", "nobody", "-o", "jsonpath={.status.phase}"];
    assert_eq!(namespace.kubectl(&phase).await.unwrap().trim(), "Pending");
}
