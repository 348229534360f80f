//! An intermediate that is brought.

use e2e::chart;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use serde_json::json;

use crate::cluster::Cluster;
use crate::process::Signer;

const NAME: &str = "from-vault";

struct Offline {
    root: String,
    issuer: Issuer<'static, KeyPair>,
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.use_authority_key_identifier_extension = true;
    params
}

impl Offline {
    fn new(name: &str) -> Self {
        let (params, key) = (authority(name), KeyPair::generate().unwrap());
        let root = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { root, issuer }
    }

    /// Puts an intermediate into the Secret, as cert-manager would.
    async fn brings(&self, cluster: &Cluster, roots: &str) {
        let key = KeyPair::generate().unwrap();
        let certificate = authority("intermediate").signed_by(&key, &self.issuer).unwrap();
        write(cluster, &certificate.pem(), &key.serialize_pem(), roots).await;
    }
}

async fn write(cluster: &Cluster, chain: &str, key: &str, roots: &str) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": chain, "tls.key": key, "ca.crt": roots},
    });
    let secret: Patch<serde_json::Value> = Patch::Apply(secret);
    let params = PatchParams::apply("cert-manager").force();
    let _: Secret = cluster.secrets().patch(NAME, &params, &secret).await.unwrap();
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn an_intermediate_is_taken_up_and_replaced_without_a_restart() {
    let cluster = Cluster::turn().await;
    let (vault, next) = (Offline::new("vault"), Offline::new("next"));
    let made = json!({"propagation": "3s"});
    cluster.ask(&made, &json!({})).await;
    let signer = Signer::start(&cluster).await;
    let own = cluster.kept().await.unwrap();

    let brought = json!({"propagation": "3s", "intermediate": {"secretName": NAME}});
    cluster.ask(&brought, &json!({})).await;
    cluster
        .until_told("True", "IntermediateRefused", "signer.intermediateSecrets")
        .await;
    chart::install_signer_account(&cluster.testbed, &["--set=signer.intermediateSecrets={from-vault}"])
        .await
        .unwrap();
    cluster.until_told("True", "IntermediateRefused", "there is none").await;

    vault.brings(&cluster, &vault.root).await;
    let first = cluster
        .until_kept("what is brought to sign", |kept| kept.under() != own.under())
        .await;
    assert_eq!(first.state["signing"]["origin"], "Brought");
    cluster.until_told("True", "Signing", "").await;

    // Nonsense changes nothing.
    write(&cluster, "nonsense", "nonsense", "nonsense").await;
    cluster.until_told("True", "IntermediateRefused", "tls.key").await;
    next.brings(&cluster, &vault.root).await;
    cluster.until_told("True", "IntermediateRefused", "not accepted").await;
    assert_eq!(cluster.kept().await.unwrap().signing(), first.signing());

    // A new root is distributed first.
    next.brings(&cluster, &format!("{}{}", vault.root, next.root)).await;
    let waiting = cluster
        .until_kept("the new root to be published", |kept| kept.roots().count() == 3)
        .await;
    assert_eq!(waiting.signing(), first.signing());
    let second = cluster
        .until_kept("the next one to sign", |kept| kept.signing() != first.signing())
        .await;
    assert_ne!(second.under(), first.under());
    signer.until("/readyz", "ok").await;
    signer.stop().await;
    let _ = cluster
        .secrets()
        .delete(NAME, &kube::api::DeleteParams::default())
        .await;
}
