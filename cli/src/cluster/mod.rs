//! The live objects of a cluster.

mod list;

use std::collections::HashSet;

use kube::config::{KubeConfigOptions, KubeconfigError};
use kube::discovery::{ApiResource, Discovery, Scope, verbs};
use kube::{Client, Config};

use self::list::{Live, list, said};
use crate::args::Cluster;
use crate::examine::{Contents, Examiner};
use crate::object::Object;
use crate::progress::Progress;
use crate::reader::Outcome;

/// Resources that hold no credential of anybody's, and of which there may be many.
const LEFT_OUT: [(&str, &str); 8] = [
    ("", "componentstatuses"),
    ("", "endpoints"),
    ("", "events"),
    ("coordination.k8s.io", "leases"),
    ("discovery.k8s.io", "*"),
    ("events.k8s.io", "*"),
    ("metrics.k8s.io", "*"),
    ("openreports.io", "*"),
];

/// Why a cluster cannot be scanned at all.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Nothing can wait for an answer.
    #[error("no runtime: {0}")]
    Runtime(#[from] std::io::Error),
    /// The one crypto provider is not the one.
    #[error("another TLS crypto provider was installed before aws-lc-rs")]
    Provider,
    /// The context cannot be used.
    #[error("no way to reach a cluster: {0}")]
    Kubeconfig(#[from] KubeconfigError),
    /// There is no way to a cluster.
    #[error("no way to reach a cluster: {0}")]
    Infer(#[from] kube::config::InferConfigError),
    /// It does not answer.
    #[error("the cluster does not answer: {}", said(.0))]
    Api(#[from] Box<kube::Error>),
}

/// Scans all that can be listed, and gives what became of it, object by object.
pub fn scan(args: &Cluster, examiner: &Examiner, mut give: impl FnMut(&str, Outcome)) -> Result<(), ClusterError> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| ClusterError::Provider)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut objects = Vec::new();
    runtime.block_on(async {
        let (client, namespace) = connect(args).await?;
        let resources = resources(&client, args.all_namespaces).await?;
        let progress = Progress::new(resources.len());
        for resource in &resources {
            let namespace = (!args.all_namespaces).then_some(namespace.as_str());
            match list(&client, resource, namespace, examiner).await {
                Ok(listed) => objects.extend(listed),
                Err(failure) => give(&resource.plural, Outcome::failed(failure)),
            }
            progress.step();
        }
        Ok::<_, ClusterError>(())
    })?;
    leave_out_copies(&mut objects);
    for live in objects {
        let contents = Contents {
            found: live.found,
            waivers: live.waiver.into_iter().collect(),
            ..Contents::default()
        };
        give(&name(&live.object), Outcome::of(contents));
    }
    Ok(())
}

async fn connect(args: &Cluster) -> Result<(Client, String), ClusterError> {
    let config = match &args.context {
        Some(context) => {
            let context = Some(context.clone());
            let options = KubeConfigOptions {
                context,
                ..KubeConfigOptions::default()
            };
            Config::from_kubeconfig(&options).await?
        }
        None => Config::infer().await?,
    };
    let namespace = args
        .namespace
        .clone()
        .unwrap_or_else(|| config.default_namespace.clone());
    Ok((Client::try_from(config).map_err(Box::new)?, namespace))
}

/// What can be listed: in namespaces, and if all are asked for, outside of them too.
async fn resources(client: &Client, all: bool) -> Result<Vec<ApiResource>, ClusterError> {
    let discovery = match Discovery::new(client.clone()).run_aggregated().await {
        Ok(discovery) => discovery,
        // API servers before 1.30 do not always know the short way.
        Err(_) => Discovery::new(client.clone()).run().await.map_err(Box::new)?,
    };
    let mut resources = Vec::new();
    for group in discovery.groups_alphabetical() {
        for (resource, capabilities) in group.resources_by_stability() {
            let wanted = all || capabilities.scope == Scope::Namespaced;
            if wanted && capabilities.supports_operation(verbs::LIST) && !is_left_out(&resource) {
                resources.push(resource);
            }
        }
    }
    Ok(resources)
}

fn is_left_out(resource: &ApiResource) -> bool {
    LEFT_OUT
        .iter()
        .any(|(group, plural)| *group == resource.group && (*plural == "*" || *plural == resource.plural))
}

/// Leaves out what a controller has copied, from a Deployment to its `ReplicaSet` to its Pods: it goes away with the original.
fn leave_out_copies(objects: &mut [Live]) {
    let originals: HashSet<_> = objects
        .iter()
        .filter(|live| !live.is_controlled)
        .flat_map(Live::values)
        .collect();
    for live in objects.iter_mut().filter(|live| live.is_controlled) {
        let namespace = &live.object.namespace;
        live.found.retain(|found| {
            let finding = &found.finding;
            !originals.contains(&(namespace.clone(), finding.rule.id, finding.fingerprint))
        });
    }
}

/// `cluster:shop/Deployment/payments`
fn name(object: &Object) -> String {
    let Object {
        kind, namespace, name, ..
    } = object;
    if namespace.is_empty() {
        format!("cluster:{kind}/{name}")
    } else {
        format!("cluster:{namespace}/{kind}/{name}")
    }
}
