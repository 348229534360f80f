//! What a certificate depends on, as the API server has it now.

use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::{Api, Client};

use super::Request;
use crate::pod_certificate::{ObjectFact, PodFact};

/// What a certificate depends on. What does not exist is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The Pod that the requester's token is bound to.
    pub pod: Option<PodFact>,
    /// The requester's service account.
    pub service_account: Option<ObjectFact>,
}

impl Facts {
    /// Reads them from the API server. Nothing is read for whoever is no workload.
    ///
    /// # Errors
    ///
    /// If the API server does not say whether one exists.
    pub async fn read(client: &Client, request: &Request) -> Result<Self, kube::Error> {
        let Some(requester) = request.requester() else {
            return Ok(Self::default());
        };
        let pods: Api<Pod> = Api::namespaced(client.clone(), &requester.namespace);
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &requester.namespace);
        let (pod, account) = tokio::try_join!(
            pods.get_opt(&requester.pod_name),
            accounts.get_metadata_opt(&requester.service_account),
        )?;
        Ok(Self {
            pod: pod.as_ref().map(PodFact::of),
            service_account: account.map(|account| ObjectFact::of(&account.metadata)),
        })
    }
}
