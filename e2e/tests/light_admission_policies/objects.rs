//! What is put to the policies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The longest life of a token, in seconds.
pub const LIMIT: i64 = 86_400;
/// What a message says to do instead.
pub const PROJECTED: &str = "mount a projected service-account token";
pub const SHORTER: &str = "ask for a shorter life";

/// A kind with a Pod template.
pub struct Shape {
    pub path: &'static str,
    pub pointer: &'static str,
    pub wrap: fn(Value) -> Value,
}

impl Shape {
    pub fn object(&self, spec: Value, annotations: Value) -> Value {
        let template = json!({"metadata": {"labels": {"app": "one"}, "annotations": annotations}, "spec": spec});
        let mut object = (self.wrap)(template);
        object["metadata"]["name"] = json!("one");
        object
    }
}

pub fn workload(template: Value) -> Value {
    json!({"metadata": {}, "spec": {"selector": {"matchLabels": {"app": "one"}}, "template": template}})
}

pub fn job(mut template: Value) -> Value {
    template["spec"]["restartPolicy"] = json!("Never");
    json!({"metadata": {}, "spec": {"template": template}})
}

pub const DEPLOYMENTS: &str = "/apis/apps/v1/{ns}/deployments";

pub const SHAPES: &[Shape] = &[
    Shape {
        path: "/api/v1/{ns}/pods",
        pointer: "",
        wrap: |template| template,
    },
    Shape {
        path: DEPLOYMENTS,
        pointer: "/spec/template",
        wrap: workload,
    },
    Shape {
        path: "/apis/apps/v1/{ns}/statefulsets",
        pointer: "/spec/template",
        wrap: workload,
    },
    Shape {
        path: "/apis/apps/v1/{ns}/daemonsets",
        pointer: "/spec/template",
        wrap: workload,
    },
    Shape {
        path: "/apis/apps/v1/{ns}/replicasets",
        pointer: "/spec/template",
        wrap: workload,
    },
    Shape {
        path: "/api/v1/{ns}/replicationcontrollers",
        pointer: "/spec/template",
        wrap: |template| json!({"metadata": {}, "spec": {"template": template}}),
    },
    Shape {
        path: "/apis/batch/v1/{ns}/jobs",
        pointer: "/spec/template",
        wrap: job,
    },
    Shape {
        path: "/apis/batch/v1/{ns}/cronjobs",
        pointer: "/spec/jobTemplate/spec/template",
        wrap: |template| json!({"metadata": {}, "spec": {"schedule": "0 0 * * *", "jobTemplate": job(template)}}),
    },
    Shape {
        path: "/api/v1/{ns}/podtemplates",
        pointer: "/template",
        wrap: |template| json!({"metadata": {}, "template": template}),
    },
];

pub const EKS: &str = "eks.amazonaws.com/token-expiration";
pub const AZURE: &str = "azure.workload.identity/service-account-token-expiration";
pub const CSR: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
pub const WAIVER: &str = "countersign.dev/waiver";

/// A Pod with a projected token for each of the lives, all in its second volume.
pub fn pod(lives: &[i64]) -> Value {
    let sources: Vec<Value> = lives
        .iter()
        .enumerate()
        .map(|(index, seconds)| {
            json!({"serviceAccountToken": {"path": format!("token-{index}"), "audience": "api", "expirationSeconds": seconds}})
        })
        .collect();
    json!({
        "containers": [{"name": "main", "image": "localhost/echo:1"}],
        "volumes": [{"name": "scratch", "emptyDir": {}}, {"name": "tokens", "projected": {"sources": sources}}],
    })
}

pub fn secret(kind: &str, data: Value) -> Value {
    json!({
        "metadata": {"name": "one", "annotations": {"kubernetes.io/service-account.name": "default"}},
        "type": kind, "stringData": data,
    })
}

pub fn account(annotations: Value) -> Value {
    json!({"metadata": {"name": "one", "annotations": annotations}})
}

pub fn token_request(seconds: i64) -> Value {
    json!({"spec": {"audiences": ["api"], "expirationSeconds": seconds}})
}

pub fn certificate_request(signer: &str, seconds: Value) -> Value {
    let key = rcgen::KeyPair::generate().unwrap();
    let request = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
    let mut spec = json!({
        "request": STANDARD.encode(request.pem().unwrap()), "signerName": signer, "usages": ["client auth"],
    });
    if !seconds.is_null() {
        spec["expirationSeconds"] = seconds;
    }
    json!({"metadata": {"name": "one"}, "spec": spec})
}
