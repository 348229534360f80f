//! A cgroup of its own for each testbed, in every hierarchy: otherwise one kubelet ends the Pods of another.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const MOUNT: &str = "/sys/fs/cgroup";

/// The leaf that our own processes live in; cgroup v2 allows processes in leaves only, and the kubelet adds siblings.
const OWN: &str = "testbed";

/// The top folder of each hierarchy: one with cgroup v2, one for each controller with v1.
fn hierarchies() -> Result<Vec<PathBuf>> {
    let mount = Path::new(MOUNT);
    if mount.join("cgroup.controllers").exists() {
        return Ok(vec![mount.to_owned()]);
    }
    let mut all = Vec::new();
    for entry in fs::read_dir(mount).with_context(|| format!("cannot read {MOUNT}"))? {
        let path = entry?.path();
        // cpu and cpuacct may be links to one hierarchy, which needs one cgroup only.
        if path.is_dir() && !path.is_symlink() && path.join("cgroup.procs").exists() {
            all.push(path);
        }
    }
    if all.is_empty() {
        bail!("no cgroups are mounted under {MOUNT}; the kubelet cannot run here");
    }
    Ok(all)
}

/// Makes the cgroup `name` and its leaf in every hierarchy.
pub(super) fn create(name: &str) -> Result<()> {
    for top in hierarchies()? {
        let mut parent = top;
        for step in [name, OWN] {
            let folder = parent.join(step);
            fs::create_dir(&folder).with_context(|| format!("cannot make the cgroup {}", folder.display()))?;
            // Empty at first, and a cgroup without processors takes no process.
            for file in ["cpuset.cpus", "cpuset.mems"] {
                if let Ok(value) = fs::read_to_string(parent.join(file)) {
                    let _ = fs::write(folder.join(file), value);
                }
            }
            delegate(&parent);
            parent = folder;
        }
    }
    Ok(())
}

/// Hands every controller on to the children of a v2 cgroup; v1 has nothing to do.
fn delegate(parent: &Path) {
    let Ok(controllers) = fs::read_to_string(parent.join("cgroup.controllers")) else {
        return;
    };
    for controller in controllers.split_whitespace() {
        let _ = fs::write(parent.join("cgroup.subtree_control"), format!("+{controller}"));
    }
}

/// Moves this process, and so whatever it starts, into the cgroup `name`.
pub(super) fn join(name: &str) -> Result<()> {
    for top in hierarchies()? {
        let procs = top.join(name).join(OWN).join("cgroup.procs");
        fs::write(&procs, "0").with_context(|| format!("cannot join {}", procs.display()))?;
    }
    Ok(())
}

/// Ends what is left in the cgroup `name` and removes it from every hierarchy.
pub(super) fn remove(name: &str, limit: Duration) -> Result<()> {
    let end = Instant::now() + limit;
    for top in hierarchies()? {
        let folder = top.join(name);
        while folder.exists() {
            kill_all(&folder);
            remove_tree(&folder);
            if Instant::now() > end {
                bail!("the cgroup {} is still in use", folder.display());
            }
            sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

fn kill_all(folder: &Path) {
    for child in children(folder) {
        kill_all(&child);
    }
    let pids = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    for pid in pids.lines().filter_map(|line| line.parse().ok()) {
        // 0 stands for a process of another PID namespace, and kill(0) would be ourselves.
        if pid > 0 {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

fn remove_tree(folder: &Path) {
    for child in children(folder) {
        remove_tree(&child);
    }
    let _ = fs::remove_dir(folder);
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_dir())
        .collect()
}
