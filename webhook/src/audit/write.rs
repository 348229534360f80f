//! Writes reports: only what changed, and only what is the audit's own.

use std::collections::{BTreeSet, HashMap};

use countersign_runtime::client::CALL_LIMIT;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::Value;
use tokio::time::timeout;
use tracing::{info, warn};

use super::book::Mark;
use super::report;

/// The field manager of reports and of the status of waivers.
pub(super) const FIELD_MANAGER: &str = "countersign.dev/audit";

/// What keeps a report from being written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// The API server refused it.
    #[error(transparent)]
    Api(#[from] kube::Error),
    /// No answer.
    #[error("the API server did not answer in time")]
    Late,
    /// It has the audit's name and is somebody else's.
    #[error(
        "there is a report called `{}` that is not the audit's; it is left as it is",
        report::NAME
    )]
    Foreign,
}

/// A report as it was written last.
#[derive(Clone, Debug)]
struct Written {
    digest: u64,
    uid: String,
    /// Its resource version.
    version: Option<String>,
}

/// The reports that there are.
pub(super) struct Reports {
    client: Client,
    /// By namespace; the empty one is that of the `ClusterReport`.
    written: HashMap<String, Written>,
}

impl Reports {
    /// Reads what earlier audits reported.
    pub(super) async fn read(client: Client) -> Result<(Self, HashMap<Mark, i64>), WriteError> {
        let mut reports = Self {
            client,
            written: HashMap::new(),
        };
        let mut marks = HashMap::new();
        for kind in ["Report", "ClusterReport"] {
            let api: Api<DynamicObject> = Api::all_with(reports.client.clone(), &resource(kind));
            let params = ListParams::default().labels(&format!("{}={}", report::LABEL.0, report::LABEL.1));
            let list = match call(api.list(&params)).await {
                Err(WriteError::Api(kube::Error::Api(status))) if status.code == 404 => continue,
                list => list?,
            };
            for found in list {
                let namespace = found.metadata.namespace.clone().unwrap_or_default();
                let uid = found.metadata.uid.clone().unwrap_or_default();
                let version = found.metadata.resource_version.clone();
                let Ok(value) = serde_json::to_value(found) else {
                    continue;
                };
                marks.extend(report::marks(&value));
                let digest = report::digest(&value);
                reports.written.insert(namespace, Written { digest, uid, version });
            }
        }
        Ok((reports, marks))
    }

    /// The namespaces whose reports somebody changed or deleted.
    pub(super) async fn changed(&mut self) -> Result<BTreeSet<String>, WriteError> {
        let mut there = HashMap::new();
        for kind in ["Report", "ClusterReport"] {
            let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource(kind));
            let params = ListParams::default().labels(&format!("{}={}", report::LABEL.0, report::LABEL.1));
            for found in call(api.list_metadata(&params)).await? {
                let namespace = found.metadata.namespace.unwrap_or_default();
                there.insert(namespace, found.metadata.resource_version);
            }
        }
        let changed = |(namespace, written): &(&String, &Written)| there.get(*namespace) != Some(&written.version);
        let changed: BTreeSet<String> = self
            .written
            .iter()
            .filter(changed)
            .map(|(name, _)| name.clone())
            .collect();
        self.written.retain(|namespace, _| !changed.contains(namespace));
        Ok(changed)
    }

    /// The namespaces that have a report.
    pub(super) fn namespaces(&self) -> BTreeSet<String> {
        self.written.keys().cloned().collect()
    }

    /// Makes the report of a namespace say this, and nothing if there is nothing to say. Tells whether that took a write.
    pub(super) async fn put(&mut self, namespace: &str, wanted: Option<&Value>) -> Result<bool, WriteError> {
        match wanted {
            Some(wanted) => self.apply(namespace, wanted).await,
            None => self.delete(namespace).await,
        }
    }

    async fn apply(&mut self, namespace: &str, wanted: &Value) -> Result<bool, WriteError> {
        let digest = report::digest(wanted);
        let api = self.api(namespace);
        match self.written.get(namespace) {
            Some(written) if written.digest == digest => return Ok(false),
            Some(_) => {}
            None => self.check_own(&api).await?,
        }
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let stored = call(api.patch(report::NAME, &params, &Patch::Apply(wanted))).await?;
        let written = Written {
            digest,
            uid: stored.metadata.uid.unwrap_or_default(),
            version: stored.metadata.resource_version,
        };
        self.written.insert(namespace.to_owned(), written);
        Ok(true)
    }

    /// What carries our name and not our label is not ours.
    async fn check_own(&self, api: &Api<DynamicObject>) -> Result<(), WriteError> {
        let Some(there) = call(api.get_opt(report::NAME)).await? else {
            return Ok(());
        };
        let label = there
            .metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get(report::LABEL.0));
        match label {
            Some(value) if value == report::LABEL.1 => Ok(()),
            _ => Err(WriteError::Foreign),
        }
    }

    async fn delete(&mut self, namespace: &str) -> Result<bool, WriteError> {
        let Some(written) = self.written.get(namespace) else {
            return Ok(false);
        };
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(written.uid.clone()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        match call(self.api(namespace).delete(report::NAME, &params)).await {
            Ok(_) => info!(namespace, "nothing is left to report"),
            // It is gone, or another one took its place.
            Err(WriteError::Api(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => {
                warn!(namespace, "the report is gone already");
            }
            Err(error) => return Err(error),
        }
        self.written.remove(namespace);
        Ok(true)
    }

    fn api(&self, namespace: &str) -> Api<DynamicObject> {
        match namespace {
            "" => Api::all_with(self.client.clone(), &resource("ClusterReport")),
            _ => Api::namespaced_with(self.client.clone(), namespace, &resource("Report")),
        }
    }
}

fn resource(kind: &str) -> ApiResource {
    let kind = GroupVersionKind::gvk(report::GROUP, "v1alpha1", kind);
    let plural = format!("{}s", kind.kind.to_ascii_lowercase());
    ApiResource::from_gvk_with_plural(&kind, &plural)
}

/// A call that does not hang.
pub(super) async fn call<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, WriteError> {
    match timeout(CALL_LIMIT, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(WriteError::Late),
    }
}
