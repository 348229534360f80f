//! Istio, from its own charts.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::diagnosis::kubectl;
use super::{MeshAuthority, Plan, harness, mesh_ca};
use crate::shell;

/// What istiod must be told here. Its own Envoy has filters that Envoy as published has not; istiod must not send them.
const SETTINGS: &[(&str, &str)] = &[
    ("pilot.image", "localhost/pilot:1"),
    ("pilot.resources.requests.cpu", "10m"),
    ("pilot.resources.requests.memory", "64Mi"),
    ("pilot.autoscaleEnabled", "false"),
    ("global.hub", "localhost"),
    ("global.tag", "1"),
    ("global.proxy.image", "proxyv2"),
    ("global.proxy.resources.requests.cpu", "10m"),
    ("global.proxy.resources.requests.memory", "32Mi"),
    ("global.proxy_init.image", "proxyv2"),
    ("global.imagePullPolicy", "Never"),
    ("telemetry.enabled", "false"),
];

/// The same for settings that are text although they look like something else.
const TEXT_SETTINGS: &[(&str, &str)] = &[
    ("pilot.env.PILOT_ENABLE_METADATA_EXCHANGE", "false"),
    ("pilot.env.PILOT_ENABLE_ALPN_FILTER", "false"),
    ("pilot.env.PILOT_DISABLE_MX_ALPN", "true"),
];

/// Installs the Gateway API, the mesh's certificate authority, and istiod.
pub(super) async fn install(plan: &Plan) -> Result<()> {
    let plan = plan.clone();
    tokio::task::spawn_blocking(move || {
        // istiod looks for the Gateway API once, when it starts.
        let crds = plan.tools.share("gateway-api")?;
        kubectl(&plan, &["apply", "--server-side", "-f", &crds.display().to_string()])?;
        kubectl(&plan, &["create", "namespace", "istio-system"])?;
        let charts = plan.tools.share("charts")?;
        helm(&plan, "istio-base", &charts.join("base"), &[])?;
        let mut settings: Vec<String> = SETTINGS
            .iter()
            .map(|(key, value)| format!("--set={key}={value}"))
            .collect();
        settings.extend(
            TEXT_SETTINGS
                .iter()
                .map(|(key, value)| format!("--set-string={key}={value}")),
        );
        match plan.mesh_authority {
            MeshAuthority::Istiod => plug_in(&plan)?,
            MeshAuthority::Countersign => {
                countersign(&plan)?;
                settings.push(format!("--values={}", example("istiod-values.yaml")));
            }
        }
        helm(
            &plan,
            "istiod",
            &charts.join("istio-control/istio-discovery"),
            &settings,
        )?;
        rollout(&plan, "istio-system", "istiod").context("istiod does not come up")
    })
    .await?
}

/// Has Countersign's signer be the authority of the mesh, as its documentation tells a person to.
fn countersign(plan: &Plan) -> Result<()> {
    let mut install = Command::new(checkout("scripts/install-chart"));
    harness::environment(&mut install, &plan.data, &plan.tools.path());
    install.args(["--values", &example("countersign-values.yaml")]);
    shell::run(&mut install).context("Countersign does not come up")?;
    kubectl(plan, &["apply", "-f", &example("istiod-identity.yaml")])?;
    let namespace = ["--namespace", "istio-system"];
    let written = ["wait", "secret/istiod-tls", "--for=create", "--timeout=60s"];
    kubectl(plan, &[&namespace[..], &written].concat())
        .context("the signer wrote no certificate for istiod")
        .map(drop)
}

fn checkout(path: &str) -> String {
    format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))
}

fn example(name: &str) -> String {
    checkout(&format!("examples/istio/{name}"))
}

fn rollout(plan: &Plan, namespace: &str, deployment: &str) -> Result<()> {
    let deployment = format!("deployment/{deployment}");
    let arguments = ["rollout", "status", "-n", namespace, &deployment, "--timeout=90s"];
    kubectl(plan, &arguments).map(drop)
}

/// Gives istiod an authority that the tests know too.
fn plug_in(plan: &Plan) -> Result<()> {
    let folder = plan.data.join("mesh-ca");
    mesh_ca::write(&folder)?;
    let mut args = vec![
        "create".to_owned(),
        "secret".to_owned(),
        "generic".to_owned(),
        "cacerts".to_owned(),
    ];
    args.extend(["-n".to_owned(), "istio-system".to_owned()]);
    for entry in fs::read_dir(&folder)? {
        args.push(format!("--from-file={}", entry?.path().display()));
    }
    kubectl(plan, &args.iter().map(String::as_str).collect::<Vec<_>>()).map(drop)
}

fn helm(plan: &Plan, release: &str, chart: &Path, settings: &[String]) -> Result<()> {
    let mut helm = Command::new(plan.tools.bin("helm")?);
    harness::environment(&mut helm, &plan.data, &plan.tools.path());
    helm.args(["install", release])
        .arg(chart)
        .args(["--namespace", "istio-system"])
        .args(settings);
    shell::run(&mut helm).map(drop)
}
