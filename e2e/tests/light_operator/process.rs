//! The operator as a process of the test, under the chart's own service account.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{chart, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cluster::Cluster;

/// One replica.
pub struct Operator {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Operator {
    /// Starts a replica and waits until it has read the cluster.
    pub async fn start(cluster: &Cluster) -> Self {
        let operator = Self::spawn(cluster, "one", 8081).await;
        operator.until_ready().await;
        operator
    }

    /// Starts a replica.
    pub async fn spawn(cluster: &Cluster, identity: &str, port: u16) -> Self {
        let log = cluster.testbed.data().join(format!("operator-{identity}.log"));
        let kubeconfig = chart::kubeconfig(&cluster.testbed).await.unwrap();
        let child = Command::new(binary())
            .args([
                "--listen",
                &format!("127.0.0.1:{port}"),
                "--namespace",
                chart::NAMESPACE,
                "--identity",
                identity,
            ])
            .env("KUBECONFIG", kubeconfig)
            .env("RUST_LOG", "info,countersign_operator=debug")
            .stdout(Stdio::from(
                File::options().create(true).append(true).open(&log).unwrap(),
            ))
            .stderr(Stdio::from(
                File::options().create(true).append(true).open(&log).unwrap(),
            ))
            .spawn()
            .with_context(|| {
                format!(
                    "{} cannot be started; build it with `cargo build -p countersign-operator`",
                    binary().display()
                )
            })
            .unwrap();
        Self { child, port, log }
    }

    /// Waits until it has read the cluster.
    pub async fn until_ready(&self) {
        self.until("/readyz", "ok").await;
    }

    /// Waits until it leads.
    pub async fn until_leader(&self) {
        self.until("/metrics", "countersign_leader 1").await;
    }

    async fn until(&self, path: &str, text: &str) {
        wait_for(
            &format!("{path} of the operator to say {text}"),
            Duration::from_secs(40),
            || async {
                let answer = self.ask(path).await?;
                ensure!(
                    answer.contains(text),
                    "it says {}",
                    answer.lines().last().unwrap_or_default()
                );
                Ok(())
            },
        )
        .await
        .unwrap();
    }

    /// Whether it leads.
    pub async fn leads(&self) -> bool {
        self.ask("/metrics").await.unwrap().contains("countersign_leader 1")
    }

    /// How many writes it made, by its own account.
    pub async fn writes(&self) -> u64 {
        let metrics = self.ask("/metrics").await.unwrap();
        let lines = metrics
            .lines()
            .filter(|line| line.starts_with("countersign_api_writes_total"));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum()
    }

    /// What it answers.
    pub async fn ask(&self, path: &str) -> Result<String> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let output = tokio::process::Command::new("curl")
            .args(["-s", "--max-time", "5", &url])
            .output()
            .await?;
        ensure!(output.status.success(), "{url} does not answer");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Its resident memory in KiB.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Ends it at once, as if the machine had lost power.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Tells it to end, and waits until it has. Returns whether it ended well.
    pub async fn stop(mut self) -> bool {
        self.signal(Signal::SIGTERM);
        wait_for("the operator to stop", Duration::from_secs(10), || {
            let ended = self.child.try_wait().unwrap();
            async move { ended.context("it still runs") }
        })
        .await
        .unwrap()
        .success()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What it logged.
    pub fn logged(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.logged();
            let lines: Vec<_> = log.lines().collect();
            eprintln!(
                "--- the operator's log\n{}",
                lines[lines.len().saturating_sub(40)..].join("\n")
            );
        }
    }
}

/// The operator as cargo built it, beside the test.
fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors()
        .nth(2)
        .unwrap_or(Path::new("."))
        .join("countersign-operator")
}
