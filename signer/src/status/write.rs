//! Writes to the status, with server-side apply: each field manager has its own fields.

use std::time::Duration;

use countersign_crds::service_identity::IssuedStatus;
use countersign_crds::{GROUP, ServiceIdentity, VERSION};
use countersign_policy::ObjectName;
use countersign_runtime::client::CALL_LIMIT;
use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::Summary;

/// The field manager of the replica that leads.
const FIELD_MANAGER: &str = "countersign.dev/signer";
/// The longest field manager that the API server takes.
const LONGEST_MANAGER: usize = 128;

/// Why a status was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// The object is gone, or another has its name.
    #[error("the object no longer exists")]
    Gone,
    /// No answer.
    #[error("the API server did not answer within {} s", .0.as_secs())]
    NoAnswer(Duration),
    /// Another error.
    #[error(transparent)]
    Api(#[from] kube::Error),
    /// It cannot be put into JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

pub(super) struct Writer {
    client: Client,
    own_manager: String,
}

impl Writer {
    pub(super) fn new(client: Client, replica: &str) -> Self {
        let own_manager: String = format!("{FIELD_MANAGER}-{replica}")
            .chars()
            .take(LONGEST_MANAGER)
            .collect();
        Self { client, own_manager }
    }

    /// Writes what this replica has issued, or takes it back.
    pub(super) async fn own(
        &self,
        name: &ObjectName,
        uid: &str,
        issued: Option<&IssuedStatus>,
    ) -> Result<(), WriteError> {
        let status = match issued {
            Some(issued) => json!({"issued": [issued]}),
            None => json!({}),
        };
        self.apply(name, uid, &status, &self.own_manager).await
    }

    /// Writes what the replica that leads says, and takes out what replicas that are gone left behind.
    pub(super) async fn summary(&self, summary: &Summary) -> Result<(), WriteError> {
        let status = serde_json::to_value(&summary.status)?;
        self.apply(&summary.name, &summary.uid, &status, FIELD_MANAGER).await?;
        if summary.expired.is_empty() {
            return Ok(());
        }
        self.forget(summary).await
    }

    async fn apply(&self, name: &ObjectName, uid: &str, status: &Value, manager: &str) -> Result<(), WriteError> {
        let object = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "ServiceIdentity",
            "metadata": {"name": name.name, "namespace": name.namespace, "uid": uid},
            "status": status,
        });
        let params = PatchParams::apply(manager).force();
        self.patch(name, &params, &Patch::Apply(object)).await.map(drop)
    }

    /// Takes out entries, if they are still those that were seen. What a replica wrote meanwhile stays.
    async fn forget(&self, summary: &Summary) -> Result<(), WriteError> {
        let api = self.api(&summary.name);
        let there = self.call(api.get(&summary.name.name)).await?;
        let listed = there.data["status"]["issued"].as_array().cloned().unwrap_or_default();
        let version = there.metadata.resource_version;
        let mut operations = vec![json!({"op": "test", "path": "/metadata/resourceVersion", "value": version})];
        // From the end, so that the others keep their places.
        for (at, entry) in listed.iter().enumerate().rev() {
            if entry["by"]
                .as_str()
                .is_some_and(|by| summary.expired.iter().any(|gone| gone == by))
            {
                operations.push(json!({"op": "test", "path": format!("/status/issued/{at}"), "value": entry}));
                operations.push(json!({"op": "remove", "path": format!("/status/issued/{at}")}));
            }
        }
        if operations.len() == 1 {
            return Ok(());
        }
        let patch = serde_json::from_value(Value::Array(operations))?;
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        self.patch(&summary.name, &params, &Patch::<Value>::Json(patch))
            .await
            .map(drop)
    }

    async fn patch(
        &self,
        name: &ObjectName,
        params: &PatchParams,
        patch: &Patch<Value>,
    ) -> Result<DynamicObject, WriteError> {
        let api = self.api(name);
        self.call(api.patch_status(&name.name, params, patch)).await
    }

    async fn call<T>(&self, call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, WriteError> {
        match tokio::time::timeout(CALL_LIMIT, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => Err(WriteError::Gone),
            // The uid is another one: the watch will tell.
            Ok(Err(kube::Error::Api(status))) if status.code == 409 && status.message.contains("uid") => {
                Err(WriteError::Gone)
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(WriteError::NoAnswer(CALL_LIMIT)),
        }
    }

    fn api(&self, name: &ObjectName) -> Api<DynamicObject> {
        let resource = ApiResource::erase::<ServiceIdentity>(&());
        Api::namespaced_with(self.client.clone(), &name.namespace, &resource)
    }
}
