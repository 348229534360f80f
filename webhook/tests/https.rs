//! The webhook over HTTPS, with a real client and without a cluster.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    dead_code,
    reason = "test code: a panic is how a test fails; each user of the support takes its part"
)]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use countersign_runtime::https::Server;
use countersign_runtime::tls::Current;
use countersign_webhook::LIMITS;
use countersign_webhook::handler::router;
use prometheus_client::registry::Registry;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rstest::rstest;
use serde_json::{Value, json};
use support::{Client, certificate, connect, reader, state};
use tokio_util::sync::CancellationToken;

/// A webhook that serves until it is dropped.
struct Webhook {
    address: SocketAddr,
    current: Current,
    stop: CancellationToken,
    registry: Registry,
    done: tokio::task::JoinHandle<()>,
}

async fn serve() -> Webhook {
    let current = Current::default();
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), &current, LIMITS)
        .await
        .unwrap();
    let (state, registry) = state().unwrap();
    let stop = CancellationToken::new();
    Webhook {
        address: server.address().unwrap(),
        current,
        registry,
        done: tokio::spawn(server.run(router(state, reader().unwrap()), stop.clone())),
        stop,
    }
}

impl Webhook {
    fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }
}

fn review(env: Value) -> Vec<u8> {
    let object = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "app"},
        "spec": {"containers": [{"name": "app", "image": "app", "env": env}]},
    });
    serde_json::to_vec(&json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "some", "operation": "CREATE", "namespace": "shop", "name": "app",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "userInfo": {"username": "ann"}, "object": object,
        },
    }))
    .unwrap()
}

#[rstest]
#[case::http1("http/1.1")]
#[case::http2("h2")]
#[tokio::test]
async fn reviews_are_answered(#[case] protocol: &str) {
    let webhook = serve().await;
    let issued = certificate().unwrap();
    webhook.current.set(Arc::clone(&issued.served));
    let mut client = Client::connect(webhook.address, &[&issued.authority], protocol)
        .await
        .unwrap();
    let token = json!([{"name": "POD_TOKEN", "value": literal()}]);
    for (env, allowed) in [(json!([]), true), (token, false), (json!([]), true)] {
        let (code, answer) = client.send("POST", "/validate?timeout=3s", review(env)).await.unwrap();
        assert_eq!(code, 200);
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["response"]["allowed"], allowed, "{answer}");
        assert_eq!(answer["response"]["uid"], "some");
    }
    let metrics = webhook.metrics();
    assert!(
        metrics.contains("admission_requests_total{operation=\"CREATE\",outcome=\"Allowed\"} 2"),
        "{metrics}"
    );
}

/// A literal that nobody uses.
fn literal() -> String {
    let mut random = StdRng::seed_from_u64(1);
    (0..20).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect()
}

#[tokio::test]
async fn what_is_no_review_is_a_bad_request() {
    let webhook = serve().await;
    let issued = certificate().unwrap();
    webhook.current.set(Arc::clone(&issued.served));
    let mut client = Client::connect(webhook.address, &[&issued.authority], "h2")
        .await
        .unwrap();
    for (method, path, body, expected) in [
        ("POST", "/validate", b"{}".to_vec(), 400),
        ("GET", "/validate", Vec::new(), 405),
        ("POST", "/", b"{}".to_vec(), 404),
        ("POST", "/validate", vec![b' '; 8 * 1024 * 1024], 413),
    ] {
        let (code, _) = client.send(method, path, body).await.unwrap();
        assert_eq!(code, expected, "{method} {path}");
    }
    let metrics = webhook.metrics();
    assert!(
        metrics.contains("operation=\"unknown\",outcome=\"Malformed\"} 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("operation=\"unknown\",outcome=\"TooLarge\"} 1"),
        "{metrics}"
    );
}

/// Then the failure policy decides.
#[tokio::test]
async fn a_request_that_outlives_its_deadline_is_not_answered_and_counted() {
    let webhook = serve().await;
    let issued = certificate().unwrap();
    webhook.current.set(Arc::clone(&issued.served));
    let mut client = Client::connect(webhook.address, &[&issued.authority], "h2")
        .await
        .unwrap();
    let (code, _) = client
        .send("POST", "/validate?timeout=1ns", review(json!([])))
        .await
        .unwrap();
    assert_eq!(code, 503);
    let metrics = webhook.metrics();
    assert!(metrics.contains("outcome=\"Late\"} 1"), "{metrics}");
}

#[tokio::test]
async fn before_there_is_a_certificate_no_connection_comes_about() {
    let webhook = serve().await;
    let issued = certificate().unwrap();
    assert!(connect(webhook.address, &[&issued.authority], "h2").await.is_err());
    webhook.current.set(Arc::clone(&issued.served));
    assert!(connect(webhook.address, &[&issued.authority], "h2").await.is_ok());
}

/// Connections that are open go on; new ones get the new certificate; what is not trusted is not spoken to.
#[tokio::test]
async fn a_certificate_changes_under_open_connections() {
    let webhook = serve().await;
    let (old, new) = (certificate().unwrap(), certificate().unwrap());
    webhook.current.set(Arc::clone(&old.served));
    let mut open = Client::connect(webhook.address, &[&old.authority], "h2").await.unwrap();
    webhook.current.set(Arc::clone(&new.served));
    let (code, _) = open.send("POST", "/validate", review(json!([]))).await.unwrap();
    assert_eq!(code, 200);
    assert!(
        connect(webhook.address, &[&old.authority], "h2").await.is_err(),
        "the old one is not served any more"
    );
    assert!(
        connect(webhook.address, &[&old.authority, &new.authority], "h2")
            .await
            .is_ok()
    );
    assert!(connect(webhook.address, &[&new.authority], "http/1.1").await.is_ok());
}

#[tokio::test]
async fn an_end_ends_connections_and_no_request() {
    let webhook = serve().await;
    let issued = certificate().unwrap();
    webhook.current.set(Arc::clone(&issued.served));
    let mut client = Client::connect(webhook.address, &[&issued.authority], "h2")
        .await
        .unwrap();
    assert_eq!(
        client.send("POST", "/validate", review(json!([]))).await.unwrap().0,
        200
    );
    webhook.stop.cancel();
    tokio::time::timeout(Duration::from_secs(30), webhook.done)
        .await
        .unwrap()
        .unwrap();
    assert!(client.send("POST", "/validate", review(json!([]))).await.is_err());
}
