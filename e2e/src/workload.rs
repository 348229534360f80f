//! Workloads in the cluster: a service account, a Deployment and a Service of one name.

use std::net::{IpAddr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::{Namespace, wait_for};

const LIMIT: Duration = Duration::from_secs(90);

/// What to deploy.
#[derive(Debug, Clone)]
pub struct Workload {
    name: String,
    image: String,
    port: u16,
    args: Vec<String>,
    labels: Vec<(String, String)>,
    annotations: Vec<(String, String)>,
    env: Vec<(String, String)>,
}

impl Workload {
    /// The test server, which answers 200 to everything and says what it saw.
    pub fn echo(name: &str) -> Self {
        Self::new(name, "localhost/echo:1", 8080)
    }

    /// A container of `image`, which listens on `port`.
    pub fn new(name: &str, image: &str, port: u16) -> Self {
        let (name, image) = (name.to_owned(), image.to_owned());
        Self {
            name,
            image,
            port,
            args: Vec::new(),
            labels: Vec::new(),
            annotations: Vec::new(),
            env: Vec::new(),
        }
    }

    /// Adds an argument of the container's program.
    #[must_use]
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// Adds a label to the Pod; `app` is its name already.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Adds an annotation to the Pod.
    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Sets a variable in the container's environment.
    #[must_use]
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.env.push((key.to_owned(), value.to_owned()));
        self
    }

    fn manifest(&self) -> Value {
        let name = &self.name;
        let map = |pairs: &[(String, String)]| -> Value {
            pairs
                .iter()
                .map(|(key, value)| (key.clone(), Value::from(value.clone())))
                .collect()
        };
        let mut labels = map(&self.labels);
        labels["app"] = json!(name);
        let env: Vec<Value> = self
            .env
            .iter()
            .map(|(key, value)| json!({"name": key, "value": value}))
            .collect();
        let container = json!({
            "name": "main", "image": self.image, "imagePullPolicy": "Never", "args": self.args, "env": env,
            "ports": [{"containerPort": self.port}],
            "readinessProbe": {"tcpSocket": {"port": self.port}, "periodSeconds": 1},
        });
        json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {
                "selector": {"app": name},
                "ports": [{"name": "http", "port": self.port, "targetPort": self.port}],
            }},
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": labels, "annotations": map(&self.annotations)},
                    "spec": {
                        "serviceAccountName": name,
                        "terminationGracePeriodSeconds": 0,
                        "containers": [container],
                    },
                },
            }},
        ]})
    }
}

/// A workload whose Pod is ready.
#[derive(Debug, Clone)]
pub struct Running {
    /// The workload's name, which its Service and service account have too.
    pub name: String,
    /// The Pod's name.
    pub pod: String,
    /// The Pod's own address.
    pub address: SocketAddr,
    /// The URL of the Service, for callers in the cluster.
    pub url: String,
}

/// What a command in a Pod did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// The exit code.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Namespace {
    /// Deploys `workload` and waits until its Pod is ready, sidecar and all.
    pub async fn deploy(&self, workload: &Workload) -> Result<Running> {
        self.apply(&workload.manifest().to_string()).await?;
        self.running(&workload.name, workload.port).await
    }

    /// Waits until a Pod labelled `app=NAME` is ready; for workloads that something else made, give their `port`.
    pub async fn running(&self, name: &str, port: u16) -> Result<Running> {
        let pods: Api<Pod> = Api::namespaced(self.testbed().client(), self.name());
        let params = ListParams::default().labels(&format!("app={name}"));
        let what = format!("a Pod of {name} in {} to be ready", self.name());
        let (pod, ip) = wait_for(&what, LIMIT, || async {
            let list = pods.list(&params).await?;
            list.items.iter().find_map(ready).with_context(|| states(&list.items))
        })
        .await?;
        let url = format!("http://{name}.{}.svc.cluster.local:{port}", self.name());
        Ok(Running {
            name: name.to_owned(),
            pod,
            address: SocketAddr::new(ip, port),
            url,
        })
    }

    /// Runs a command in a Pod's container, with `container` such as `main` or `istio-proxy`.
    pub async fn exec(&self, pod: &str, container: &str, command: &[&str]) -> Result<Executed> {
        let mut kubectl = tokio::process::Command::from(self.testbed().command("kubectl"));
        kubectl
            .args(["--namespace", self.name(), "exec", pod, "--container", container, "--"])
            .args(command);
        let output = kubectl.stdin(Stdio::null()).output();
        let output = tokio::time::timeout(LIMIT, output)
            .await
            .context("the command in the Pod does not end")??;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        let code = output.status.code().unwrap_or(-1);
        Ok(Executed {
            code,
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        })
    }

    /// Sends a request from inside a Pod of the test server's image; gives the status code, or `reset`.
    pub async fn call_from(&self, caller: &Running, url: &str, options: &[&str]) -> Result<String> {
        let mut command = vec!["/echo", "client"];
        command.extend(options);
        command.push(url);
        let executed = self.exec(&caller.pod, "main", &command).await?;
        anyhow::ensure!(
            !executed.stdout.is_empty(),
            "no answer from the client in the Pod: {}",
            executed.stderr
        );
        Ok(executed.stdout)
    }
}

/// The name and address of a Pod that is ready and not on its way out.
fn ready(pod: &Pod) -> Option<(String, IpAddr)> {
    let status = pod.status.as_ref()?;
    let ready = status
        .conditions
        .iter()
        .flatten()
        .any(|one| one.type_ == "Ready" && one.status == "True");
    if !ready || pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    Some((pod.metadata.name.clone()?, status.pod_ip.as_ref()?.parse().ok()?))
}

fn states(pods: &[Pod]) -> String {
    if pods.is_empty() {
        return "there is no such Pod".to_owned();
    }
    let state = |pod: &Pod| {
        let status = pod.status.clone().unwrap_or_default();
        let containers = status
            .init_container_statuses
            .into_iter()
            .chain(status.container_statuses)
            .flatten();
        let waiting = containers
            .filter(|one| !one.ready)
            .map(|one| format!("{}: {:?}", one.name, one.state));
        format!(
            "{} is {}; {}",
            pod.metadata.name.clone().unwrap_or_default(),
            status.phase.unwrap_or_default(),
            waiting.collect::<Vec<_>>().join("; ")
        )
    };
    pods.iter().map(state).collect::<Vec<_>>().join("\n")
}
