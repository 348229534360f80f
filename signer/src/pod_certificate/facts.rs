//! What a certificate depends on, as the API server has it now.

use k8s_openapi::api::core::v1::{Node, Pod, ServiceAccount};
use kube::api::ObjectMeta;
use kube::{Api, Client};

use super::Request;

/// An object that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectFact {
    /// Its uid.
    pub uid: String,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// A Pod that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodFact {
    /// What every object has.
    pub object: ObjectFact,
    /// What it runs as.
    pub service_account: String,
    /// Where it runs. Empty if that is not decided yet.
    pub node: String,
    /// Whether all its containers have ended for good.
    pub ended: bool,
}

/// What a certificate depends on. What does not exist is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The Pod of the request's name.
    pub pod: Option<PodFact>,
    /// The service account of the request's name.
    pub service_account: Option<ObjectFact>,
    /// The node of the request's name.
    pub node: Option<ObjectFact>,
}

impl Facts {
    /// Reads them from the API server, not from a watch, which may be late.
    ///
    /// # Errors
    ///
    /// If the API server does not say whether one exists.
    pub async fn read(client: &Client, request: &Request) -> Result<Self, kube::Error> {
        let pods: Api<Pod> = Api::namespaced(client.clone(), &request.namespace);
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &request.namespace);
        let nodes: Api<Node> = Api::all(client.clone());
        let (pod, account, node) = tokio::try_join!(
            pods.get_opt(&request.pod.name),
            accounts.get_metadata_opt(&request.service_account.name),
            nodes.get_metadata_opt(&request.node.name),
        )?;
        Ok(Self {
            pod: pod.as_ref().map(PodFact::of),
            service_account: account.map(|account| ObjectFact::of(&account.metadata)),
            node: node.map(|node| ObjectFact::of(&node.metadata)),
        })
    }
}

impl ObjectFact {
    /// What is known of an object by its metadata.
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self {
            uid: metadata.uid.clone().unwrap_or_default(),
            deleting: metadata.deletion_timestamp.is_some(),
        }
    }
}

impl PodFact {
    /// What is known of a Pod.
    pub fn of(pod: &Pod) -> Self {
        let spec = pod.spec.as_ref();
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        Self {
            object: ObjectFact::of(&pod.metadata),
            service_account: spec
                .and_then(|spec| spec.service_account_name.clone())
                .unwrap_or_default(),
            node: spec.and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
            ended: matches!(phase, Some("Succeeded" | "Failed")),
        }
    }
}
