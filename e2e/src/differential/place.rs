//! Where requests go: workloads with sidecars, and gateways.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use countersign_policy::object::{Kind, MANAGED_BY_LABEL, MANAGER, Object, Owner};
use serde_json::{Value, json};

use super::world::{Scenario, TokenMaker, WORKLOADS};
use crate::{Answer, MeshClient, Namespace, Request, Testbed, Workload, wait_for};

const SIDECARS: usize = 4;
const GATEWAYS: usize = 2;
const LIMIT: Duration = Duration::from_mins(1);
/// The path that shows which round a proxy runs. No policy and no request uses it.
const MARKER: &str = "/__round";

/// Something that policies protect.
pub(super) enum Target {
    /// A workload behind a sidecar.
    Sidecar {
        /// Its Service, its Pods' `app` label.
        name: String,
        /// Its Pod's address.
        address: SocketAddr,
    },
    /// A gateway.
    Gateway {
        /// The Gateway.
        name: String,
        /// Its Service's address.
        address: SocketAddr,
    },
}

impl Target {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Sidecar { name, .. } | Self::Gateway { name, .. } => name,
        }
    }

    pub(super) fn is_gateway(&self) -> bool {
        matches!(self, Self::Gateway { .. })
    }

    fn address(&self) -> SocketAddr {
        match self {
            Self::Sidecar { address, .. } | Self::Gateway { address, .. } => *address,
        }
    }
}

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Peer {
    /// In the clear, without a certificate.
    PlainText,
    /// A workload of the target's namespace, by its service account.
    Workload(&'static str),
    /// The same, with a certificate that an unknown authority signed.
    Foreign(&'static str),
    /// The same, with a certificate that expired.
    Expired(&'static str),
}

/// All that a run uses of the cluster.
pub(super) struct Place {
    pub(super) namespace: Namespace,
    pub(super) targets: Vec<Target>,
    pub(super) issuers: Vec<TokenMaker>,
    callers: BTreeMap<Peer, MeshClient>,
}

impl Place {
    pub(super) async fn set_up(testbed: &Testbed) -> Result<Self> {
        let namespace = testbed
            .namespace("differential", &[("istio-injection", "enabled")])
            .await?;
        namespace.apply(&gateways().to_string()).await?;
        let names: Vec<String> = (0..SIDECARS).map(|at| format!("sidecar-{at}")).collect();
        let workloads: Vec<Workload> = names.iter().map(|name| Workload::echo(name)).collect();
        let backend = Workload::echo("backend").label("sidecar.istio.io/inject", "false");
        let running = futures::future::try_join_all(
            workloads
                .iter()
                .chain([&backend])
                .map(|workload| namespace.deploy(workload)),
        );
        let running = running.await?;
        let mut targets: Vec<Target> = running
            .iter()
            .zip(&names)
            .map(|(running, name)| Target::Sidecar {
                name: name.clone(),
                address: running.address,
            })
            .collect();
        for at in 0..GATEWAYS {
            targets.push(gateway(&namespace, format!("gateway-{at}")).await?);
        }
        let mut callers = BTreeMap::new();
        for workload in WORKLOADS.iter().chain(&["stranger"]) {
            let id = namespace.spiffe_id(workload);
            callers.insert(Peer::Workload(workload), MeshClient::new(testbed, &id)?);
            callers.insert(Peer::Foreign(workload), MeshClient::foreign(testbed, &id)?);
            callers.insert(Peer::Expired(workload), MeshClient::expired(testbed, &id)?);
        }
        let issuers = TokenMaker::all();
        Ok(Self {
            namespace,
            targets,
            issuers,
            callers,
        })
    }

    /// Sends a request to a target.
    pub(super) async fn send(&self, target: usize, peer: Peer, request: &Request) -> Answer {
        let address = self.targets[target].address();
        match self.callers.get(&peer) {
            Some(caller) => caller.send(address, request).await,
            None => request.send_plain(address).await,
        }
    }

    /// Writes a scenario's objects, removes those of the one before, and waits until every proxy runs them.
    pub(super) async fn program(&self, scenario: &Scenario, round: usize) -> Result<()> {
        let mut wanted = Vec::new();
        for target in 0..self.targets.len() {
            wanted.extend(scenario.objects(self, target));
        }
        let items: Vec<Value> = wanted.iter().map(|(policy, object)| manifest(policy, object)).collect();
        // Nothing of the last round may answer for this one.
        self.remove_all_but(&wanted).await?;
        self.namespace
            .apply(&json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string())
            .await?;
        let path = format!("{MARKER}/{round}/{}", uuid::Uuid::new_v4().simple());
        self.namespace.apply(&self.markers(&path).to_string()).await?;
        let request = Request::get(&path);
        let waiting = (0..self.targets.len()).map(|target| {
            let request = &request;
            async move {
                let peer = if self.targets[target].is_gateway() {
                    Peer::PlainText
                } else {
                    Peer::Workload("web")
                };
                wait_for(
                    &format!("{} to run the policies", self.targets[target].name()),
                    LIMIT,
                    || async {
                        let answer = self.send(target, peer, request).await;
                        ensure!(answer.status() == Some(200), "the marker got {answer:?}");
                        Ok(())
                    },
                )
                .await
            }
        });
        futures::future::try_join_all(waiting).await?;
        Ok(())
    }

    async fn remove_all_but(&self, wanted: &[(String, Object)]) -> Result<()> {
        for kind in Kind::ALL {
            let resource = format!("{}.{}", kind.plural(), kind.group());
            let selector = format!("{MANAGED_BY_LABEL}={MANAGER}");
            let listed = self
                .namespace
                .kubectl(&["get", &resource, "-l", &selector, "-o", "name"])
                .await?;
            let gone: Vec<&str> = listed
                .lines()
                .filter(|line| {
                    let name = line.rsplit('/').next().unwrap_or_default();
                    !wanted
                        .iter()
                        .any(|(_, object)| object.kind == kind && object.name.name == name)
                })
                .collect();
            if !gone.is_empty() {
                self.namespace
                    .kubectl(&[&["delete", "--wait=false"], &gone[..]].concat())
                    .await?;
            }
        }
        Ok(())
    }

    /// Policies that open one path on each target, so that a proxy can be asked which round it runs.
    fn markers(&self, path: &str) -> Value {
        let items: Vec<Value> = self
            .targets
            .iter()
            .map(|target| {
                let mut spec =
                    json!({ "action": "ALLOW", "rules": [{ "to": [{ "operation": { "paths": [path] } }] }] });
                if target.is_gateway() {
                    spec["targetRefs"] =
                        json!([{ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": target.name() }]);
                } else {
                    spec["selector"] = json!({ "matchLabels": { "app": target.name() } });
                }
                json!({ "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
                        "metadata": { "name": format!("marker-{}", target.name()) }, "spec": spec })
            })
            .collect();
        json!({ "apiVersion": "v1", "kind": "List", "items": items })
    }
}

/// An object as it is written, without an owner: there is no policy object here.
fn manifest(policy: &str, object: &Object) -> Value {
    let mut manifest = object.manifest(&Owner {
        name: policy,
        uid: "none",
    });
    if let Some(metadata) = manifest["metadata"].as_object_mut() {
        metadata.remove("ownerReferences");
    }
    manifest
}

fn gateways() -> Value {
    let items: Vec<Value> = (0..GATEWAYS)
        .flat_map(|at| {
            let name = format!("gateway-{at}");
            [
                json!({ "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
                    "metadata": { "name": name, "annotations": { "networking.istio.io/service-type": "ClusterIP" } },
                    "spec": { "gatewayClassName": "istio", "listeners": [{ "name": "http", "port": 80, "protocol": "HTTP" }] } }),
                json!({ "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": { "name": name },
                    "spec": { "parentRefs": [{ "name": name }],
                              "rules": [{ "backendRefs": [{ "name": "backend", "port": 8080 }] }] } }),
            ]
        })
        .collect();
    json!({ "apiVersion": "v1", "kind": "List", "items": items })
}

async fn gateway(namespace: &Namespace, name: String) -> Result<Target> {
    let service = format!("{name}-istio");
    let address = wait_for(&format!("gateway {name} to serve"), LIMIT, || async {
        let ip = namespace
            .kubectl(&["get", "service", &service, "-o", "jsonpath={.spec.clusterIP}"])
            .await?;
        let address = SocketAddr::new(ip.trim().parse::<IpAddr>().context("no address yet")?, 80);
        let answer = Request::get("/").send_plain(address).await;
        ensure!(answer.status() == Some(200), "it answers {answer:?}");
        Ok(address)
    })
    .await?;
    Ok(Target::Gateway { name, address })
}
