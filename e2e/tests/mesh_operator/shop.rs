//! A namespace with an API, its callers, and what is asked of them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Answer, Issuer, MeshClient, Namespace, Request, Running, Workload, wait_for};
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use crate::release::Release;

/// How long anything may take that the operator or the mesh does. Two cores serve all.
pub const LIMIT: Duration = Duration::from_mins(1);

/// A namespace with a Service `api`, and ServiceIdentities `orders` and `billing`.
pub struct Shop {
    pub namespace: Namespace,
    pub api: Running,
    pub release: Release,
}

impl Shop {
    /// Opens a shop in the mesh.
    pub async fn open(release: Release, prefix: &str) -> Self {
        Self::open_with(release, prefix, &[("istio-injection", "enabled")]).await
    }

    /// Opens a shop in a namespace with these labels.
    pub async fn open_with(release: Release, prefix: &str, labels: &[(&str, &str)]) -> Self {
        let namespace = release.testbed.namespace(prefix, labels).await.unwrap();
        let api = namespace.deploy(&Workload::echo("api")).await.unwrap();
        let shop = Self {
            namespace,
            api,
            release,
        };
        for name in ["orders", "billing"] {
            shop.apply(&shop.identity(name)).await;
        }
        shop
    }

    /// Ends the test.
    pub fn done(self) {
        drop(self.namespace);
        self.release.done();
    }

    /// The certificate's holder, as a caller of the API.
    pub fn caller(&self, service_account: &str) -> MeshClient {
        MeshClient::new(&self.release.testbed, &self.namespace.spiffe_id(service_account)).unwrap()
    }

    /// What the API answers to a workload that asks for a path.
    pub async fn ask(&self, service_account: &str, path: &str) -> Answer {
        self.caller(service_account)
            .send(self.api.address, &Request::get(path))
            .await
    }

    /// Waits until the API answers a workload with a status code.
    pub async fn until_answered(&self, service_account: &str, path: &str, status: u16) {
        let caller = self.caller(service_account);
        let request = Request::get(path);
        until(&format!("{service_account} at {path}"), status, || {
            caller.send(self.api.address, &request)
        })
        .await;
    }

    /// Applies an object as a user would, in this namespace.
    pub async fn apply(&self, object: &Value) -> DynamicObject {
        self.try_apply(object)
            .await
            .unwrap_or_else(|error| panic!("{object}: {error}"))
    }

    /// The same, where the API server may refuse.
    pub async fn try_apply(&self, object: &Value) -> Result<DynamicObject, kube::Error> {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let api = self.objects(text("/kind"));
        let params = PatchParams::apply("user").force();
        api.patch(text("/metadata/name"), &params, &Patch::Apply(object)).await
    }

    /// Deletes an object.
    pub async fn delete(&self, kind: &str, name: &str) {
        self.objects(kind).delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Waits until the condition Ready of a policy has a status and a reason, for what it says now.
    pub async fn until_ready(&self, policy: &str, status: &str, reason: &str) -> Value {
        let policies = self.objects("ApiAuthPolicy");
        let what = format!("{policy} to be Ready={status} ({reason})");
        wait_for(&what, LIMIT, || async {
            let now = serde_json::to_value(policies.get(policy).await?)?;
            let ready = now["status"]["conditions"]
                .as_array()
                .and_then(|all| all.iter().find(|one| one["type"] == "Ready"))
                .context("it has no status")?;
            ensure!(
                now["status"]["observedGeneration"] == now["metadata"]["generation"]
                    && ready["status"] == status
                    && ready["reason"] == reason,
                "{}",
                now["status"]
            );
            Ok(now)
        })
        .await
        .unwrap()
    }

    /// The objects of a kind, in this namespace.
    pub fn objects(&self, kind: &str) -> Api<DynamicObject> {
        let (group, version, plural, namespaced) = match kind {
            "Namespace" => ("", "v1", "namespaces", false),
            "Service" => ("", "v1", "services", true),
            "ApiAuthPolicy" => ("countersign.dev", "v1alpha1", "apiauthpolicies", true),
            "ServiceIdentity" => ("countersign.dev", "v1alpha1", "serviceidentities", true),
            "TokenIssuer" => ("countersign.dev", "v1alpha1", "tokenissuers", false),
            other => panic!("the tests do not know the kind {other}"),
        };
        let api_version = [group, version].into_iter().filter(|part| !part.is_empty());
        let resource = ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: api_version.collect::<Vec<_>>().join("/"),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        };
        let client = self.release.testbed.client();
        if namespaced {
            Api::namespaced_with(client, self.namespace.name(), &resource)
        } else {
            Api::all_with(client, &resource)
        }
    }

    /// A ServiceIdentity.
    pub fn identity(&self, name: &str) -> Value {
        self.object("ServiceIdentity", name, &json!({"serviceAccountName": name}))
    }

    /// A policy.
    pub fn policy(&self, name: &str, spec: &Value) -> Value {
        self.object("ApiAuthPolicy", name, spec)
    }

    fn object(&self, kind: &str, name: &str, spec: &Value) -> Value {
        let metadata = json!({"name": name, "namespace": self.namespace.name()});
        json!({"apiVersion": "countersign.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
    }

    /// The kinds and names of what the operator wrote here.
    pub async fn written(&self) -> Vec<String> {
        let kinds = "authorizationpolicies,peerauthentications,requestauthentications,envoyfilters";
        let label = "app.kubernetes.io/managed-by=countersign";
        let listed = self.namespace.kubectl(&["get", kinds, "-l", label, "-o", "name"]).await;
        listed.unwrap().split_whitespace().map(str::to_owned).collect()
    }
}

/// Waits until requests are answered with a status code.
pub async fn until<F: Future<Output = Answer>>(what: &str, status: u16, mut send: impl FnMut() -> F) {
    wait_for(&format!("{what} to get {status}"), LIMIT, || {
        let answer = send();
        async {
            let answer = answer.await;
            ensure!(answer.status() == Some(status), "it got {answer:?}");
            Ok(())
        }
    })
    .await
    .unwrap();
}

/// The spec of a policy on the Service `api`, which admits workloads to a path each.
pub fn admits(callers: &BTreeMap<&str, &str>) -> Value {
    let rules: Vec<_> = callers
        .iter()
        .map(|(caller, path)| {
            json!({
                "name": caller,
                "operations": [{"methods": ["GET"], "paths": [{"exact": path}]}],
                "callers": [{"serviceIdentity": {"name": caller}}],
            })
        })
        .collect();
    json!({
        "targetRefs": [{"kind": "Service", "name": "api"}],
        "sensitivity": "Internal",
        "credentials": {"mutualTls": {}},
        "rules": rules,
    })
}

/// A TokenIssuer of its own for a test: the kind is not namespaced.
pub struct Idp {
    pub name: String,
    pub issuer: Issuer,
    api: Api<DynamicObject>,
}

impl Idp {
    /// Makes keys, and the TokenIssuer with them.
    pub async fn new(shop: &Shop) -> Self {
        let name = format!("idp-{}", shop.namespace.name());
        let idp = Self {
            issuer: Issuer::new(&format!("https://{name}.test")).unwrap(),
            name,
            api: shop.objects("TokenIssuer"),
        };
        shop.apply(&idp.object()).await;
        idp
    }

    /// The TokenIssuer.
    pub fn object(&self) -> Value {
        self.object_with(&self.issuer.jwks().unwrap().to_string())
    }

    /// The TokenIssuer with other keys.
    pub fn object_with(&self, jwks: &str) -> Value {
        json!({
            "apiVersion": "countersign.dev/v1alpha1", "kind": "TokenIssuer", "metadata": {"name": self.name},
            "spec": {"external": {"issuer": self.issuer.url(), "jwks": jwks, "maxTokenLifetime": "10m"}},
        })
    }

    /// Removes it for good.
    pub async fn remove(self) {
        self.api.delete(&self.name, &DeleteParams::default()).await.unwrap();
    }
}
