//! The webhook's answer to a body: any bytes, and a review around any object.
#![no_main]

use std::sync::LazyLock;

use countersign_fuzz::{NOW, choice};
use countersign_policy::world::MeshSettings;
use countersign_scan::FingerprintKey;
use countersign_webhook::answer::{Question, State, answer};
use countersign_webhook::cluster::Cluster;
use countersign_webhook::judge::Judge;
use countersign_webhook::metrics::Metrics;
use countersign_webhook::own::{Others, Own, OwnSettings};
use countersign_webhook::settings::Settings;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};

static STATE: LazyLock<State> = LazyLock::new(|| {
    let (own, _) = Own::new(OwnSettings {
        mesh: MeshSettings {
            trust_domain: "cluster.local".parse().expect("a trust domain"),
            root_namespace: "istio-system".to_owned(),
        },
        refuse_unknown_issuer: true,
        longest_waiver: 1,
    });
    State {
        judge: Judge::new(&Settings::default(), FingerprintKey::new([7; 32]), "countersign-system"),
        own,
        cluster: Cluster::default(),
        metrics: Metrics::register(&mut Registry::default()),
    }
});

fn ask(body: &[u8]) {
    ask_one(&Question::Credentials, body);
    ask_one(&Question::Own(Others::NotRead("there is no cluster".to_owned())), body);
}

fn ask_one(question: &Question, body: &[u8]) {
    let now = Timestamp::from_second(NOW).expect("a time");
    let Ok(answer) = answer(question, body, &STATE, now) else {
        return;
    };
    let answer: Value = serde_json::from_slice(&answer).expect("an answer is JSON");
    assert!(answer["response"]["uid"].is_string(), "an answer names its question");
    assert!(answer["response"]["allowed"].is_boolean(), "an answer says yes or no");
}

fuzz_target!(|data: &[u8]| {
    ask(data);
    let Some((choices, object)) = choice(data) else {
        return;
    };
    let Ok(object) = serde_json::from_slice::<Value>(object) else {
        return;
    };
    let operation = ["CREATE", "UPDATE", "DELETE", "CONNECT"][choices % 4];
    let (group, kind) = [
        ("", "Secret"),
        ("", "ConfigMap"),
        ("", "Pod"),
        ("countersign.dev", "CredentialWaiver"),
        ("countersign.dev", "ApiAuthPolicy"),
    ][choices / 4 % 5];
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "1", "operation": operation,
        "kind": {"group": group, "version": "v1", "kind": kind}, "resource": {"group": group, "version": "v1", "resource": "things"},
        "namespace": "shop", "name": "a", "userInfo": {"username": "someone", "groups": ["system:authenticated"]},
        "object": object, "oldObject": if choices > 127 { json!({}) } else { Value::Null }}});
    ask(review.to_string().as_bytes());
});
