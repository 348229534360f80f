//! The one node: containerd, kubelet, kube-proxy, and the cluster's DNS.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::Api;
use serde_json::json;

use super::components::Components;
use super::network::{NODE, PODS};
use super::{Plan, control_plane};
use crate::shell;

const CONTAINERD: &str = "/run/containerd/containerd.sock";

/// Starts containerd and imports the images.
pub(super) async fn container_runtime(components: &Components<'_>, plan: &Plan) -> Result<()> {
    let config = plan.data.join("containerd.toml");
    fs::write(&config, containerd_config(plan)?)?;
    components.start("containerd", ["--config".as_ref(), config.as_os_str()])?;
    let ctr = plan.tools.bin("ctr")?;
    components
        .until("containerd", "it to answer", Duration::from_secs(30), || async {
            shell::run(Command::new(&ctr).args(["--address", CONTAINERD, "version"])).map(drop)
        })
        .await?;
    let imports = plan.images.iter().cloned().map(|image| {
        let ctr = ctr.clone();
        tokio::task::spawn_blocking(move || {
            let mut command = Command::new(ctr);
            command
                .args(["--address", CONTAINERD, "--namespace", "k8s.io", "images", "import"])
                .arg(&image);
            shell::run(&mut command)
                .map(drop)
                .with_context(|| format!("cannot import {}", image.display()))
        })
    });
    for import in futures::future::join_all(imports).await {
        import??;
    }
    Ok(())
}

/// Starts kubelet, kube-proxy and `CoreDNS` and waits until the node is ready.
pub(super) async fn node(components: &Components<'_>, plan: &Plan) -> Result<()> {
    let show = |name: &str| plan.data.join(name).display().to_string();
    fs::write(plan.data.join("kubelet.yaml"), kubelet_config(plan).to_string())?;
    components.start(
        "kubelet",
        [
            format!("--config={}", show("kubelet.yaml")),
            format!("--kubeconfig={}", show("kubelet.kubeconfig")),
            format!("--root-dir={}", show("kubelet")),
            format!("--cert-dir={}", show("kubelet/pki")),
            "--hostname-override=node-1".to_owned(),
            format!("--node-ip={NODE}"),
        ],
    )?;
    components.start(
        "kube-proxy",
        [
            format!("--kubeconfig={}", show("kube-proxy.kubeconfig")),
            "--hostname-override=node-1".to_owned(),
            "--proxy-mode=nftables".to_owned(),
            format!("--cluster-cidr={PODS}"),
            "--conntrack-max-per-core=0".to_owned(),
            "--conntrack-tcp-timeout-established=0s".to_owned(),
            "--conntrack-tcp-timeout-close-wait=0s".to_owned(),
        ],
    )?;
    dns(components, &plan.data)?;
    let nodes: Api<Node> = Api::all(control_plane::client(&plan.data).await?);
    components
        .until("kubelet", "its node to be ready", Duration::from_mins(1), || async {
            let node = nodes.get("node-1").await?;
            let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
            let ready = conditions
                .iter()
                .find(|condition| condition.type_ == "Ready")
                .context("no condition yet")?;
            anyhow::ensure!(ready.status == "True", "{}", ready.message.clone().unwrap_or_default());
            Ok(())
        })
        .await
}

/// Waits until a Pod may be made: none is admitted before its namespace has a service account, which the controller
/// manager makes some seconds after its start.
pub(super) async fn admits_pods(components: &Components<'_>, data: &Path) -> Result<()> {
    let accounts: Api<ServiceAccount> = Api::namespaced(control_plane::client(data).await?, "default");
    components
        .until(
            "kube-controller-manager",
            "a default service account",
            Duration::from_mins(1),
            || async { Ok(accounts.get("default").await.map(drop)?) },
        )
        .await
}

fn dns(components: &Components<'_>, data: &Path) -> Result<()> {
    let corefile = data.join("Corefile");
    let kubeconfig = data.join("coredns.kubeconfig");
    fs::write(
        &corefile,
        format!(
            ".:53 {{\n  bind {NODE}\n  errors\n  kubernetes cluster.local in-addr.arpa {{\n    kubeconfig {} testbed\n    \
             pods insecure\n    ttl 5\n  }}\n}}\n",
            kubeconfig.display()
        ),
    )?;
    components.start("coredns", ["-conf".as_ref(), corefile.as_os_str()])?;
    super::network::resolver(data)
}

fn kubelet_config(plan: &Plan) -> serde_json::Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", plan.cgroup),
        "failCgroupV1": false,
        "failSwapOn": false,
        "enforceNodeAllocatable": [],
        "localStorageCapacityIsolation": false,
        "containerRuntimeEndpoint": format!("unix://{CONTAINERD}"),
        "clusterDNS": [NODE],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        // The namespace is closed: only the API server can come here, and logs and exec need no certificate of it.
        "authentication": {"anonymous": {"enabled": true}, "webhook": {"enabled": false}},
        "authorization": {"mode": "AlwaysAllow"},
        "volumePluginDir": plan.data.join("kubelet/plugins"),
        "maxPods": 250,
        "syncFrequency": "10s",
        "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "serializeImagePulls": false,
        // Tests that kill a container again and again need not wait for minutes.
        "crashLoopBackOff": {"maxContainerRestartPeriod": "1s"},
        "registerNode": true,
    })
}

fn containerd_config(plan: &Plan) -> Result<String> {
    let cni = plan.data.join("cni");
    fs::create_dir_all(&cni)?;
    fs::write(cni.join("10-testbed.conflist"), cni_config(&plan.data).to_string())?;
    let bridge = plan.tools.bin("bridge")?;
    let bin = bridge.parent().context("the CNI plugins are in no folder")?;
    Ok(format!(
        r#"version = 3
root = "{root}"
state = "/run/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri"]

[grpc]
address = "{CONTAINERD}"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "localhost/pause:1"

[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true
disable_apparmor = true

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
BinaryName = "{runc}"
SystemdCgroup = false

[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["{bin}"]
conf_dir = "{cni}"
"#,
        root = plan.data.join("containerd").display(),
        runc = plan.tools.bin("runc")?.display(),
        bin = bin.display(),
        cni = cni.display(),
    ))
}

fn cni_config(data: &Path) -> serde_json::Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "testbed",
        "plugins": [{
            "type": "bridge",
            "bridge": "cs0",
            "isGateway": true,
            "hairpinMode": true,
            "ipam": {
                "type": "host-local",
                "dataDir": data.join("addresses"),
                "ranges": [[{"subnet": PODS, "rangeStart": "10.77.1.1", "gateway": NODE}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }],
    })
}
