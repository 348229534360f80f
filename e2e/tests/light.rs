//! The light testbed: `testbed run --light -- cargo test -p countersign-e2e --test light -- --ignored`.
#![allow(clippy::unwrap_used, reason = "test code: a panic is how a test fails")]

use e2e::Testbed;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn the_audit_log_tells_who_wrote_what() {
    let testbed = Testbed::from_env().await.unwrap();
    let namespace = testbed.namespace("audit", &[("colour", "blue")]).await.unwrap();
    let client = testbed.client_named("somebody/1.0").await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(client, namespace.name());
    let metadata = ObjectMeta {
        name: Some("one".to_owned()),
        ..ObjectMeta::default()
    };
    maps.create(
        &PostParams::default(),
        &ConfigMap {
            metadata,
            ..ConfigMap::default()
        },
    )
    .await
    .unwrap();
    maps.get("one").await.unwrap();

    let entries = testbed.audit().unwrap();
    let theirs: Vec<_> = entries
        .iter()
        .filter(|entry| entry.user_agent == "somebody/1.0")
        .collect();
    let verbs: Vec<_> = theirs.iter().map(|entry| entry.verb.as_str()).collect();
    assert_eq!(verbs, ["create", "get"]);
    assert!(theirs[0].is_write() && theirs[0].is_about("", "configmaps"));
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn manifests_are_applied_with_kubectl() {
    let testbed = Testbed::from_env().await.unwrap();
    let namespace = testbed.namespace("apply", &[]).await.unwrap();
    namespace
        .apply("{apiVersion: v1, kind: ServiceAccount, metadata: {name: me}}")
        .await
        .unwrap();
    let token = namespace
        .kubectl(&["create", "token", "me", "--audience", "there"])
        .await
        .unwrap();
    assert_eq!(token.trim().split('.').count(), 3);
}
