//! The operator, as a process of the benchmark.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Testbed, chart};

use crate::until;

const PORT: u16 = 8090;

/// One replica.
pub struct Operator {
    child: Child,
}

impl Operator {
    /// Starts a replica under the chart's service account.
    pub async fn start(testbed: &Testbed, binary: &Path) -> Result<Self> {
        let log = std::fs::File::create(testbed.data().join("operator-bench.log"))?;
        let child = Command::new(binary)
            .args([
                "--listen",
                &format!("127.0.0.1:{PORT}"),
                "--namespace",
                chart::NAMESPACE,
                "--identity",
                "bench",
            ])
            .env("KUBECONFIG", chart::kubeconfig(testbed).await?)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::from(log))
            .spawn()?;
        Ok(Self { child })
    }

    /// Waits until it leads, has read everything, and has nothing left to look at.
    pub async fn until_idle(&self) -> Result<()> {
        until("the operator to be idle", Duration::from_mins(5), async || {
            let url = format!("http://127.0.0.1:{PORT}/metrics");
            let output = tokio::process::Command::new("curl")
                .args(["-s", "--max-time", "5", &url])
                .output()
                .await?;
            let metrics = String::from_utf8(output.stdout)?;
            for line in [
                "countersign_leader 1",
                "countersign_ready 1",
                "countersign_queue_depth 0",
            ] {
                ensure!(metrics.lines().any(|of| of == line), "{line} is not in its metrics");
            }
            Ok(())
        })
        .await
    }

    /// Its memory in MiB, by the name that the kernel gives it.
    pub fn memory(&self, what: &str) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find(|line| line.starts_with(what))
            .context("the operator is gone")?;
        let kib: f64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
        Ok((kib / 1024.0 * 10.0).round() / 10.0)
    }

    /// Tells it to end, and waits.
    pub async fn stop(mut self) -> Result<()> {
        let pid = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
        let ended = tokio::task::spawn_blocking(move || self.child.wait()).await??;
        ensure!(ended.success(), "the operator ended with {ended}");
        Ok(())
    }
}
