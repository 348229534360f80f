//! A program of the release, as a process of the benchmark.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Testbed, chart};

use crate::until;

const ADDRESS: &str = "127.0.0.1:8090";

/// One replica.
pub struct Process {
    child: Child,
    name: &'static str,
}

impl Process {
    /// Starts a replica of the operator.
    pub async fn operator(testbed: &Testbed) -> Result<Self> {
        Self::start(testbed, "countersign-operator", "countersign", "--listen").await
    }

    /// Starts a replica of the signer.
    pub async fn signer(testbed: &Testbed) -> Result<Self> {
        Self::start(testbed, "countersign-signer", "countersign-signer", "--metrics-listen").await
    }

    /// Starts a program under a service account of the chart.
    async fn start(testbed: &Testbed, name: &'static str, account: &str, listen: &str) -> Result<Self> {
        let log = std::fs::File::create(testbed.data().join(format!("{name}-bench.log")))?;
        let child = Command::new(binary(name)?)
            .args([listen, ADDRESS, "--namespace", chart::NAMESPACE, "--identity", "bench"])
            .env("KUBECONFIG", chart::kubeconfig_of(testbed, account).await?)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::from(log))
            .spawn()?;
        Ok(Self { child, name })
    }

    /// Waits until it leads, has read everything, and has nothing left to look at.
    pub async fn until_idle(&self) -> Result<()> {
        let lines = [
            "countersign_leader 1",
            "countersign_ready 1",
            "countersign_queue_depth 0",
        ];
        until("the operator to be idle", Duration::from_mins(5), async || {
            let metrics = ask("/metrics").await?;
            for line in lines {
                ensure!(metrics.lines().any(|of| of == line), "{line} is not in its metrics");
            }
            Ok(())
        })
        .await
    }

    /// Waits until it does its work.
    pub async fn until_ready(&self) -> Result<()> {
        let what = format!("{} to be ready", self.name);
        until(&what, Duration::from_mins(1), async || {
            let answer = ask("/readyz").await?;
            ensure!(answer.trim() == "ok", "it says {answer}");
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
            .with_context(|| format!("{} is gone", self.name))?;
        let kib: f64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
        Ok((kib / 1024.0 * 10.0).round() / 10.0)
    }

    /// The processor time that it took so far, in seconds (proc(5): utime and stime, in hundredths).
    pub fn processor(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(") ").context("no fields")?;
        let times = fields.split(' ').skip(11).take(2);
        let ticks = times.map(str::parse::<f64>).sum::<Result<f64, _>>()?;
        Ok(ticks / 100.0)
    }

    /// Tells it to end, and waits.
    pub async fn stop(mut self) -> Result<()> {
        let pid = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
        let name = self.name;
        let ended = tokio::task::spawn_blocking(move || self.child.wait()).await??;
        ensure!(ended.success(), "{name} ended with {ended}");
        Ok(())
    }
}

async fn ask(path: &str) -> Result<String> {
    let url = format!("http://{ADDRESS}{path}");
    let output = tokio::process::Command::new("curl")
        .args(["-s", "--max-time", "5", &url])
        .output()
        .await?;
    Ok(String::from_utf8(output.stdout)?)
}

/// A program as cargo built it for release.
fn binary(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let target = own
        .ancestors()
        .nth(2)
        .context("this program is not in a target folder")?;
    let binary = target.join("release").join(name);
    ensure!(
        binary.exists(),
        "{} is missing: cargo build --release -p {name}",
        binary.display()
    );
    Ok(binary)
}
