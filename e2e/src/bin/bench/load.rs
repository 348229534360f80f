//! Ten thousand policies, each of which protects a Service of its own.

use std::ops::Range;

use anyhow::Result;
use futures::{StreamExt, TryStreamExt};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

/// How many objects are created at a time.
const CONCURRENCY: usize = 16;

/// Creates and changes policies.
pub struct Load {
    client: Client,
    namespaces: usize,
}

impl Load {
    pub fn new(client: Client, namespaces: usize) -> Self {
        Self { client, namespaces }
    }

    /// Creates policies, and what they need.
    pub async fn create(&self, policies: Range<usize>) -> Result<()> {
        let fresh = policies.start.min(self.namespaces)..policies.end.min(self.namespaces);
        let namespaces = fresh.map(|number| namespace(&format!("team-{number}")));
        self.create_all(namespaces).await?;
        let identities = policies.clone().filter(|policy| *policy < self.namespaces);
        self.create_all(identities.map(|number| identity(&format!("team-{number}"))))
            .await?;
        self.create_all(policies.clone().map(|policy| service(&self.namespace(policy), policy)))
            .await?;
        self.create_all(policies.map(|number| policy(&self.namespace(number), number, "/v1")))
            .await
    }

    /// Makes a policy admit another path.
    pub async fn change(&self, policy: usize, path: &str) -> Result<()> {
        let rules = json!([{"op": "replace", "path": "/spec/rules/1/operations/0/paths/0/prefix", "value": path}]);
        let api = self.api(&resource("ApiAuthPolicy"), &self.namespace(policy));
        let replace = Patch::<()>::Json(serde_json::from_value(rules)?);
        api.patch(&format!("api-{policy}"), &PatchParams::default(), &replace)
            .await?;
        Ok(())
    }

    fn namespace(&self, policy: usize) -> String {
        format!("team-{}", policy % self.namespaces)
    }

    async fn create_all(&self, objects: impl Iterator<Item = Value>) -> Result<()> {
        futures::stream::iter(objects)
            .map(|object| self.create_one(object))
            .buffer_unordered(CONCURRENCY)
            .try_for_each(|()| std::future::ready(Ok(())))
            .await
    }

    async fn create_one(&self, object: Value) -> Result<()> {
        let resource = resource(object["kind"].as_str().unwrap_or_default());
        let api = self.api(&resource, object["metadata"]["namespace"].as_str().unwrap_or_default());
        let object: DynamicObject = serde_json::from_value(object)?;
        api.create(&PostParams::default(), &object).await?;
        Ok(())
    }

    fn api(&self, resource: &ApiResource, namespace: &str) -> Api<DynamicObject> {
        if namespace.is_empty() {
            Api::all_with(self.client.clone(), resource)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, resource)
        }
    }
}

fn resource(kind: &str) -> ApiResource {
    let (group, version, plural) = match kind {
        "Namespace" => ("", "v1", "namespaces"),
        "Service" => ("", "v1", "services"),
        "ServiceIdentity" => ("countersign.dev", "v1alpha1", "serviceidentities"),
        _ => ("countersign.dev", "v1alpha1", "apiauthpolicies"),
    };
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

fn identity(namespace: &str) -> Value {
    json!({
        "apiVersion": "countersign.dev/v1alpha1", "kind": "ServiceIdentity",
        "metadata": {"name": "caller", "namespace": namespace}, "spec": {"serviceAccountName": "caller"},
    })
}

fn service(namespace: &str, number: usize) -> Value {
    // Without addresses of their own, ten thousand Services need no allocation.
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": format!("api-{number}"), "namespace": namespace},
        "spec": {"clusterIP": "None", "selector": {"app": format!("api-{number}")}, "ports": [{"port": 80}]},
    })
}

fn policy(namespace: &str, number: usize, path: &str) -> Value {
    let caller = json!([{"serviceIdentity": {"name": "caller"}}]);
    json!({
        "apiVersion": "countersign.dev/v1alpha1", "kind": "ApiAuthPolicy",
        "metadata": {"name": format!("api-{number}"), "namespace": namespace},
        "spec": {
            "targetRefs": [{"kind": "Service", "name": format!("api-{number}")}],
            "sensitivity": "Internal",
            "credentials": {"mutualTls": {}},
            "rules": [
                {"name": "read", "operations": [{"methods": ["GET"], "paths": [{"prefix": "/v1/orders"}, {"template": "/v1/orders/{id}/lines"}]}], "callers": caller},
                {"name": "write", "operations": [{"methods": ["POST", "PUT"], "paths": [{"prefix": path}]}], "callers": caller},
            ],
        },
    })
}
