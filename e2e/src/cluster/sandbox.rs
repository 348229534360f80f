//! The outside of a testbed: its data folder, cgroups, namespaces and end.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::janitor::Janitor;
use super::{Plan, cgroups};
use crate::cache;

/// Where a running testbed is, for whoever wants to look into it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Whereabouts {
    /// The process to end when the testbed is to end.
    pub parent: u32,
    /// A process whose child is the first process of the namespaces.
    pub unshare: u32,
    /// The testbed's data folder.
    pub data: PathBuf,
    /// The value of `PATH` inside.
    pub path: String,
}

/// The places of one testbed; all of them go when this is dropped.
pub struct Sandbox {
    data: PathBuf,
    cgroup: String,
    _janitor: Janitor,
}

impl Sandbox {
    /// Makes the data folder and the cgroups.
    pub fn create() -> Result<Self> {
        let id = &uuid::Uuid::new_v4().simple().to_string()[..8];
        let data = cache::root()?.join("run").join(id);
        let cgroup = format!("countersign-{id}");
        let janitor = Janitor::start(&data, &cgroup)?;
        for folder in ["logs", "pki", "mesh-ca"] {
            fs::create_dir_all(data.join(folder))?;
        }
        cgroups::create(&cgroup)?;
        Ok(Self {
            data,
            cgroup,
            _janitor: janitor,
        })
    }

    /// The testbed's data folder.
    pub fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// The name of the testbed's cgroup.
    pub fn cgroup(&self) -> String {
        self.cgroup.clone()
    }

    /// Brings up `plan` inside and waits for its command; `tell` is given where it all is. Gives the exit code.
    ///
    /// To be called on the main thread: the death signal below is tied to the thread that starts the child.
    pub fn run(&self, plan: &Plan, tell: impl FnOnce(&Whereabouts) -> Result<()>) -> Result<u8> {
        let file = self.data.join("plan.json");
        fs::write(&file, serde_json::to_vec_pretty(plan)?)?;
        let mut child = self.unshare(&file.into_os_string())?;
        tell(&Whereabouts {
            parent: std::process::id(),
            unshare: child.id(),
            data: self.data.clone(),
            path: plan.tools.path(),
        })?;
        let status = child.wait().context("cannot wait for the testbed")?;
        let code = status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
        Ok(u8::try_from(code).unwrap_or(u8::MAX))
    }

    fn unshare(&self, plan: &OsString) -> Result<Child> {
        let mut command = Command::new("setpriv");
        command.args([
            "--pdeathsig",
            "KILL",
            "unshare",
            "--net",
            "--mount",
            "--pid",
            "--ipc",
            "--uts",
        ]);
        command.args(["--fork", "--kill-child", "--mount-proc"]);
        command.arg(std::env::current_exe()?).arg("init").arg(plan);
        command.env("COUNTERSIGN_TESTBED", &self.data);
        command.spawn().context("cannot start unshare")
    }
}
