//! The signer as a process of the test, under the chart's service account.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{chart, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cluster::Cluster;

/// One replica.
pub struct Signer {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Signer {
    /// Starts a replica and waits until it can sign.
    pub async fn start(cluster: &Cluster) -> Self {
        let signer = Self::spawn(cluster, "one", 8091).await;
        signer.until("/readyz", "ok").await;
        signer
    }

    /// Starts a replica.
    pub async fn spawn(cluster: &Cluster, identity: &str, port: u16) -> Self {
        let log = cluster.testbed.data().join("signer.log");
        let kubeconfig = chart::kubeconfig_of(&cluster.testbed, "countersign-signer")
            .await
            .unwrap();
        let out = || Stdio::from(File::options().create(true).append(true).open(&log).unwrap());
        let child = Command::new(binary())
            .args(["--metrics-listen", &format!("127.0.0.1:{port}")])
            .args(["--namespace", chart::NAMESPACE, "--identity", identity])
            .env("KUBECONFIG", kubeconfig)
            .stdout(out())
            .stderr(out())
            .spawn()
            .with_context(|| {
                format!(
                    "{}: build it with `cargo build -p countersign-signer`",
                    binary().display()
                )
            })
            .unwrap();
        Self { child, port, log }
    }

    /// Waits until it answers this.
    pub async fn until(&self, path: &str, text: &str) {
        let what = format!("{path} of the signer to say {text}");
        wait_for(&what, Duration::from_secs(40), || async {
            let answer = self.ask(path).await?;
            ensure!(answer.contains(text), "it says {answer}");
            Ok(())
        })
        .await
        .unwrap();
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

    /// What all replicas logged.
    pub fn logged(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Tells it to end, and waits until it has.
    pub async fn stop(mut self) {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
        let ended = wait_for("the signer to stop", Duration::from_secs(10), || {
            let ended = self.child.try_wait().unwrap();
            async move { ended.context("it still runs") }
        })
        .await
        .unwrap();
        assert!(ended.success(), "it ended with {ended}");
    }
}

/// It ends at once, as if the machine had lost power.
impl Drop for Signer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.logged();
            let lines: Vec<_> = log.lines().collect();
            let end = lines.get(lines.len().saturating_sub(40)..).unwrap_or_default();
            eprintln!("--- the signer's log\n{}", end.join("\n"));
        }
    }
}

/// The signer as cargo built it, beside the test.
fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors()
        .nth(2)
        .unwrap_or(Path::new("."))
        .join("countersign-signer")
}
