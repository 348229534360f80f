//! Pods of the API server, their tokens, and a signer that asks it about them.

use std::sync::Arc;

use anyhow::Result;
use countersign_signer::istio::kubernetes::Kubernetes;
use countersign_signer::istio::{Account, Settings};
use e2e::{Namespace, Testbed, chart};
use kube::config::{KubeConfigOptions, Kubeconfig};
use rcgen::CertificateParams;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tonic::Code;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::support::{Client, Signer, Unread, World, connect, csr, message};

static RIGHTS: OnceCell<()> = OnceCell::const_new();

/// A signer, and a namespace of Pods.
pub struct Mesh {
    pub namespace: Namespace,
    signer: Signer,
    client: Client,
    node: String,
}

impl Mesh {
    /// Starts one. `proxy` in its namespace is the account of the nodes' proxies.
    pub async fn start() -> Self {
        let testbed = Testbed::from_env().await.unwrap();
        RIGHTS.get_or_init(|| rights(&testbed)).await;
        let namespace = testbed.namespace("istio-ca", &[]).await.unwrap();
        let settings = Settings::new("cluster.local".parse().unwrap()).with_node_accounts([Account {
            namespace: namespace.name().to_owned(),
            name: "proxy".to_owned(),
        }]);
        let cluster = Kubernetes::new(as_signer(&testbed).await.unwrap());
        let signer = Signer::serve(settings, cluster, &World::default(), Arc::new(Unread))
            .await
            .unwrap();
        let client = connect(signer.address, &signer.ca.root).await.unwrap();
        let node = format!("node-of-{}", namespace.name());
        let mesh = Self {
            namespace,
            signer,
            client,
            node,
        };
        for account in ["web", "admin", "proxy"] {
            mesh.apply(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account}}))
                .await;
        }
        mesh
    }

    /// A node's name that no other test has.
    pub fn node(&self, name: &str) -> String {
        format!("{name}-{}", self.node)
    }

    /// Makes a Pod, as if a scheduler had put it on a node.
    pub async fn pod(&self, name: &str, account: &str, node: &str) {
        let node = self.node(node);
        self.apply(&json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {
                "serviceAccountName": account, "nodeName": node, "automountServiceAccountToken": false,
                "tolerations": [{"operator": "Exists"}], "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "app", "image": "app"}],
            },
        }))
        .await;
    }

    /// A token of a Pod.
    pub async fn token(&self, account: &str, pod: &str) -> String {
        self.token_with(
            account,
            &[
                "--audience=istio-ca",
                "--bound-object-kind=Pod",
                &format!("--bound-object-name={pod}"),
            ],
        )
        .await
    }

    /// A token, as asked for.
    pub async fn token_with(&self, account: &str, arguments: &[&str]) -> String {
        self.namespace.account_token(account, arguments).await.unwrap()
    }

    /// Deletes a Pod at once.
    pub async fn delete(&self, pod: &str) {
        let arguments = ["delete", "pod", pod, "--grace-period=0", "--force", "--wait=true"];
        self.namespace.kubectl(&arguments).await.unwrap();
    }

    /// Asks for a certificate; gives the URIs in it.
    pub async fn ask(&self, token: &str, on_behalf_of: Option<&str>) -> Result<Vec<String>, (Code, String)> {
        let csr = csr(&CertificateParams::default()).unwrap().0;
        self.ask_with(token, &csr, on_behalf_of).await
    }

    /// The same for a certification request of one's own.
    pub async fn ask_with(
        &self,
        token: &str,
        csr: &str,
        on_behalf_of: Option<&str>,
    ) -> Result<Vec<String>, (Code, String)> {
        let request = message(token, csr, 3600, on_behalf_of).unwrap();
        let answer = self.client.clone().create_certificate(request).await;
        let texts = answer.map_err(|status| (status.code(), status.message().to_owned()))?;
        let leaf = CertificateDer::from_pem_slice(texts.into_inner().cert_chain[0].as_bytes()).unwrap();
        let (_, leaf) = X509Certificate::from_der(&leaf).unwrap();
        assert!(!leaf.is_ca());
        let names = &leaf.subject_alternative_name().unwrap().unwrap().value.general_names;
        Ok(names.iter().map(ToString::to_string).collect())
    }

    /// An account's identity as it stands in a certificate.
    pub fn name_of(&self, account: &str) -> String {
        format!("URI({})", self.namespace.spiffe_id(account))
    }

    async fn apply(&self, object: &Value) {
        self.namespace.apply(&object.to_string()).await.unwrap();
    }
}

/// The chart's rights, and no others.
async fn rights(testbed: &Testbed) {
    chart::install_kinds(testbed).await.unwrap();
    chart::install_signer_account(testbed, &[]).await.unwrap();
}

async fn as_signer(testbed: &Testbed) -> Result<kube::Client> {
    let config = Kubeconfig::read_from(testbed.data().join("admin.kubeconfig"))?;
    let mut config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
    config.auth_info.impersonate = Some(chart::SIGNER_USER.to_owned());
    Ok(kube::Client::try_from(config)?)
}
