//! What the machine must have before anything is built, with a plain message for each thing that is missing.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Scope;
use crate::shell;

/// What must exist: a program on `PATH` or a file, the Debian package that brings it, and the scope that needs it.
const NEEDED: &[(&str, &str, Scope)] = &[
    ("python3", "python3", Scope::Light),
    ("ip", "iproute2", Scope::Light),
    ("unshare", "util-linux", Scope::Light),
    ("setpriv", "util-linux", Scope::Light),
    ("mount", "mount", Scope::Light),
    ("cc", "gcc", Scope::Full),
    ("pkg-config", "pkg-config", Scope::Full),
    ("/usr/include/seccomp.h", "libseccomp-dev", Scope::Full),
    ("buildah", "buildah", Scope::Full),
    ("iptables", "iptables", Scope::Full),
    ("nft", "nftables", Scope::Full),
    ("debootstrap", "debootstrap", Scope::Istio),
];

/// Fails, with what to do about it, unless this process may create namespaces and mounts.
pub fn require_root() -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!(
            "a testbed needs root: it makes namespaces, mounts, cgroups and network devices of its own. Run this with sudo -E"
        );
    }
    Ok(())
}

pub(super) fn check(scope: Scope) -> Result<()> {
    require_root()?;
    if !on_path("go") {
        bail!("go is not on PATH: the cluster's programs are built from Go modules. Install Go 1.26 or newer");
    }
    let mut missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(thing, _, least)| *least <= scope && !exists(thing))
        .map(|(_, package, _)| *package)
        .collect();
    if shell::sh("python3", ["-m", "pip", "--version"]).is_err() {
        missing.push("python3-pip");
    }
    missing.dedup();
    if missing.is_empty() { Ok(()) } else { install(&missing) }
}

fn install(packages: &[&str]) -> Result<()> {
    if !on_path("apt-get") {
        bail!(
            "missing: {}. Install them (these are the names of Debian's packages)",
            packages.join(", ")
        );
    }
    eprintln!("installing missing Debian packages: {}", packages.join(" "));
    let mut apt = Command::new("apt-get");
    shell::run(apt.args(["update", "-qq"])).context("cannot refresh the list of Debian packages")?;
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive")
        .args(["install", "-y", "-qq", "--no-install-recommends"]);
    shell::run(apt.args(packages))
        .map(drop)
        .context("cannot install missing Debian packages")
}

fn exists(thing: &str) -> bool {
    if thing.starts_with('/') {
        Path::new(thing).exists()
    } else {
        on_path(thing)
    }
}

fn on_path(program: &str) -> bool {
    // Debian keeps several of these where only root's PATH looks.
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    path.split(':').any(|folder| Path::new(folder).join(program).is_file())
}
