//! The kinds that are the signer's alone: what the API server takes, fills in and shows.

use serde_json::{Value, json};

use crate::cluster::{Cluster, condition};

fn object(kind: &str, spec: &Value) -> Value {
    json!({"apiVersion": "countersign.dev/v1alpha1", "kind": kind, "metadata": {"name": "test"}, "spec": spec})
}

fn ready() -> Value {
    json!([{"type": "Ready", "status": "True", "reason": "Ready", "message": "all is well",
        "lastTransitionTime": "2026-12-30T12:00:00Z"}])
}

async fn columns(cluster: &Cluster, plural: &str, expected: &[&str]) {
    let columns = cluster.testbed.kubectl(&["get", plural, "-o", "wide"]).await.unwrap();
    for column in expected {
        assert!(columns.contains(column), "{column} is not in\n{columns}");
    }
}

async fn refused(cluster: &Cluster, kind: &str, specs: &[(Value, &str)]) {
    for (spec, named) in specs {
        let error = cluster.try_apply(&object(kind, spec)).await.unwrap_err().to_string();
        assert!(error.contains(named), "{spec}: {error}");
    }
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_certificate_authority_is_checked_filled_in_and_shown() {
    let cluster = Cluster::turn().await;
    let kind = "CertificateAuthority";
    let specs = [
        (
            json!({"intermediate": {"duration": "2h"}}),
            "twice the shortest certificate",
        ),
        (
            json!({"root": {"duration": "1511h"}}),
            "at least 2 x intermediate.duration",
        ),
        (json!({"propagation": "0s"}), "longer than zero"),
        (json!({"propagation": "a day"}), "propagation"),
        (json!({"keyAlgorithm": "ED25519"}), "keyAlgorithm"),
        (
            json!({"revokedIntermediates": ["AB:CD"]}),
            "spec.revokedIntermediates[0]",
        ),
    ];
    refused(&cluster, kind, &specs).await;
    let own = json!({"intermediate": {"secretName": "from-vault"}, "root": {"duration": "1h"}});
    cluster.apply(object(kind, &own)).await;
    cluster.apply(object(kind, &json!({}))).await;
    let now = cluster.get(kind, "", "test").await.unwrap();
    let expected = json!({
        "keyAlgorithm": "ECDSAP256", "root": {"duration": "87600h"}, "intermediate": {"duration": "720h"}, "propagation": "24h",
    });
    assert_eq!(now["spec"], expected);
    assert_eq!(condition(&now, "Ready")["message"], "waiting for the signer");

    let root = |state: &str, until: &str| json!({"sha256": state, "notAfter": until, "state": state});
    let status = json!({
        "observedGeneration": 1, "phase": "RootPublished", "trustDomain": "cluster.example", "conditions": ready(),
        "roots": [root("Published", "2046-01-01T00:00:00Z"), root("Active", "2036-01-01T00:00:00Z")],
        "intermediate": {"sha256": "0b", "serialNumber": "0a", "notAfter": "2027-01-01T00:00:00Z", "issuer": "Active"},
        "nextStep": {"at": "2026-12-31T12:00:00Z", "what": "use the new root"},
        "rotatedFor": {"root": "1"},
    });
    cluster.sign(kind, "", "test", &status).await;
    let now = cluster.get(kind, "", "test").await.unwrap();
    assert_eq!(now["status"], status, "nothing of it is dropped");
    let shown = [
        "TRUST DOMAIN",
        "PHASE",
        "ROOT UNTIL",
        "INTERMEDIATE UNTIL",
        "READY",
        "AGE",
        "NEXT",
        "MESSAGE",
        "cluster.example",
        "RootPublished",
        "2036-01-01T00:00:00Z",
        "2027-01-01T00:00:00Z",
        "use the new root",
        "all is well",
    ];
    columns(&cluster, "certificateauthorities", &shown).await;
    cluster.delete(kind, "", "test").await;
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_foreign_trust_domain_is_checked_and_shown() {
    let cluster = Cluster::turn().await;
    let kind = "FederatedTrustDomain";
    let with = |change: &dyn Fn(&mut Value)| {
        let mut spec =
            json!({"trustDomain": "partner.example", "bundleEndpoint": {"url": "https://partner.example/bundle"}});
        change(&mut spec);
        spec
    };
    let specs = [
        (
            with(&|spec| spec["trustDomain"] = json!("spiffe://partner.example")),
            "trustDomain",
        ),
        (
            with(&|spec| spec["bundleEndpoint"]["url"] = json!("http://partner.example/bundle")),
            "url",
        ),
        (
            with(&|spec| spec["bundleEndpoint"]["profile"] = json!("HttpsSpiffe")),
            "profile",
        ),
        (with(&|spec| spec["refresh"] = json!("59s")), "at least 1m"),
    ];
    refused(&cluster, kind, &specs).await;
    cluster
        .apply(object(kind, &with(&|spec| spec["refresh"] = json!("1m"))))
        .await;
    let status = json!({
        "observedGeneration": 1, "sequence": 7, "roots": 2, "jwtKeys": 3, "refreshedAt": "2026-12-31T12:00:00Z",
        "conditions": ready(),
    });
    cluster.sign(kind, "", "test", &status).await;
    let now = cluster.get(kind, "", "test").await.unwrap();
    assert_eq!(now["status"], status, "nothing of it is dropped");
    let shown = [
        "TRUST DOMAIN",
        "ROOTS",
        "JWT KEYS",
        "REFRESHED",
        "READY",
        "URL",
        "SEQUENCE",
        "REASON",
        "MESSAGE",
        "AGE",
        "partner.example",
        "https://partner.example/bundle",
        "all is well",
    ];
    columns(&cluster, "federatedtrustdomains", &shown).await;
    cluster.delete(kind, "", "test").await;
}
