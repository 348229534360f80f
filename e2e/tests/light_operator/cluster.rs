//! An API server with the chart's CRDs and RBAC and with Istio's CRDs, for one test at a time.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Namespace, Testbed, chart, wait_for};
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

/// The operator looks at the whole cluster, so tests take turns.
static TURN: Mutex<()> = Mutex::const_new(());
static INSTALLED: OnceCell<()> = OnceCell::const_new();

/// The API server, for as long as it is this test's turn.
pub struct Cluster {
    pub testbed: Testbed,
    pub client: kube::Client,
    _turn: MutexGuard<'static, ()>,
}

impl Cluster {
    /// Waits for this test's turn.
    pub async fn turn() -> Self {
        let turn = TURN.lock().await;
        let testbed = Testbed::from_env().await.unwrap();
        INSTALLED
            .get_or_try_init(|| chart::install_kinds(&testbed))
            .await
            .context("the API server could not be prepared")
            .unwrap();
        let client = testbed.client();
        Self {
            testbed,
            client,
            _turn: turn,
        }
    }

    /// A namespace with a Service `api` and a ServiceIdentity `caller`.
    pub async fn shop(&self, prefix: &str) -> Namespace {
        let namespace = self.testbed.namespace(prefix, &[]).await.unwrap();
        let ns = namespace.name();
        self.apply(service(ns, "api")).await;
        self.apply(identity(ns, "caller")).await;
        namespace
    }

    /// The objects of a kind in a namespace.
    pub fn api(&self, kind: &str, namespace: &str) -> Api<DynamicObject> {
        let resource = resource(kind);
        if namespace.is_empty() {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, &resource)
        }
    }

    /// Applies an object as a user would.
    pub async fn apply(&self, object: Value) -> DynamicObject {
        self.try_apply(&object)
            .await
            .unwrap_or_else(|error| panic!("{object}: {error}"))
    }

    /// The same, where the API server may refuse.
    pub async fn try_apply(&self, object: &Value) -> Result<DynamicObject, kube::Error> {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let api = self.api(text("/kind"), text("/metadata/namespace"));
        let params = PatchParams::apply("user").force();
        api.patch(text("/metadata/name"), &params, &Patch::Apply(object)).await
    }

    /// Applies the status of an object as the signer does.
    pub async fn sign(&self, kind: &str, namespace: &str, name: &str, status: &Value) {
        let object = json!({"apiVersion": "countersign.dev/v1alpha1", "kind": kind, "status": status});
        let params = PatchParams::apply("countersign.dev/signer").force();
        let api = self.api(kind, namespace);
        api.patch_status(name, &params, &Patch::Apply(&object)).await.unwrap();
    }

    /// Deletes an object.
    pub async fn delete(&self, kind: &str, namespace: &str, name: &str) {
        self.api(kind, namespace)
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
    }

    /// An object, if it exists.
    pub async fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let found = self.api(kind, namespace).get_opt(name).await.unwrap();
        found.map(|object| serde_json::to_value(object).unwrap())
    }

    /// All objects of a kind in a namespace.
    pub async fn list(&self, kind: &str, namespace: &str) -> Vec<Value> {
        let list = self.api(kind, namespace).list(&ListParams::default()).await.unwrap();
        list.items
            .into_iter()
            .map(|object| serde_json::to_value(object).unwrap())
            .collect()
    }

    /// The objects that were written for a policy, of whatever kind, as (role, object).
    pub async fn written(&self, policy: &DynamicObject) -> Vec<(String, Value)> {
        let uid = policy.metadata.uid.clone().unwrap();
        let namespace = policy.metadata.namespace.clone().unwrap();
        let mut found = Vec::new();
        for kind in MESH {
            let params = ListParams::default().labels(&format!("countersign.dev/policy-uid={uid}"));
            for object in self.api(kind, &namespace).list(&params).await.unwrap() {
                let role = object
                    .metadata
                    .labels
                    .as_ref()
                    .and_then(|labels| labels.get("countersign.dev/role"));
                let role = role.cloned().unwrap_or_default();
                let mut value = serde_json::to_value(object).unwrap();
                value["kind"] = (*kind).into();
                found.push((role, value));
            }
        }
        found
    }

    /// The roles of the objects that were written for a policy, sorted.
    pub async fn roles(&self, policy: &DynamicObject) -> Vec<String> {
        let mut roles: Vec<_> = self.written(policy).await.into_iter().map(|(role, _)| role).collect();
        roles.sort();
        roles
    }

    /// The object that was written for a policy in a role.
    pub async fn role(&self, policy: &DynamicObject, role: &str) -> Result<Value> {
        let written = self.written(policy).await;
        let found = written.into_iter().find(|(of, _)| of == role);
        found
            .map(|(_, object)| object)
            .with_context(|| format!("no object in role {role}"))
    }

    /// Waits until the condition Ready of an object has a status and a reason, for the object's current generation.
    pub async fn until_ready(&self, object: &DynamicObject, status: &str, reason: &str) -> Value {
        let kind = object.types.as_ref().unwrap().kind.clone();
        let namespace = object.metadata.namespace.clone().unwrap_or_default();
        let name = object.metadata.name.clone().unwrap();
        let what = format!("{kind} {namespace}/{name} to be Ready={status} ({reason})");
        let (kind, namespace, name) = (kind.as_str(), namespace.as_str(), name.as_str());
        wait_for(&what, Duration::from_secs(20), || async move {
            let now = self.get(kind, namespace, name).await.context("it does not exist")?;
            let ready = condition(&now, "Ready");
            let current = now["status"]["observedGeneration"] == now["metadata"]["generation"];
            ensure!(
                current && ready["status"] == status && ready["reason"] == reason,
                "its status is {}",
                now["status"]
            );
            Ok(now)
        })
        .await
        .unwrap()
    }
}

/// The kinds that the operator writes.
pub const MESH: &[&str] = &[
    "AuthorizationPolicy",
    "PeerAuthentication",
    "RequestAuthentication",
    "EnvoyFilter",
];

/// A condition of an object.
pub fn condition<'a>(object: &'a Value, name: &str) -> &'a Value {
    let conditions = object["status"]["conditions"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    conditions
        .iter()
        .find(|condition| condition["type"] == name)
        .unwrap_or(&Value::Null)
}

/// A Service.
pub fn service(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80}]},
    })
}

/// A ServiceIdentity.
pub fn identity(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "countersign.dev/v1alpha1", "kind": "ServiceIdentity", "metadata": {"name": name, "namespace": namespace},
        "spec": {"serviceAccountName": name},
    })
}

/// A policy with any spec.
pub fn policy_with(namespace: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "countersign.dev/v1alpha1", "kind": "ApiAuthPolicy", "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    })
}

/// The spec of a policy that admits `caller` to one path of the Service `api`.
pub fn admits(path: &str) -> Value {
    json!({
        "targetRefs": [{"kind": "Service", "name": "api"}],
        "sensitivity": "Internal",
        "credentials": {"mutualTls": {}},
        "rules": [{
            "name": "caller",
            "operations": [{"methods": ["GET"], "paths": [{"exact": path}]}],
            "callers": [{"serviceIdentity": {"name": "caller"}}],
        }],
    })
}

/// A policy that admits `caller` to one path of the Service `api`.
pub fn policy(namespace: &str, name: &str, path: &str) -> Value {
    policy_with(namespace, name, &admits(path))
}

fn resource(kind: &str) -> ApiResource {
    let (group, version, plural) = match kind {
        "Namespace" => ("", "v1", "namespaces"),
        "Service" => ("", "v1", "services"),
        "Pod" => ("", "v1", "pods"),
        "ApiAuthPolicy" => ("countersign.dev", "v1alpha1", "apiauthpolicies"),
        "CertificateAuthority" => ("countersign.dev", "v1alpha1", "certificateauthorities"),
        "FederatedTrustDomain" => ("countersign.dev", "v1alpha1", "federatedtrustdomains"),
        "ServiceIdentity" => ("countersign.dev", "v1alpha1", "serviceidentities"),
        "TokenIssuer" => ("countersign.dev", "v1alpha1", "tokenissuers"),
        "AuthorizationPolicy" => ("security.istio.io", "v1", "authorizationpolicies"),
        "PeerAuthentication" => ("security.istio.io", "v1", "peerauthentications"),
        "RequestAuthentication" => ("security.istio.io", "v1", "requestauthentications"),
        "EnvoyFilter" => ("networking.istio.io", "v1alpha3", "envoyfilters"),
        "Gateway" => ("gateway.networking.k8s.io", "v1", "gateways"),
        "CustomResourceDefinition" => ("apiextensions.k8s.io", "v1", "customresourcedefinitions"),
        "Event" => ("events.k8s.io", "v1", "events"),
        other => panic!("the tests do not know the kind {other}"),
    };
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}
