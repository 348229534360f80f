//! etcd, the API server, and the controllers that make it a cluster.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::components::Components;
use super::network::{NODE, PODS, SERVICES};

/// Starts etcd and the API server and waits until it answers.
pub(super) async fn api_server(components: &Components<'_>, data: &Path) -> Result<()> {
    let show = |name: &str| data.join(name).display().to_string();
    components.start(
        "etcd",
        [
            format!("--data-dir={}", show("etcd")),
            "--listen-client-urls=http://127.0.0.1:2379".to_owned(),
            "--advertise-client-urls=http://127.0.0.1:2379".to_owned(),
            "--listen-peer-urls=http://127.0.0.1:2380".to_owned(),
            "--unsafe-no-fsync".to_owned(),
        ],
    )?;
    let audit = json!({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
        "omitStages": ["RequestReceived"], "rules": [{"level": "Metadata"}],
    });
    fs::write(data.join("audit-policy.yaml"), audit.to_string())?;
    let mut flags = api_server_flags(&show);
    flags.extend(beta_certificates(&components.version("kube-apiserver")?));
    components.start("kube-apiserver", flags)?;
    let client = client(data).await?;
    components
        .until("kube-apiserver", "it to be ready", Duration::from_mins(1), || async {
            client.request_text(http_get("/readyz")?).await?;
            Ok(())
        })
        .await
}

fn api_server_flags(show: &impl Fn(&str) -> String) -> Vec<String> {
    vec![
        "--etcd-servers=http://127.0.0.1:2379".to_owned(),
        format!("--advertise-address={NODE}"),
        "--secure-port=6443".to_owned(),
        format!("--tls-cert-file={}", show("pki/apiserver.crt")),
        format!("--tls-private-key-file={}", show("pki/apiserver.key")),
        format!("--client-ca-file={}", show("pki/ca.crt")),
        format!("--token-auth-file={}", show("pki/tokens.csv")),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--enable-admission-plugins=NodeRestriction".to_owned(),
        "--allow-privileged=true".to_owned(),
        format!("--service-cluster-ip-range={SERVICES}"),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
        format!("--service-account-key-file={}", show("pki/service-accounts.pub")),
        format!(
            "--service-account-signing-key-file={}",
            show("pki/service-accounts.key")
        ),
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
        format!("--audit-policy-file={}", show("audit-policy.yaml")),
        format!("--audit-log-path={}", show("audit.log")),
        // A test counts requests in this file: it must hold all of them, at once, in one piece.
        "--audit-log-mode=blocking".to_owned(),
        "--audit-log-maxsize=100000".to_owned(),
        format!("--cert-dir={}", show("pki")),
    ]
}

/// What serves `PodCertificateRequest` and `ClusterTrustBundle` before they were there by themselves.
fn beta_certificates(version: &str) -> Vec<String> {
    if !version.contains("v1.36.") {
        return Vec::new();
    }
    vec![
        "--feature-gates=PodCertificateRequest=true,ClusterTrustBundle=true".to_owned(),
        "--runtime-config=certificates.k8s.io/v1beta1=true".to_owned(),
    ]
}

/// Starts the controller manager and the scheduler.
pub(super) fn controllers(components: &Components<'_>, data: &Path) -> Result<()> {
    let show = |name: &str| data.join(name).display().to_string();
    components.start(
        "kube-controller-manager",
        [
            format!("--kubeconfig={}", show("kube-controller-manager.kubeconfig")),
            format!(
                "--service-account-private-key-file={}",
                show("pki/service-accounts.key")
            ),
            format!("--root-ca-file={}", show("pki/ca.crt")),
            format!("--cluster-signing-cert-file={}", show("pki/ca.crt")),
            format!("--cluster-signing-key-file={}", show("pki/ca.key")),
            format!("--cluster-cidr={PODS}"),
            "--use-service-account-credentials=true".to_owned(),
            "--leader-elect=false".to_owned(),
            format!("--cert-dir={}", show("pki")),
        ],
    )?;
    components.start(
        "kube-scheduler",
        [
            format!("--kubeconfig={}", show("kube-scheduler.kubeconfig")),
            "--leader-elect=false".to_owned(),
            format!("--cert-dir={}", show("pki")),
        ],
    )
}

/// A client with every right.
pub(super) async fn client(data: &Path) -> Result<kube::Client> {
    let config = kube::config::Kubeconfig::read_from(data.join("admin.kubeconfig"))?;
    Ok(kube::Client::try_from(
        kube::Config::from_custom_kubeconfig(config, &kube::config::KubeConfigOptions::default()).await?,
    )?)
}

fn http_get(path: &str) -> Result<axum::http::Request<Vec<u8>>> {
    Ok(axum::http::Request::get(path).body(Vec::new())?)
}
