//! The testbed that a test runs in.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};

use crate::audit::{self, Entry};
use crate::{Namespace, shell};

/// The cluster around this process.
#[derive(Clone)]
pub struct Testbed {
    client: kube::Client,
    data: PathBuf,
}

impl Testbed {
    /// The testbed that `testbed run`, or `testbed shell`, started this process in.
    pub async fn from_env() -> Result<Self> {
        let Some(data) = std::env::var_os("COUNTERSIGN_TESTBED") else {
            bail!(
                "COUNTERSIGN_TESTBED is not set: this test needs a cluster. Run it as \
                 `testbed run [--light|--istio] -- cargo test …`, or in `testbed shell` after `testbed up`"
            );
        };
        let data = PathBuf::from(data);
        let path = data.join("admin.kubeconfig");
        let config = Kubeconfig::read_from(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
        Ok(Self {
            client: kube::Client::try_from(config)?,
            data,
        })
    }

    /// A client with every right.
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// A client with every right that the audit log knows by `user_agent`.
    pub async fn client_named(&self, user_agent: &str) -> Result<kube::Client> {
        let config = Kubeconfig::read_from(self.data.join("admin.kubeconfig"))?;
        let mut config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
        config
            .headers
            .push((axum::http::header::USER_AGENT, user_agent.parse()?));
        Ok(kube::Client::try_from(config)?)
    }

    /// A client of whoever has this token.
    pub async fn client_by_token(&self, token: &str) -> Result<kube::Client> {
        let config = Kubeconfig::read_from(self.data.join("admin.kubeconfig"))?;
        let mut config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
        config.auth_info = AuthInfo {
            token: Some(token.to_owned().into()),
            ..AuthInfo::default()
        };
        Ok(kube::Client::try_from(config)?)
    }

    /// The version of `certificates.k8s.io` that has `PodCertificateRequest` and `ClusterTrustBundle`.
    pub async fn certificates_version(&self) -> Result<&'static str> {
        let minor = self.client.apiserver_version().await?.minor;
        Ok(if minor == "36" { "v1beta1" } else { "v1" })
    }

    /// The folder with the logs, the audit log, and the mesh's certificate authority.
    pub fn data(&self) -> &std::path::Path {
        &self.data
    }

    /// Whether there are controllers and a node, or only an API server.
    pub fn has_controllers(&self) -> bool {
        self.data.join("kubelet.yaml").exists()
    }

    /// A new namespace with a random name that begins with `prefix`.
    pub async fn namespace(&self, prefix: &str, labels: &[(&str, &str)]) -> Result<Namespace> {
        Namespace::create(self, prefix, labels).await
    }

    /// Every request that the API server has answered so far.
    pub fn audit(&self) -> Result<Vec<Entry>> {
        audit::read(&self.data.join("audit.log"))
    }

    /// Applies a manifest, as `kubectl apply --server-side` would.
    pub async fn apply(&self, manifest: &str) -> Result<()> {
        let file = self.data.join(format!("apply-{}.yaml", uuid::Uuid::new_v4().simple()));
        std::fs::write(&file, manifest)?;
        let result = self
            .kubectl(&["apply", "--server-side", "-f", &file.display().to_string()])
            .await;
        std::fs::remove_file(&file)?;
        result.map(drop)
    }

    /// Runs kubectl with every right and gives what it printed.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String> {
        let mut command = self.command("kubectl");
        command.args(args);
        tokio::task::spawn_blocking(move || shell::run(&mut command)).await?
    }

    /// A command that finds the cluster by itself.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("KUBECONFIG", self.data.join("admin.kubeconfig"));
        command
    }
}
