//! The programs that a cluster is made of: built from pinned Go modules and wheels, once, into the cache.

mod build;
mod families;
mod prerequisites;
mod wheels;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::cache::{self, Lock};
pub use prerequisites::require_root;

/// How much of a cluster is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// etcd and kube-apiserver.
    Light,
    /// A node that runs Pods.
    Full,
    /// A node that runs Pods, and Istio.
    Istio,
}

/// Where the tools of one scope are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tools {
    folders: Vec<PathBuf>,
}

impl Tools {
    /// The path of a program such as `kubelet`.
    pub fn bin(&self, name: &str) -> Result<PathBuf> {
        self.find(&Path::new("bin").join(name))
    }

    /// The path of a file or folder that came along with a module, such as `charts`.
    pub fn share(&self, name: &str) -> Result<PathBuf> {
        self.find(&Path::new("share").join(name))
    }

    /// A value for `PATH` in which the tools come first.
    pub fn path(&self) -> String {
        let mut folders: Vec<String> = self
            .folders
            .iter()
            .map(|folder| folder.join("bin").display().to_string())
            .collect();
        folders.push(std::env::var("PATH").unwrap_or_default());
        folders.join(":")
    }

    fn find(&self, name: &Path) -> Result<PathBuf> {
        self.folders
            .iter()
            .map(|folder| folder.join(name))
            .find(|path| path.exists())
            .with_context(|| format!("{} is not among the tools built for this testbed", name.display()))
    }
}

/// Checks what the machine must have and builds what is not in the cache; `kubernetes` chooses an older API server.
pub fn ensure(scope: Scope, kubernetes: Option<&str>) -> Result<Tools> {
    prerequisites::check(scope)?;
    let families = families::wanted(scope, kubernetes)?;
    let home = cache::root()?.join("tools");
    let mut places = vec![wheels::place(&home)?];
    for family in &families {
        places.push(build::place(family, &home)?);
    }
    // What is in the cache is whole, and needs no lock.
    if places.iter().all(|place| place.exists()) {
        eprintln!("testbed: every tool is in the cache");
        return Ok(Tools { folders: places });
    }
    let _lock = Lock::take("tools")?;
    let total = families
        .iter()
        .map(|family| family.packages.len().max(1))
        .sum::<usize>()
        + 1;
    let mut step = build::Progress::new(total);
    let mut folders = Vec::new();
    for family in &families {
        folders.push(build::family(family, &home, &mut step)?);
    }
    folders.push(wheels::ensure(&home, &mut step)?);
    Ok(Tools { folders })
}
