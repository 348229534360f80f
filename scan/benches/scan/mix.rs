//! Objects in the sizes and shapes of a cluster's: half are under 300 bytes, one in a hundred is over 20 KB. They hold no
//! credential, as nearly all that an API server sees.

use std::fmt::Write;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

const WORDS: &[&str] = &[
    "access",
    "address",
    "after",
    "agent",
    "annotation",
    "api",
    "application",
    "available",
    "backend",
    "before",
    "cache",
    "certificate",
    "cluster",
    "condition",
    "config",
    "container",
    "controller",
    "default",
    "deployment",
    "describes",
    "endpoint",
    "field",
    "frontend",
    "gateway",
    "gives",
    "group",
    "health",
    "host",
    "image",
    "internal",
    "is",
    "key",
    "label",
    "latest",
    "list",
    "may",
    "memory",
    "must",
    "name",
    "namespace",
    "not",
    "object",
    "of",
    "optional",
    "orders",
    "password",
    "path",
    "payments",
    "policy",
    "port",
    "production",
    "reference",
    "replica",
    "request",
    "resource",
    "route",
    "secret",
    "selector",
    "server",
    "service",
    "set",
    "status",
    "storage",
    "string",
    "the",
    "timeout",
    "to",
    "token",
    "type",
    "update",
    "url",
    "used",
    "value",
    "version",
    "volume",
    "web",
    "which",
    "worker",
];

/// Objects as an API server sends them.
pub fn objects(seed: u64, count: usize) -> Vec<Vec<u8>> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..count).map(|_| object(&mut rng).to_string().into_bytes()).collect()
}

fn object(rng: &mut StdRng) -> Value {
    match rng.random_range(0..1000) {
        0..130 => service(rng),
        130..260 => role_binding(rng),
        260..370 => account(rng),
        370..520 => settings(rng),
        520..640 => role(rng),
        640..760 => route(rng),
        760..900 => workload(rng, "Deployment"),
        900..960 => pod(rng),
        960..990 => config_file(rng),
        990..998 => definition(rng),
        _ => dashboard(rng),
    }
}

fn name(rng: &mut StdRng) -> String {
    format!("{}-{}", word(rng), word(rng))
}

fn word(rng: &mut StdRng) -> &'static str {
    WORDS.choose(rng).unwrap_or(&"word")
}

fn hex(rng: &mut StdRng, digits: usize) -> String {
    (0..digits)
        .map(|_| char::from(b"0123456789abcdef"[rng.random_range(0..16)]))
        .collect()
}

fn uuid(rng: &mut StdRng) -> String {
    let parts = [8, 4, 4, 4, 12].map(|digits| hex(rng, digits));
    parts.join("-")
}

fn prose(rng: &mut StdRng, words: usize) -> String {
    let words: Vec<&str> = (0..words).map(|_| word(rng)).collect();
    words.join(" ")
}

fn labels(rng: &mut StdRng) -> Value {
    json!({"app.kubernetes.io/name": word(rng), "app.kubernetes.io/part-of": word(rng)})
}

fn metadata(rng: &mut StdRng) -> Value {
    json!({"name": name(rng), "namespace": word(rng), "labels": {"app": word(rng)}})
}

fn service(rng: &mut StdRng) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata(rng), "spec": {
        "ports": [{"name": "http", "port": rng.random_range(80..9000), "targetPort": 8080, "protocol": "TCP"}],
        "selector": {"app": word(rng)}}})
}

fn role_binding(rng: &mut StdRng) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata(rng),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name(rng)},
        "subjects": [{"kind": "ServiceAccount", "name": word(rng)}]})
}

fn account(rng: &mut StdRng) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(rng)})
}

fn settings(rng: &mut StdRng) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name(rng), "namespace": word(rng)}, "data": {
        "LOG_LEVEL": "info", "SERVICE_URL": format!("http://{}.{}.svc:8080/", word(rng), word(rng)), "RETRIES": "3"}})
}

fn role(rng: &mut StdRng) -> Value {
    let rules: Vec<Value> = (0..rng.random_range(2..8))
        .map(|_| json!({"apiGroups": ["", "apps"], "resources": [word(rng), "secrets"], "verbs": ["get", "list", "watch"]}))
        .collect();
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": name(rng), "labels": labels(rng)}, "rules": rules})
}

fn route(rng: &mut StdRng) -> Value {
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata(rng), "spec": {
        "parentRefs": [{"name": name(rng), "namespace": word(rng)}], "hostnames": [format!("{}.example.com", word(rng))],
        "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": format!("/{}", word(rng))}}],
            "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [
                {"name": "x-request-source", "value": word(rng)}]}}],
            "backendRefs": [{"name": name(rng), "port": 8080}]}]}})
}

fn container(rng: &mut StdRng) -> Value {
    let mut env = vec![
        json!({"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": name(rng), "key": "password"}}}),
        json!({"name": "TOKEN_FILE", "value": "/var/run/secrets/tokens/token"}),
        json!({"name": "DATABASE_URL", "value": format!("postgres://$(DB_USER):$(DB_PASSWORD)@{}:5432/app", word(rng))}),
    ];
    env.extend((0..rng.random_range(0..12)).map(|_| {
        json!({"name": format!("{}_{}", word(rng), word(rng)).to_uppercase(), "value": rng.random_range(1..3600).to_string()})
    }));
    json!({"name": word(rng), "image": format!("registry.example.com/{}@sha256:{}", name(rng), hex(rng, 64)),
        "args": ["--config=/etc/app/config.yaml", format!("--log-level={}", word(rng)), "--leader-elect"], "env": env,
        "ports": [{"containerPort": 8080, "name": "http"}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}, {"name": "token", "mountPath": "/var/run/secrets/tokens"}],
        "securityContext": {"runAsNonRoot": true, "capabilities": {"drop": ["ALL"]}}})
}

fn pod_spec(rng: &mut StdRng) -> Value {
    let containers: Vec<Value> = (0..rng.random_range(1..4)).map(|_| container(rng)).collect();
    json!({"serviceAccountName": name(rng), "containers": containers, "imagePullSecrets": [{"name": "registry"}], "volumes": [
        {"name": "config", "configMap": {"name": name(rng)}}, {"name": "tls", "secret": {"secretName": name(rng)}},
        {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"audience": "api", "expirationSeconds": 3607, "path": "token"}}]}}]})
}

fn workload(rng: &mut StdRng, kind: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": metadata(rng), "spec": {"replicas": 2,
        "selector": {"matchLabels": {"app": word(rng)}},
        "template": {"metadata": {"labels": labels(rng), "annotations": {"checksum/config": hex(rng, 64)}}, "spec": pod_spec(rng)}}})
}

/// A Pod as it is stored: with who manages each of its fields, and its status.
fn pod(rng: &mut StdRng) -> Value {
    let fields: serde_json::Map<String, Value> = (0..30)
        .map(|_| (format!("f:{}", name(rng)), json!({".": {}, "f:value": {}})))
        .collect();
    let statuses: Vec<Value> = (0..3)
        .map(|_| {
            json!({"containerID": format!("containerd://{}", hex(rng, 64)), "name": word(rng), "ready": true,
            "imageID": format!("registry.example.com/{}@sha256:{}", name(rng), hex(rng, 64)), "restartCount": 0})
        })
        .collect();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("{}-{}", name(rng), hex(rng, 10)), "uid": uuid(rng),
        "resourceVersion": "184467", "managedFields": [{"manager": "kubelet", "operation": "Update", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:status": fields}}], "ownerReferences": [{"kind": "ReplicaSet", "name": name(rng), "uid": uuid(rng)}]},
        "spec": pod_spec(rng), "status": {"phase": "Running", "podIP": "10.1.2.3", "containerStatuses": statuses,
            "conditions": [{"type": "Ready", "status": "True", "message": prose(rng, 12)}]}})
}

/// A config file of the kind that programs read: some YAML, some properties.
fn config_file(rng: &mut StdRng) -> Value {
    let mut yaml = String::new();
    for section in 0..rng.random_range(4..40) {
        let _ = writeln!(yaml, "{}_{section}:", word(rng));
        for number in 0..4 {
            let _ = writeln!(yaml, "  {}{number}: {}", word(rng), word(rng));
        }
    }
    let mut properties = String::new();
    for _ in 0..rng.random_range(20..100) {
        let _ = writeln!(
            properties,
            "{}.{}={}",
            word(rng),
            word(rng),
            rng.random_range(0..10_000)
        );
    }
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(rng),
        "data": {"config.yaml": yaml, "application.properties": properties, "notes.txt": prose(rng, 80)}})
}

/// A definition of a custom resource: mostly descriptions, in words that names of secrets are made of too.
fn definition(rng: &mut StdRng) -> Value {
    let properties: serde_json::Map<String, Value> = (0..rng.random_range(100..300))
        .map(|number| {
            let length = rng.random_range(8..40);
            (
                format!("{}{number}", word(rng)),
                json!({"type": "string", "description": prose(rng, length)}),
            )
        })
        .collect();
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things"}, "versions": [{
            "name": "v1", "served": true, "storage": true,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}}}]}})
}

/// A dashboard: a ConfigMap with JSON in a string.
fn dashboard(rng: &mut StdRng) -> Value {
    let panels: Vec<Value> = (0..rng.random_range(40..120))
        .map(|id| json!({"id": id, "title": prose(rng, 4), "type": "timeseries", "gridPos": {"h": 8, "w": 12, "x": 0, "y": id},
            "targets": [{"expr": format!("sum(rate({}_{}_total{{job=\"{}\"}}[5m])) by (code)", word(rng), word(rng), word(rng)),
                "legendFormat": "{{code}}", "refId": "A"}], "datasource": {"type": "prometheus", "uid": hex(rng, 9)}}))
        .collect();
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(rng),
        "data": {"dashboard.json": json!({"uid": hex(rng, 9), "panels": panels}).to_string()}})
}
