//! The inside of a testbed: the first process of the namespaces, and the harness that it starts.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::components::Components;
use super::stage::stage;
use super::{Plan, cgroups, control_plane, diagnosis, istio, network, node, pki};
use crate::tools::Scope;

/// The first process: starts the harness, and reaps whatever orphans (containers' shims) are handed to it meanwhile.
pub fn init(plan: &Path) -> Result<u8> {
    let harness = Command::new(std::env::current_exe()?)
        .arg("harness")
        .arg(plan)
        .spawn()?;
    let harness = Pid::from_raw(i32::try_from(harness.id())?);
    loop {
        match waitpid(None, None).context("cannot wait for children")? {
            WaitStatus::Exited(pid, code) if pid == harness => return Ok(u8::try_from(code).unwrap_or(u8::MAX)),
            WaitStatus::Signaled(pid, signal, _) if pid == harness => {
                return Ok(u8::try_from(128 + signal as i32).unwrap_or(u8::MAX));
            }
            _ => {}
        }
    }
}

/// Brings everything up, runs the command and explains its failure. Gives the exit code.
pub fn run(plan: &Path) -> Result<u8> {
    let plan: Plan = serde_json::from_slice(&fs::read(plan)?).context("cannot read the plan")?;
    cgroups::join(&plan.cgroup)?;
    let components = Components::new(&plan.tools, &plan.data);
    let runtime = tokio::runtime::Runtime::new()?;
    let up = runtime.block_on(stage("up", bring_up(&plan, &components)));
    if let Err(error) = up {
        eprintln!("{}", diagnosis::report(&plan, &components));
        return Err(error.context("the testbed did not come up"));
    }
    fs::write(plan.data.join("ready"), "")?;
    let status = command(&plan)?;
    if !status.success() {
        eprintln!("testbed: {:?} ended with {status}", plan.command);
        eprintln!("{}", diagnosis::report(&plan, &components));
    }
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    Ok(u8::try_from(code).unwrap_or(u8::MAX))
}

async fn bring_up(plan: &Plan, components: &Components<'_>) -> Result<()> {
    network::mounts()?;
    network::network()?;
    pki::write(&plan.data)?;
    if plan.scope == Scope::Light {
        return stage("API server", control_plane::api_server(components, &plan.data)).await;
    }
    // The node's container runtime needs no API server: it imports images while that starts.
    let (api, images) = tokio::join!(
        stage("API server", control_plane::api_server(components, &plan.data)),
        stage("images", node::container_runtime(components, plan)),
    );
    api?;
    images?;
    control_plane::controllers(components, &plan.data)?;
    stage("node", node::node(components, plan)).await?;
    if plan.scope == Scope::Istio {
        stage("istio", istio::install(plan)).await?;
    }
    stage("controllers", node::admits_pods(components, &plan.data)).await
}

fn command(plan: &Plan) -> Result<ExitStatus> {
    let (program, args) = plan.command.split_first().context("no command given")?;
    environment(Command::new(program).args(args), &plan.data, &plan.tools.path())
        .status()
        .with_context(|| format!("cannot start {program}"))
}

/// What a command that uses the testbed finds in its environment.
pub(super) fn environment<'a>(command: &'a mut Command, data: &Path, path: &str) -> &'a mut Command {
    command
        .env("KUBECONFIG", data.join("admin.kubeconfig"))
        .env("COUNTERSIGN_TESTBED", data)
        .env("PATH", path)
        .env("HELM_CACHE_HOME", data.join("helm"))
        .env("HELM_CONFIG_HOME", data.join("helm"))
        .env("HELM_DATA_HOME", data.join("helm"))
}
