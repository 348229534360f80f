//! A workload, as far as objects go: a node, a service account with an identity, and a Pod.

use std::time::Duration;

use e2e::{ApiUser, Namespace, SIGNING_REQUESTS, wait_for};
use serde_json::{Value, json};

use crate::cluster::Cluster;

const DOCUMENTATION: &str = include_str!("../../../docs/workload-certificates.md");

/// A workload in a namespace of its own.
pub struct Workload {
    pub namespace: Namespace,
    pub admin: ApiUser,
    pub node: Value,
    pub account: Value,
    pub pod: Value,
}

impl Workload {
    /// Makes one as the service account `api`, with an identity that is handed out by one way.
    pub async fn new(cluster: &Cluster, delivery: &str) -> Self {
        let namespace = cluster.testbed.namespace("workload", &[]).await.unwrap();
        let admin = ApiUser::admin(&namespace);
        let node = json!({"metadata": {"name": format!("node-{}", namespace.name())}});
        let node = admin.create("/api/v1/nodes", &node).await.unwrap();
        let account = json!({"metadata": {"name": "api"}});
        let account = admin.create("/api/v1/{ns}/serviceaccounts", &account).await.unwrap();
        let identity = json!({
            "apiVersion": "countersign.dev/v1alpha1", "kind": "ServiceIdentity", "metadata": {"name": "api"},
            "spec": {"serviceAccountName": "api", "delivery": [delivery]},
        });
        let identities = "/apis/countersign.dev/v1alpha1/{ns}/serviceidentities";
        admin.create(identities, &identity).await.unwrap();
        let pod = json!({
            "metadata": {"name": "api"},
            "spec": {
                "serviceAccountName": "api", "nodeName": node["metadata"]["name"], "automountServiceAccountToken": false,
                "containers": [{"name": "main", "image": "none"}],
            },
        });
        let pod = admin.create("/api/v1/{ns}/pods", &pod).await.unwrap();
        Self {
            namespace,
            admin,
            node,
            account,
            pod,
        }
    }

    /// Whoever has a token of its service account, as one is asked for with these options.
    pub async fn user(&self, options: &[&str]) -> ApiUser {
        let token = self.namespace.account_token("api", options).await.unwrap();
        ApiUser::by_token(&self.namespace, &token).await.unwrap()
    }

    /// The workload itself: its token is bound to its Pod.
    pub async fn itself(&self) -> ApiUser {
        self.user(&["--bound-object-kind=Pod", "--bound-object-name=api"]).await
    }

    /// Gives its service account the rights that the documentation has, and waits until the API server knows.
    pub async fn may_request_certificates(&self) {
        let testbed = self.namespace.testbed();
        testbed.apply(documented_role()).await.unwrap();
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": format!("certificate-requester-{}", self.namespace.name())},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "certificate-requester",
            },
            "subjects": [{"kind": "ServiceAccount", "name": "api", "namespace": self.namespace.name()}],
        });
        testbed.apply(&binding.to_string()).await.unwrap();
        let itself = self.itself().await;
        wait_for("the rights to be known", Duration::from_secs(20), || async {
            // What is not there is told to those alone who may see it.
            match get(&itself, &format!("{SIGNING_REQUESTS}/none")).await {
                Err(said) if said.contains("not found") => Ok(()),
                other => anyhow::bail!("{other:?}"),
            }
        })
        .await
        .unwrap();
    }
}

/// The rights that the documentation says who asks by a `CertificateSigningRequest` needs.
fn documented_role() -> &'static str {
    let blocks = DOCUMENTATION.split("```yaml\n").skip(1);
    let mut roles = blocks
        .filter_map(|block| block.split("```").next())
        .filter(|block| block.contains("kind: ClusterRole"));
    let role = roles.next().unwrap();
    assert_eq!(roles.next(), None, "the documentation has one role");
    role
}

/// Gets an object.
pub async fn get(user: &ApiUser, path: &str) -> Result<Value, String> {
    user.send("GET", path, "application/json", &Value::Null).await
}
