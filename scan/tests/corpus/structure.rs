//! Objects whose structure alone is a credential, or asks for one that lives too long.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

const DAY: i64 = 86_400;

/// An object, and the rule that must find something in it or must not.
pub type Judged = (&'static str, Value);

/// One of each kind that must be found.
pub fn positives(rng: &mut StdRng, now: i64) -> Vec<Judged> {
    let long = rng.random_range(DAY + 1..100 * 365 * DAY);
    let end = |seconds: i64| jiff::Timestamp::from_second(seconds).unwrap().to_string();
    let (id, secret) = (draw(rng, 6), draw(rng, 16));
    let password = draw(rng, 20);
    vec![
        (
            "service-account-token-secret",
            json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
            "metadata": {"name": draw(rng, 8), "annotations": {"kubernetes.io/service-account.name": draw(rng, 5)}}}),
        ),
        (
            "service-account-secrets",
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"},
            "secrets": [{"name": format!("{}-token-{}", draw(rng, 5), draw(rng, 5))}]}),
        ),
        ("projected-token-long-lived", projected(long)),
        (
            "projected-token-long-lived",
            json!({"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": "a"},
            "spec": {"tokenRequests": [{"audience": "a", "expirationSeconds": long}]}}),
        ),
        ("token-request-long-lived", token_request(long)),
        (
            "token-annotation-long-lived",
            annotated("eks.amazonaws.com/token-expiration", &long.to_string()),
        ),
        (
            "token-annotation-long-lived",
            annotated(
                "azure.workload.identity/service-account-token-expiration",
                &long.to_string(),
            ),
        ),
        (
            "certificate-request-long-lived",
            certificate_request(Some(rng.random_range(90 * DAY + 1..i64::from(i32::MAX)))),
        ),
        ("bootstrap-token", bootstrap(&id, &secret, None)),
        ("bootstrap-token", bootstrap(&id, &secret, Some(&end(now + long)))),
        (
            "kubeadm-join-token",
            json!({"apiVersion": "bootstrap.cluster.x-k8s.io/v1beta1", "kind": "KubeadmConfig", "metadata": {"name": "a"},
            "spec": {"joinConfiguration": {"discovery": {"bootstrapToken": {"token": format!("{id}.{secret}")}}}}}),
        ),
        (
            "registry-credential",
            registry(&json!({"auth": BASE64_STANDARD.encode(format!("user:{password}"))})),
        ),
        (
            "registry-credential",
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "type": "kubernetes.io/dockercfg",
            "data": {".dockercfg": BASE64_STANDARD.encode(json!({"r.example.com": {"auth": BASE64_STANDARD.encode(format!("robot:{password}"))}}).to_string())}}),
        ),
        (
            "too-deep",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": encoded(&draw(rng, 30), 12)}}),
        ),
        (
            "random-value",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"fixture": random_looking(rng)}}),
        ),
        ("aws-secret-key", aws(rng)),
    ]
}

/// Of each kind, one that is as it should be.
pub fn negatives(rng: &mut StdRng, now: i64) -> Vec<Judged> {
    let short = rng.random_range(600..=DAY);
    let (id, secret) = (draw(rng, 6), draw(rng, 16));
    let end = jiff::Timestamp::from_second(now + short).unwrap().to_string();
    vec![
        (
            "service-account-token-secret",
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": draw(rng, 8)}, "type": "Opaque"}),
        ),
        (
            "service-account-secrets",
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"},
            "imagePullSecrets": [{"name": format!("registry-{}", draw(rng, 5))}]}),
        ),
        ("projected-token-long-lived", projected(short)),
        ("projected-token-long-lived", projected(3607)),
        ("token-request-long-lived", token_request(short)),
        (
            "token-annotation-long-lived",
            annotated("eks.amazonaws.com/token-expiration", &short.to_string()),
        ),
        (
            "certificate-request-long-lived",
            certificate_request(Some(rng.random_range(600..=90 * DAY))),
        ),
        ("bootstrap-token", bootstrap(&id, &secret, Some(&end))),
        (
            "kubeadm-join-token",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},
            "data": {"release": format!("{}.{}", draw(rng, 6), draw(rng, 15)), "image": format!("{}.{}", draw(rng, 6), draw(rng, 16))}}),
        ),
        (
            "registry-credential",
            registry(&json!({"auth": BASE64_STANDARD.encode("user:")})),
        ),
        (
            "registry-credential",
            registry(&json!({"auth": "${REGISTRY_AUTH}", "email": "a@example.com"})),
        ),
        (
            "too-deep",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": encoded("a plain sentence, nothing else", 3)}}),
        ),
        (
            "random-value",
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"template": {"metadata": {
            "annotations": {"checksum/config": hex(rng, 64)}}, "spec": {"containers": [{"image": format!("app@sha256:{}", hex(rng, 64))}]}}}}),
        ),
        (
            "aws-secret-key",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"commit": hex(rng, 40)}}),
        ),
    ]
}

/// What only settings ask for.
pub fn asked_for(rng: &mut StdRng) -> Vec<Judged> {
    vec![
        (
            "literal-secret-value",
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"anything": draw(rng, 9)}}),
        ),
        (
            "google-access-token",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": format!("ya29.{}", draw(rng, 120))}}),
        ),
    ]
}

fn draw(rng: &mut StdRng, length: usize) -> String {
    // The digit keeps it from being a word, a name or a placeholder.
    let letters = (1..length).map(|_| char::from(b"abcdefghijklmnopqrstuvwxyz0123456789"[rng.random_range(0..36)]));
    letters.chain(['7']).collect()
}

fn hex(rng: &mut StdRng, digits: usize) -> String {
    (0..digits)
        .map(|_| char::from(b"0123456789abcdef"[rng.random_range(0..16)]))
        .collect()
}

fn random_looking(rng: &mut StdRng) -> String {
    (0..20)
        .flat_map(|_| {
            [
                char::from(b"qxzjvkwQXZJVKW"[rng.random_range(0..14)]),
                char::from(b'2' + rng.random_range(0..8_u8)),
            ]
        })
        .collect()
}

fn projected(seconds: i64) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "a", "image": "a"}], "volumes": [
        {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"audience": "a", "path": "token", "expirationSeconds": seconds}}]}}]}})
}

fn token_request(seconds: i64) -> Value {
    json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["a"], "expirationSeconds": seconds}})
}

fn annotated(key: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a", "annotations": {key: value}}})
}

fn certificate_request(seconds: Option<i64>) -> Value {
    json!({"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": "a"}, "spec": {
        "signerName": "kubernetes.io/kube-apiserver-client", "expirationSeconds": seconds, "usages": ["client auth"]}})
}

fn bootstrap(id: &str, secret: &str, end: Option<&str>) -> Value {
    let mut data = json!({"token-id": id, "token-secret": secret, "usage-bootstrap-authentication": "true"});
    if let Some(end) = end {
        data["expiration"] = json!(end);
    }
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": format!("bootstrap-token-{id}")},
        "type": "bootstrap.kubernetes.io/token", "stringData": data})
}

fn registry(entry: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": json!({"auths": {"registry.example.com": entry}}).to_string()}})
}

fn encoded(text: &str, times: usize) -> String {
    (0..times).fold(text.to_owned(), |text, _| BASE64_STANDARD.encode(text))
}

fn aws(rng: &mut StdRng) -> Value {
    let (id, secret) = countersign_scan::testing::aws_key(rng);
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"user": id, "other": secret}})
}
