//! Objects with and without credentials. Passwords are made when the test runs.

use rand::RngExt as _;
use serde_json::{Value, json};

/// A password that nobody ever used.
pub fn password() -> String {
    let mut random = rand::rng();
    (0..20).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect()
}

/// A Deployment whose container has this environment.
pub fn deployment(name: &str, env: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": "localhost/none:1", "env": env}]},
            },
        },
    })
}

/// A Pod that holds nothing.
pub fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [{"name": "app", "image": "localhost/none:1"}]},
    })
}

/// A literal password in an environment variable.
pub fn literal(password: &str) -> Value {
    json!([{"name": "DB_PASSWORD", "value": password}])
}

/// The same, done right.
pub fn reference() -> Value {
    json!([{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}])
}

/// A Secret with a password, and perhaps an owner of this API version and kind.
pub fn secret(name: &str, owner: Option<(&str, &str)>) -> Value {
    let owners: Vec<Value> = owner
        .into_iter()
        .map(|(version, kind)| {
            json!({"apiVersion": version, "kind": kind, "name": name, "uid": "6f5f4f50-0000-4000-8000-000000000001"})
        })
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "ownerReferences": owners},
        "stringData": {"password": password()},
    })
}
