//! Writes what is kept, and each status.

use std::collections::BTreeMap;

use countersign_crds::federated_trust_domain::FederatedTrustDomainStatus;
use countersign_crds::{FederatedTrustDomain, GROUP, VERSION};
use countersign_runtime::lease::Leadership;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Client};
use serde_json::json;

use crate::authority::store::FIELD_MANAGER;
use crate::bundle::call;
use crate::federation::kept::{CONFIG_MAP, Keeping};
use crate::federation::object::Seen;

pub(super) struct Writer {
    client: Client,
    config_maps: Api<ConfigMap>,
    /// The version that was replaced last, empty if there was no `ConfigMap`: what is read may be behind.
    replaced: Option<String>,
}

impl Writer {
    pub(super) fn new(client: Client, namespace: &str) -> Self {
        Self {
            config_maps: Api::namespaced(client.clone(), namespace),
            client,
            replaced: None,
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Writes what is kept, if it is not what is there: all of it, and only if nobody else wrote in between.
    pub(super) async fn keep(
        &mut self,
        leadership: &Leadership,
        keeping: &Keeping,
        there: Option<&ConfigMap>,
    ) -> Result<(), String> {
        let data = keeping.write();
        let version = there.and_then(|there| there.metadata.resource_version.clone());
        let seen = version.clone().unwrap_or_default();
        self.replaced.take_if(|replaced| *replaced != seen);
        let is_there = there.is_some_and(|there| there.data.clone().unwrap_or_default() == data);
        let nothing = there.is_none() && data.is_empty();
        if is_there || nothing || self.replaced.is_some() || !leadership.holds() {
            return Ok(());
        }
        let config_map = ConfigMap {
            metadata: metadata(version),
            data: Some(data),
            ..ConfigMap::default()
        };
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            dry_run: false,
        };
        let written = match there {
            Some(_) => call(self.config_maps.replace(CONFIG_MAP, &params, &config_map)).await,
            None => call(self.config_maps.create(&params, &config_map)).await,
        };
        written.map(|_| self.replaced = Some(seen))
    }

    /// Writes a status.
    pub(super) async fn tell(&self, seen: &Seen, status: &FederatedTrustDomainStatus) -> Result<(), String> {
        let resource = ApiResource::erase::<FederatedTrustDomain>(&());
        let api = Api::<DynamicObject>::all_with(self.client.clone(), &resource);
        let object = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "FederatedTrustDomain",
            // One that was deleted meanwhile is not made again.
            "metadata": {"name": seen.name, "uid": seen.uid},
            "status": status,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        call(api.patch_status(&seen.name, &params, &Patch::Apply(object)))
            .await
            .map(drop)
    }
}

fn metadata(version: Option<String>) -> ObjectMeta {
    ObjectMeta {
        name: Some(CONFIG_MAP.to_owned()),
        resource_version: version,
        labels: Some(BTreeMap::from([(
            "app.kubernetes.io/managed-by".to_owned(),
            "countersign-signer".to_owned(),
        )])),
        ..ObjectMeta::default()
    }
}
