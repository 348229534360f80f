//! The network and the mounts inside the namespaces.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use nix::unistd::sethostname;

use crate::shell::sh;

/// The address of the node and of everything that runs on it.
pub(super) const NODE: &str = "10.77.0.1";
/// The addresses of Pods.
pub(super) const PODS: &str = "10.77.0.0/16";
/// The addresses of Services.
pub(super) const SERVICES: &str = "10.96.0.0/16";
/// Addresses that a test may bind, for backends without Pods: an `EndpointSlice` refuses loopback addresses.
const BINDABLE: &str = "10.78.0.0/16";

/// Makes the bridge that nodes and Pods share, with no way out.
pub(super) fn network() -> Result<()> {
    let node = format!("{NODE}/16");
    for line in [
        "link set lo up",
        "link add cs0 type bridge",
        &format!("addr add {node} dev cs0"),
        "link set cs0 up",
        "route add default dev cs0",
        &format!("route add local {BINDABLE} dev lo"),
    ] {
        sh("ip", line.split(' '))?;
    }
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("cannot allow forwarding")
}

/// Hides the host's run-time folders, so that two testbeds do not meet there.
pub(super) fn mounts() -> Result<()> {
    sethostname("node-1").context("cannot set the host name")?;
    // Containers may ask for mounts that propagate; within this mount namespace they may.
    sh("mount", ["--make-rshared", "/"])?;
    for folder in ["/run", "/var/log", "/var/lib/cni"] {
        fs::create_dir_all(folder)?;
        sh("mount", ["-t", "tmpfs", "tmpfs", folder])?;
    }
    Ok(())
}

/// Lets processes inside resolve the names of Services.
pub(super) fn resolver(data: &Path) -> Result<()> {
    let file = data.join("resolv.conf");
    fs::write(
        &file,
        format!("nameserver {NODE}\nsearch svc.cluster.local cluster.local\noptions ndots:5\n"),
    )?;
    let target = fs::canonicalize("/etc/resolv.conf").unwrap_or_else(|_| "/etc/resolv.conf".into());
    sh("mount", ["--bind".as_ref(), file.as_os_str(), target.as_os_str()]).map(drop)
}
