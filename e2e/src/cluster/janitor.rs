//! The process that cleans up after a testbed, however it ended: it waits for its standard input to be closed, which
//! the kernel does even for a process that was killed.

use std::fs;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use super::cgroups;

const LIMIT: Duration = Duration::from_mins(1);

/// A janitor at work; dropping it closes its standard input and waits until all is clean.
pub(super) struct Janitor(Child);

impl Janitor {
    /// Starts the janitor of one testbed. Must be the first thing made, so that nothing is ever left.
    pub(super) fn start(data: &Path, cgroup: &str) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("janitor")
            .arg("--data")
            .arg(data)
            .args(["--cgroup", cgroup]);
        // A group of its own: Ctrl-C in a terminal must not end it.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null());
        Ok(Self(command.spawn().context("cannot start the janitor")?))
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// The janitor's work, as the hidden subcommand of that name.
pub fn run(data: &PathBuf, cgroup: &str) -> Result<()> {
    let mut ignored = Vec::new();
    std::io::stdin()
        .read_to_end(&mut ignored)
        .context("cannot wait for the testbed's end")?;
    cgroups::remove(cgroup, LIMIT)?;
    if data.exists() {
        fs::remove_dir_all(data).with_context(|| format!("cannot remove {}", data.display()))?;
    }
    Ok(())
}
