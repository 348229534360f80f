//! The only place that writes to the API server.
//!
//! An object is created with a plain create, which fails if somebody else's has the name, at the very moment of writing.
//! It is changed with server-side apply, tied to the uid that was seen, so that neither an object that took its place
//! nor one that vanished is written to. Server-side apply leaves alone what others added; where that gives the object
//! another meaning, a JSON patch takes it out.

use std::sync::Arc;

use countersign_policy::object::{Kind, POLICY_UID_LABEL};
use countersign_policy::world::ObjectName;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::digest::meaningful;
use crate::fact::{self, Observed};
use crate::kinds::{self, Source};
use crate::metrics::{Metrics, Verb};
use crate::plan::Write;
use countersign_runtime::client::CALL_LIMIT;
use countersign_runtime::lease::Leadership;

mod error;
mod identity;

use error::{Answer, missing_namespace};
pub use error::{WriteError, not_installed};

/// The field manager, forever.
const FIELD_MANAGER: &str = "countersign.dev/operator";

/// What is said of a call that took too long.
const NO_ANSWER: &str = "it did not answer in time";

/// Writes to the API server, as long as this replica leads.
#[derive(Clone)]
pub struct Writer {
    client: Client,
    leadership: Leadership,
    metrics: Arc<Metrics>,
}

impl Writer {
    /// Makes a writer.
    pub fn new(client: Client, leadership: Leadership, metrics: Arc<Metrics>) -> Self {
        Self {
            client,
            leadership,
            metrics,
        }
    }

    /// The client, for reading.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Creates or changes an object. `cautious` looks first whether the name is taken: after a conflict, so that trying
    /// again costs a read and not a refused write.
    pub async fn write(&self, write: &Write, policy_uid: &str, cautious: bool) -> Result<Observed, WriteError> {
        let api = self.objects(write.kind, &write.name);
        if let Some(uid) = &write.replaces {
            return self.apply(&api, write, uid).await;
        }
        if cautious && let Some(there) = self.read(&api, &write.name.name, write.kind.name()).await? {
            return self.adopt(&api, write, policy_uid, &there).await;
        }
        match self.create(&api, write).await {
            Err(WriteError::Conflicted { kind, name }) => {
                match self.read(&api, &write.name.name, write.kind.name()).await? {
                    Some(there) => self.adopt(&api, write, policy_uid, &there).await,
                    None => Err(WriteError::Raced(format!("{kind} {name}"))),
                }
            }
            result => result,
        }
    }

    /// Writes to an object that was not seen before and is there all the same: ours, if it says so.
    async fn adopt(
        &self,
        api: &Api<DynamicObject>,
        write: &Write,
        policy_uid: &str,
        there: &DynamicObject,
    ) -> Result<Observed, WriteError> {
        let label = there
            .metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get(POLICY_UID_LABEL));
        match (&there.metadata.uid, label) {
            (Some(uid), Some(label)) if label == policy_uid => self.apply(api, write, uid).await,
            _ => Err(WriteError::Conflicted {
                kind: write.kind.name(),
                name: write.name.clone(),
            }),
        }
    }

    async fn create(&self, api: &Api<DynamicObject>, write: &Write) -> Result<Observed, WriteError> {
        let what = || format!("to create {} {}", write.kind.name(), write.name);
        let object = serde_json::from_value(write.manifest.clone()).map_err(|error| WriteError::Refused {
            what: what(),
            message: error.to_string(),
        })?;
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            dry_run: false,
        };
        let created = self
            .call(Verb::Create, write.kind.name(), api.create(&params, &object))
            .await;
        match created {
            Ok(object) => self.settle(api, write, object).await,
            Err(Answer::Status(status)) if status.code == 409 && status.reason == "AlreadyExists" => {
                Err(WriteError::Conflicted {
                    kind: write.kind.name(),
                    name: write.name.clone(),
                })
            }
            Err(Answer::Status(status)) if status.code == 404 && !missing_namespace(&status) => {
                Err(not_installed(write.kind))
            }
            Err(answer) => Err(answer.into_error(what())),
        }
    }

    async fn apply(&self, api: &Api<DynamicObject>, write: &Write, uid: &str) -> Result<Observed, WriteError> {
        let mut manifest = write.manifest.clone();
        manifest["metadata"]["uid"] = uid.into();
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(&manifest);
        let applied = self
            .call(
                Verb::Apply,
                write.kind.name(),
                api.patch(&write.name.name, &params, &patch),
            )
            .await;
        match applied {
            Ok(object) => self.settle(api, write, object).await,
            Err(answer) => Err(answer.into_error(format!("to change {} {}", write.kind.name(), write.name))),
        }
    }

    /// Makes sure that what the API server stored is what was meant.
    async fn settle(
        &self,
        api: &Api<DynamicObject>,
        write: &Write,
        stored: DynamicObject,
    ) -> Result<Observed, WriteError> {
        let what = || format!("{} {}", write.kind.name(), write.name);
        let lost = || WriteError::Refused {
            what: what(),
            message: "it was stored without the labels that it needs".to_owned(),
        };
        let observed = fact::observed(write.kind, &stored).ok_or_else(lost)?;
        if observed.digest == write.digest {
            return Ok(observed);
        }
        let patch = serde_json::from_value(clean(&write.manifest, &stored)).map_err(|error| WriteError::Refused {
            what: what(),
            message: error.to_string(),
        })?;
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patched = self
            .call(
                Verb::Patch,
                write.kind.name(),
                api.patch(&write.name.name, &params, &Patch::<()>::Json(patch)),
            )
            .await;
        let patched = patched.map_err(|answer| answer.into_error(format!("to restore {}", what())))?;
        let observed = fact::observed(write.kind, &patched).ok_or_else(lost)?;
        if observed.digest == write.digest {
            return Ok(observed);
        }
        let message =
            "what is stored differs from what was written: something in the cluster changes it on its way".to_owned();
        Err(WriteError::Refused { what: what(), message })
    }

    /// Deletes an object, if it is still the one that was seen.
    pub async fn delete(&self, object: &Observed) -> Result<(), WriteError> {
        let api = self.objects(object.kind, &object.name);
        let preconditions = Preconditions {
            uid: Some(object.uid.clone()),
            resource_version: None,
        };
        let params = DeleteParams {
            preconditions: Some(preconditions),
            ..DeleteParams::default()
        };
        match self
            .call(Verb::Delete, object.kind.name(), api.delete(&object.name.name, &params))
            .await
        {
            Ok(_) => Ok(()),
            Err(Answer::Status(status)) if status.code == 404 => Ok(()),
            Err(answer) => Err(answer.into_error(format!("to delete {} {}", object.kind.name(), object.name))),
        }
    }

    /// Writes the status of a policy or an issuer, which is the operator's alone, whole, if the object is still the one that was seen.
    pub async fn status(
        &self,
        source: Source,
        name: &ObjectName,
        uid: &str,
        status: &Value,
    ) -> Result<DynamicObject, WriteError> {
        let resource = source.resource();
        let what = || format!("the status of {} {name}", resource.kind);
        let patch = json!([
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "add", "path": "/status", "value": status},
        ]);
        let patch = serde_json::from_value(patch).map_err(|error| WriteError::Refused {
            what: what(),
            message: error.to_string(),
        })?;
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let api = self.dynamic(&resource, name);
        let patched = self
            .call(
                Verb::Patch,
                &resource.kind,
                api.patch_status(&name.name, &params, &Patch::<()>::Json(patch)),
            )
            .await;
        patched.map_err(|answer| match answer {
            // Deleted, or replaced by another of its name: the watch will tell.
            Answer::Status(status) if matches!(status.code, 404 | 422) && !status.message.contains("status.") => {
                WriteError::Raced(what())
            }
            answer => answer.into_error(what()),
        })
    }

    /// Reads an object of the mesh or of Countersign.
    pub async fn read(
        &self,
        api: &Api<DynamicObject>,
        name: &str,
        kind: &str,
    ) -> Result<Option<DynamicObject>, WriteError> {
        let found = timeout(CALL_LIMIT, api.get_opt(name))
            .await
            .map_err(|_| WriteError::Unreachable(NO_ANSWER.to_owned()))?;
        found.map_err(|error| Answer::of(error).into_error(format!("to read {kind} {name}")))
    }

    /// The uids of all objects of a kind in a namespace.
    pub async fn uids(&self, resource: &ApiResource, namespace: &str) -> Result<Vec<String>, WriteError> {
        let api = Api::<DynamicObject>::namespaced_with(self.client.clone(), namespace, resource);
        let found = timeout(CALL_LIMIT, api.list_metadata(&ListParams::default()))
            .await
            .map_err(|_| WriteError::Unreachable(NO_ANSWER.to_owned()))?;
        let what = || format!("to list {} in {namespace}", resource.kind);
        let found = found.map_err(|error| Answer::of(error).into_error(what()))?;
        Ok(found
            .items
            .into_iter()
            .filter_map(|object| object.metadata.uid)
            .collect())
    }

    /// The objects of a kind in the namespace of one of them.
    pub fn dynamic(&self, resource: &ApiResource, name: &ObjectName) -> Api<DynamicObject> {
        if name.namespace.is_empty() {
            Api::all_with(self.client.clone(), resource)
        } else {
            Api::namespaced_with(self.client.clone(), &name.namespace, resource)
        }
    }

    fn objects(&self, kind: Kind, name: &ObjectName) -> Api<DynamicObject> {
        self.dynamic(&kinds::owned(kind), name)
    }

    async fn call<T>(
        &self,
        verb: Verb,
        kind: &str,
        call: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Answer> {
        if !self.leadership.holds() {
            return Err(Answer::NotLeader);
        }
        self.metrics.wrote(verb, kind);
        match timeout(CALL_LIMIT, call).await {
            Ok(result) => result.map_err(Answer::of),
            Err(_) => Err(Answer::None(NO_ANSWER.to_owned())),
        }
    }
}

/// A JSON patch that takes out of an object what others added to its meaning.
fn clean(manifest: &Value, stored: &DynamicObject) -> Value {
    let mut operations = vec![
        json!({"op": "test", "path": "/metadata/uid", "value": stored.metadata.uid}),
        json!({"op": "add", "path": "/spec", "value": manifest["spec"]}),
    ];
    let groups = [
        ("labels", &stored.metadata.labels),
        ("annotations", &stored.metadata.annotations),
    ];
    for (field, stored) in groups {
        for key in stored.iter().flat_map(|entries| entries.keys()) {
            if meaningful(key) && manifest["metadata"][field].get(key).is_none() {
                let path = format!("/metadata/{field}/{}", key.replace('~', "~0").replace('/', "~1"));
                operations.push(json!({"op": "remove", "path": path}));
            }
        }
    }
    Value::Array(operations)
}
