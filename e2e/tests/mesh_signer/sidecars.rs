//! Sidecars and gateways get their certificates from the signer, and policies hold on those identities.

use std::time::Duration;

use anyhow::ensure;
use e2e::{Namespace, ProxyCertificate, Request, Running, Testbed, Workload, bare_serial, wait_for};

use crate::issued::{SIGNER, until_told};

const POLICY: &str = "
apiVersion: countersign.dev/v1alpha1
kind: ServiceIdentity
metadata: {name: orders}
spec: {serviceAccountName: orders}
---
apiVersion: countersign.dev/v1alpha1
kind: ServiceIdentity
metadata: {name: api}
spec: {serviceAccountName: api}
---
apiVersion: countersign.dev/v1alpha1
kind: ApiAuthPolicy
metadata: {name: api}
spec:
  targetRefs: [{kind: Service, name: api}]
  credentials: {mutualTls: {}}
  rules:
  - name: orders-reads
    operations: [{methods: [GET], paths: [{prefix: /v1/charges}]}]
    callers: [{serviceIdentity: {name: orders}}]
";

async fn until(namespace: &Namespace, caller: &Running, url: &str, status: &str) {
    let what = format!("{} to be answered {status} at {url}", caller.name);
    wait_for(&what, Duration::from_secs(40), || async {
        let got = namespace.call_from(caller, url, &[]).await?;
        ensure!(got == status, "it is answered {got}");
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
#[ignore = "needs testbed run --istio --countersign"]
async fn policies_hold_on_identities_that_the_signer_gave() {
    let testbed = Testbed::from_env().await.unwrap();
    let _stays = SIGNER.read().await;
    let namespace = testbed
        .namespace("signed", &[("istio-injection", "enabled")])
        .await
        .unwrap();
    namespace.apply(POLICY).await.unwrap();
    let mut running = Vec::new();
    for name in ["api", "orders", "stranger"] {
        running.push(namespace.deploy(&Workload::echo(name)).await.unwrap());
    }
    let [api, orders, stranger] = &running[..] else {
        unreachable!()
    };
    let wait = ["wait", "--for=condition=Ready", "apiauthpolicy/api", "--timeout=30s"];
    namespace.kubectl(&wait).await.unwrap();

    let charges = format!("{}/v1/charges", api.url);
    until(&namespace, stranger, &charges, "403").await;
    until(&namespace, orders, &charges, "200").await;
    until(&namespace, orders, &format!("{}/v1/refunds", api.url), "403").await;
    let plain = Request::get("/v1/charges").send_plain(api.address).await;
    assert!(plain.is_reset(), "{plain:?}");

    for workload in [api, orders] {
        let shown = ProxyCertificate::of(&namespace, &workload.pod).await.unwrap();
        assert_eq!(shown.uris, [namespace.spiffe_id(&workload.name)]);
        assert!(shown.roots > 0);
        let status = until_told(&testbed, namespace.name(), &workload.name, |status| {
            bare_serial(status["certificate"]["serialNumber"].as_str().unwrap_or_default()) == shown.serial
        })
        .await;
        assert_eq!(status["delivery"], serde_json::json!(["IstioCA"]), "{status}");
        assert_eq!(status["live"], 1, "{status}");
    }
    // None is needed: a mesh gives every service account an identity.
    let shown = ProxyCertificate::of(&namespace, &stranger.pod).await.unwrap();
    assert_eq!(shown.uris, [namespace.spiffe_id("stranger")]);
}

const GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: way-in}
spec:
  gatewayClassName: istio
  listeners: [{name: http, port: 80, protocol: HTTP}]
";

#[tokio::test]
#[ignore = "needs testbed run --istio --countersign"]
async fn a_gateway_gets_its_certificate_from_the_signer() {
    let testbed = Testbed::from_env().await.unwrap();
    let namespace = testbed.namespace("way-in", &[]).await.unwrap();
    namespace.apply(GATEWAY).await.unwrap();
    let label = "gateway.networking.k8s.io/gateway-name=way-in";
    let what = "the gateway to have a certificate";
    let shown = wait_for(what, Duration::from_mins(1), || async {
        let get = ["get", "pods", "-l", label, "-o", "jsonpath={.items[0].metadata.name}"];
        let pod = namespace.kubectl(&get).await?;
        ProxyCertificate::of(&namespace, pod.trim()).await
    })
    .await
    .unwrap();
    assert_eq!(shown.uris, [namespace.spiffe_id("way-in-istio")]);
}

#[tokio::test]
#[ignore = "needs testbed run --istio --countersign"]
async fn istiod_signs_nothing_and_serves_by_a_certificate_of_the_signer() {
    let testbed = Testbed::from_env().await.unwrap();
    let get = ["--namespace", "istio-system", "get", "secrets", "-o", "name"];
    let secrets = testbed.kubectl(&get).await.unwrap();
    assert!(secrets.contains("secret/istiod-tls"), "{secrets}");
    // Where istiod would keep a key to sign with.
    for key in ["secret/cacerts", "secret/istio-ca-secret"] {
        assert!(!secrets.contains(key), "{secrets}");
    }
}
