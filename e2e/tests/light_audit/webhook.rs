//! The webhook as a process of the test, under the chart's own service account.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{chart, wait_for};

use crate::cluster::Cluster;

/// The node's address, where the API server finds the webhook.
const NODE: &str = "10.77.0.1";
/// Where it answers.
const PORT: u16 = 9640;
/// Where it tells its metrics.
const METRICS: u16 = 9641;

/// One replica.
pub struct Webhook {
    child: Child,
    log: PathBuf,
}

impl Webhook {
    /// Starts it and waits until it has read everything once.
    pub async fn audits(cluster: &Cluster) -> Self {
        let webhook = Self::spawn(cluster).await;
        let what = "the audit to have read every kind";
        let complete = |metrics: &str| {
            let line = metrics
                .lines()
                .find(|line| line.starts_with("countersign_audit_complete_seconds "));
            line.is_some_and(|line| !line.ends_with(" 0"))
        };
        wait_for(what, Duration::from_mins(1), || async {
            ensure!(complete(&webhook.metrics().await?), "it has not");
            Ok(())
        })
        .await
        .unwrap();
        webhook
    }

    /// Starts it.
    pub async fn spawn(cluster: &Cluster) -> Self {
        let folder = cluster.testbed.data();
        let log = folder.join("audit-webhook.log");
        // The fingerprints of one test are those of the next, as those of one replica are those of another.
        let key = folder.join("audit-webhook.key");
        if !key.exists() {
            fs::write(&key, rand::random::<[u8; 32]>()).unwrap();
        }
        let kubeconfig = chart::kubeconfig_of(&cluster.testbed, "countersign-webhook")
            .await
            .unwrap();
        let child = Command::new(binary())
            .args(["--listen", &format!("0.0.0.0:{PORT}")])
            .args(["--metrics-listen", &format!("127.0.0.1:{METRICS}")])
            .args(["--configuration", "countersign-webhook", "--server-name", NODE])
            .args(["--identity", "audit", "--audit-secrets=true", "--fingerprint-key-file"])
            .arg(&key)
            .env("KUBECONFIG", kubeconfig)
            .env("RUST_LOG", "info,countersign_webhook=debug")
            .stdout(Stdio::from(File::create(&log).unwrap()))
            .stderr(Stdio::from(File::options().append(true).open(&log).unwrap()))
            .spawn()
            .with_context(|| format!("{} cannot be started; build it before", binary().display()))
            .unwrap();
        Self { child, log }
    }

    /// Where the API server asks it about own kinds.
    pub fn own_url() -> String {
        format!("https://{NODE}:{PORT}/validate-own")
    }

    /// Its metrics.
    pub async fn metrics(&self) -> Result<String> {
        self.ask("/metrics").await
    }

    /// Whether it is ready.
    pub async fn until_ready(&self) {
        wait_for("the webhook to be ready", Duration::from_secs(30), || async {
            let answer = self.ask("/readyz").await?;
            ensure!(answer == "ok", "it says {answer}");
            Ok(())
        })
        .await
        .unwrap();
    }

    async fn ask(&self, path: &str) -> Result<String> {
        let url = format!("http://127.0.0.1:{METRICS}{path}");
        let mut command = tokio::process::Command::new("curl");
        let output = command.args(["-s", "--max-time", "5", &url]).output().await?;
        ensure!(output.status.success(), "{url} does not answer");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// A number of its metrics, all labels together.
    pub async fn number(&self, name: &str) -> f64 {
        let metrics = self.metrics().await.unwrap();
        let lines = metrics.lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with([' ', '{']))
        });
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Its resident memory in KiB, now and at the most.
    pub fn resident(&self) -> (u64, u64) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let read = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        (read("VmRSS:"), read("VmHWM:"))
    }

    /// What it logged.
    pub fn logged(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.logged();
            let lines: Vec<_> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(40)..].join("\n");
            eprintln!("--- the webhook's log\n{last}");
        }
    }
}

/// The webhook as cargo built it, beside the test.
fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap_or(Path::new("."));
    folder.join("countersign-webhook")
}
