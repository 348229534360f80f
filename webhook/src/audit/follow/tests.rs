use countersign_scan::FingerprintKey;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::judge::Judge;
use crate::settings::Settings;

fn owner(version: &str, kind: &str) -> Value {
    json!({"metadata": {"name": "a", "ownerReferences": [
        {"apiVersion": version, "kind": kind, "name": "o", "uid": "1", "controller": true},
    ]}})
}

fn of_type(mut object: Value, name: &str) -> Value {
    object["type"] = json!(name);
    object
}

#[rstest]
#[case::controllers_secret("", "secrets", owner("cert-manager.io/v1", "Certificate"), true)]
#[case::peoples_secret("", "secrets", json!({"metadata": {"name": "a"}}), false)]
#[case::secret_of_another_owner("", "secrets", owner("apps/v1", "Deployment"), false)]
#[case::endless_token(
    "",
    "secrets",
    of_type(owner("cert-manager.io/v1", "Certificate"), "kubernetes.io/service-account-token"),
    false
)]
#[case::helm_release(
    "",
    "secrets",
    of_type(owner("cert-manager.io/v1", "Certificate"), "helm.sh/release.v1"),
    false
)]
#[case::pod_of_a_replica_set("", "pods", owner("apps/v1", "ReplicaSet"), true)]
#[case::pod_of_a_custom_controller("", "pods", owner("example.com/v1", "Database"), false)]
#[case::pod_by_hand("", "pods", json!({"metadata": {"name": "a"}}), false)]
#[case::replica_set("apps", "replicasets", owner("apps/v1", "Deployment"), true)]
#[case::config_map("", "configmaps", owner("apps/v1", "Deployment"), false)]
fn copies_and_controllers_own_secrets_are_not_looked_into(
    #[case] group: &str,
    #[case] plural: &str,
    #[case] object: Value,
    #[case] owned: bool,
) {
    let judge = Judge::new(&Settings::default(), FingerprintKey::new([7; 32]), "countersign-system");
    let text = object.to_string();
    let node = read_json(text.as_bytes()).unwrap();
    assert_eq!(judge.is_owned(group, plural, &node), owned);
}

/// Its own key must not be what the audit reports first.
#[test]
fn the_key_of_fingerprints_is_no_finding() {
    use base64::Engine as _;
    let judge = Judge::new(&Settings::default(), FingerprintKey::new([7; 32]), "countersign-system");
    let mut random = StdRng::seed_from_u64(4);
    for _ in 0..100 {
        let key: [u8; 32] = random.random();
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": "countersign-webhook-fingerprints", "namespace": "countersign-system"},
            "data": {"key": base64::engine::general_purpose::STANDARD.encode(key)},
        });
        let text = secret.to_string();
        let found = judge.scanner().scan_json(text.as_bytes(), 0).unwrap();
        assert!(found.is_empty(), "{found:?}");
    }
}
