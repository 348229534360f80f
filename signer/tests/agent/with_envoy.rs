//! A real Envoy that lives by the agent's secrets, at both ends of a connection.

use serde_json::Value;
use tokio::task::block_in_place;

use super::*;
use crate::envoy::{Envoy, cluster};

/// What an end shows, and whom it expects: both by the agent.
fn context(trusted: &str, other: &str) -> Value {
    let agent = json!({
        "resource_api_version": "V3",
        "api_config_source": {
            "api_type": "GRPC",
            "transport_api_version": "V3",
            "grpc_services": [{"envoy_grpc": {"cluster_name": "agent"}}],
        },
    });
    json!({
        "tls_certificate_sds_secret_configs": [{"name": "default", "sds_config": agent}],
        "combined_validation_context": {
            "default_validation_context": {
                "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": {"exact": other}}],
            },
            "validation_context_sds_secret_config": {"name": trusted, "sds_config": agent},
        },
    })
}

/// An Envoy, and how its ends find the agent.
fn start(node: &Node, server: &Value, client: &Value) -> Envoy {
    let http2 = json!({"explicit_http_config": {"http2_protocol_options": {}}});
    Envoy::start(server, client, &[cluster("agent", &node.socket(), http2)])
}

#[rstest]
#[case::by_the_own_roots("ROOTCA")]
#[case::by_all_roots("ALL")]
#[tokio::test(flavor = "multi_thread")]
async fn both_ends_live_by_the_agents_secrets(#[case] trusted: &str) {
    let node = Node::start().await.unwrap();
    let context = context(trusted, ID);
    let mut envoy = start(&node, &context, &context);
    let mut until = |status, says: &str| block_in_place(|| envoy.until(status, says));
    until(200, &format!("x-client: {ID}"));

    // Another root: what Envoy is sent it takes, and its own certificate is not trusted any more.
    let other = bundle("cluster.local", &Ca::new().unwrap().root, &Key::new("k2"));
    let before = current(&node);
    node.signer.bundles.send_replace(Arc::new(Bundles::new(other.clone())));
    until(503, "CERTIFICATE_VERIFY_FAILED");
    // The root of before as that of a foreign trust domain does not bring it back.
    let mut forged = Bundles::new(other);
    let partner = bundle("partner.example", &node.signer.ca.root, &Key::new("k3"));
    forged.federate(partner).unwrap();
    node.signer.bundles.send_replace(Arc::new(forged));
    tokio::time::sleep(Duration::from_secs(1)).await;
    until(503, "CERTIFICATE_VERIFY_FAILED");
    node.signer.bundles.send_replace(before);
    until(200, "x-client");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_expected_is_refused() {
    let node = Node::start().await.unwrap();
    let server = context("ALL", "spiffe://cluster.local/ns/shop/sa/admin");
    let mut envoy = start(&node, &server, &context("ALL", ID));
    block_in_place(|| envoy.until(503, "ALERT_CERTIFICATE_UNKNOWN"));
}
