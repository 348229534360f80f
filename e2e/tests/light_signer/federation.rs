//! A foreign trust domain: its bundle from a real endpoint to workloads, and what its object is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::routing::get;
use countersign_crds::FederatedTrustDomain;
use countersign_identity::Bundle;
use countersign_runtime::https::{Limits, PATIENCE, Server};
use countersign_runtime::tls::Current;
use e2e::{chart, wait_for};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::cluster::{Cluster, label};
use crate::process::Signer;

const LIMIT: Duration = Duration::from_secs(40);
const CONFIG_MAP: &str = "countersign-trust-bundle";
const BUNDLE: &str = "countersign.dev:federated:example.com";

fn ca(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// The bundle endpoint of `example.com`.
struct Peer {
    url: String,
    ca: String,
    answer: Arc<Mutex<String>>,
    stop: CancellationToken,
}

impl Peer {
    async fn start() -> Self {
        let ca = ca("web");
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &ca).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let current = Current::default();
        let certified = CertifiedKey::new(vec![certificate.der().clone()], any_ecdsa_type(&key).unwrap());
        current.set(Arc::new(certified));
        let limits = Limits {
            connections: 16,
            streams: 16,
            head: PATIENCE,
            age: None,
        };
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), &current, limits)
            .await
            .unwrap();
        let url = format!("https://{}/", server.address().unwrap());
        let answer = Arc::new(Mutex::new(String::new()));
        let told = Arc::clone(&answer);
        let router = Router::new().route("/", get(move || std::future::ready(told.lock().unwrap().clone())));
        let stop = CancellationToken::new();
        tokio::spawn(server.run(router, stop.clone()));
        let ca = ca.pem();
        Self { url, ca, answer, stop }
    }

    /// Publishes new roots. Gives them as PEM.
    fn publish(&self, roots: usize, sequence: u64) -> String {
        let mut bundle = Bundle::new("example.com".parse().unwrap());
        for root in 0..roots {
            bundle.add_pem(ca(&format!("root {root}")).pem().as_bytes()).unwrap();
        }
        bundle.sequence = Some(sequence);
        *self.answer.lock().unwrap() = bundle.to_jwks();
        bundle.to_pem()
    }
}

struct Objects(Api<FederatedTrustDomain>);

impl Objects {
    async fn apply(&self, name: &str, domain: &str, peer: &Peer, refresh: &str) {
        let object = json!({
            "apiVersion": "countersign.dev/v1alpha1", "kind": "FederatedTrustDomain",
            "metadata": {"name": name},
            "spec": {
                "trustDomain": domain, "refresh": refresh,
                "bundleEndpoint": {"url": peer.url, "caBundle": peer.ca},
            },
        });
        let params = PatchParams::apply("user").force();
        self.0.patch(name, &params, &Patch::Apply(object)).await.unwrap();
    }

    async fn delete(&self, name: &str) {
        self.0.delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Waits until an object is told this.
    async fn until(&self, name: &str, status: &str, reason: &str, roots: i64) -> Value {
        let what = format!("{name} to be Ready={status} ({reason}) with {roots} roots");
        wait_for(&what, LIMIT, || async {
            let object = self.0.get(name).await?;
            let told = serde_json::to_value(object.status.context("it has no status")?)?;
            let ready = &told["conditions"][0];
            ensure!(
                ready["status"] == status && ready["reason"] == reason && told["roots"] == roots,
                "it is {told}"
            );
            ensure!(
                told["observedGeneration"] == json!(object.metadata.generation),
                "it is {told}"
            );
            Ok(told)
        })
        .await
        .unwrap()
    }
}

/// Waits until the namespace has these foreign roots, and gives the ConfigMap's data.
async fn in_config_map(cluster: &Cluster, namespace: &str, pem: Option<&str>) -> BTreeMap<String, String> {
    wait_for("the foreign roots in the ConfigMap", LIMIT, || async {
        let there = cluster.config_maps(namespace).get(CONFIG_MAP).await?;
        let data = there.data.context("it is empty")?;
        let entry = data.get("federated.example.com.crt").map(String::as_str);
        ensure!(entry == pem, "they are {entry:?}");
        Ok(data)
    })
    .await
    .unwrap()
}

/// Waits until the cluster has these foreign roots.
async fn in_bundle(cluster: &Cluster, pem: Option<&str>) {
    wait_for("the foreign roots in the ClusterTrustBundle", LIMIT, || async {
        let there = cluster.bundles().get_opt(BUNDLE).await?;
        let spec = there.map(|there| there.data["spec"].clone()).unwrap_or_default();
        ensure!(spec["trustBundle"].as_str() == pem, "it is {spec}");
        ensure!(
            pem.is_none() || spec["signerName"] == "countersign.dev/federated",
            "it is {spec}"
        );
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_foreign_bundle_reaches_workloads_and_stays_while_its_endpoint_is_away() {
    let cluster = Cluster::turn().await;
    let objects = Objects(Api::all(cluster.testbed.client()));
    let asking = cluster
        .testbed
        .namespace("federates", &[("countersign.dev/trust-bundle", "enabled")])
        .await
        .unwrap();
    let peer = Peer::start().await;
    let pem = peer.publish(1, 5);
    objects.apply("partner", "example.com", &peer, "5m").await;
    let signer = Signer::start(&cluster).await;

    let told = objects.until("partner", "True", "Verifying", 1).await;
    assert_eq!((&told["sequence"], &told["jwtKeys"]), (&json!(5), &json!(0)));
    assert!(told["refreshedAt"].is_string(), "{told}");
    let data = in_config_map(&cluster, asking.name(), Some(&pem)).await;
    assert!(
        !data["ca.crt"].contains(pem.lines().nth(1).unwrap()),
        "it is not among the own roots"
    );
    let foreign = Bundle::from_jwks("example.com".parse().unwrap(), &data["federated.example.com.json"]).unwrap();
    assert_eq!(foreign.bundle.to_pem(), pem);
    let own = Bundle::from_jwks("cluster.local".parse().unwrap(), &data["bundle.json"]).unwrap();
    assert_eq!(own.bundle.jwt_keys().count(), 1, "the key of the own tokens");
    in_bundle(&cluster, Some(&pem)).await;

    // Nobody else speaks for it, and nobody at all for the own trust domain.
    objects.apply("second", "example.com", &peer, "5m").await;
    objects.apply("own", "cluster.local", &peer, "5m").await;
    objects.until("second", "False", "Conflicted", 0).await;
    objects.until("own", "False", "OwnTrustDomain", 0).await;

    // An older bundle is refused, a newer one taken. A change of the object is acted on at once.
    peer.publish(2, 4);
    objects.apply("partner", "example.com", &peer, "6m").await;
    objects.until("partner", "True", "SequenceWentBack", 1).await;
    let pem = peer.publish(2, 6);
    objects.apply("partner", "example.com", &peer, "7m").await;
    objects.until("partner", "True", "Verifying", 2).await;
    in_config_map(&cluster, asking.name(), Some(&pem)).await;
    in_bundle(&cluster, Some(&pem)).await;

    // Its endpoint goes away, and then the signer too.
    peer.stop.cancel();
    objects.apply("partner", "example.com", &peer, "8m").await;
    let told = objects.until("partner", "True", "Unreachable", 2).await;
    let message = told["conditions"][0]["message"].as_str().unwrap();
    assert!(message.contains("is stale since"), "{message}");
    let metrics = signer.ask("/metrics").await.unwrap();
    let failed = "countersign_federation_fetches_total{trust_domain=\"example.com\",outcome=\"Failed\"}";
    assert!(metrics.contains(failed), "{metrics}");
    signer.stop().await;
    let signer = Signer::start(&cluster).await;
    cluster
        .bundles()
        .delete(BUNDLE, &DeleteParams::default())
        .await
        .unwrap();
    in_bundle(&cluster, Some(&pem)).await;
    in_config_map(&cluster, asking.name(), Some(&pem)).await;

    // Nobody asks for it any more.
    for name in ["second", "own", "partner"] {
        objects.delete(name).await;
    }
    let data = in_config_map(&cluster, asking.name(), None).await;
    assert!(data.contains_key("ca.crt") && !data.contains_key("federated.example.com.json"));
    in_bundle(&cluster, None).await;
    let kept = cluster
        .config_maps(chart::NAMESPACE)
        .get("countersign-federation")
        .await
        .unwrap();
    assert!(kept.data.unwrap_or_default().is_empty());
    label(&cluster, asking.name(), "countersign.dev/trust-bundle-")
        .await
        .unwrap();
    signer.stop().await;
}
