//! What the operator says of a `ServiceIdentity`, and what it leaves to the signer.

use std::time::Duration;

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::cluster::{Cluster, condition, identity};
use crate::process::Operator;

const KIND: &str = "ServiceIdentity";

/// What the signer says of an identity, with a private key in a Secret.
fn signed(live: i64, more: &[Value]) -> Value {
    let mut conditions = vec![said("Issued", "True", "Issued")];
    conditions.extend(more.iter().cloned());
    json!({
        "delivery": ["PodCertificate", "Secret"], "live": live, "conditions": conditions,
        "certificate": {"serialNumber": "0a1b2c", "notAfter": "2026-12-31T12:00:00Z"},
    })
}

fn said(name: &str, status: &str, reason: &str) -> Value {
    json!({"type": name, "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-12-30T12:00:00Z"})
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn operator_and_signer_share_a_status_and_neither_removes_what_the_other_wrote() {
    let cluster = Cluster::turn().await;
    let shop = cluster.testbed.namespace("shared", &[]).await.unwrap();
    let ns = shop.name();
    let operator = Operator::start(&cluster).await;
    let of_signer = |object: &Value| {
        let status = &object["status"];
        json!([
            status["delivery"],
            status["live"],
            status["certificate"],
            condition(object, "Issued")
        ])
    };

    let web = cluster.apply(identity(ns, "web")).await;
    let now = cluster.until_ready(&web, "True", "Ready").await;
    assert_eq!(
        now["status"]["spiffeId"],
        format!("spiffe://cluster.local/ns/{ns}/sa/web")
    );
    assert_eq!(
        now["spec"]["certificate"]["duration"], "24h",
        "the API server fills in what was left out"
    );

    let before = operator.writes().await;
    cluster
        .sign(KIND, ns, "web", &signed(2, &[said("KeyAtRest", "True", "Secret")]))
        .await;
    let now = cluster.until_ready(&web, "True", "Ready").await;
    assert_eq!(condition(&now, "KeyAtRest")["status"], "True");
    let columns = shop.kubectl(&["get", "serviceidentities", "-o", "wide"]).await.unwrap();
    for column in [
        "SERVICE ACCOUNT",
        "SPIFFE ID",
        "NOT AFTER",
        "LIVE",
        "READY",
        "AGE",
        "DELIVERY",
        "REASON",
        "MESSAGE",
        "2026-12-31T12:00:00Z",
        "PodCertificate",
        "/sa/web",
        "policies can name this identity",
    ] {
        assert!(columns.contains(column), "{column} is not in\n{columns}");
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        operator.writes().await,
        before,
        "a new certificate is no news for the operator"
    );

    // The operator writes: what the signer said stays.
    let meant = of_signer(&now);
    let mut changed = identity(ns, "web");
    changed["spec"]["spiffePath"] = json!(format!("/ns/{ns}/web/v2"));
    let web = cluster.apply(changed.clone()).await;
    let now = cluster.until_ready(&web, "True", "Ready").await;
    assert_eq!(
        now["status"]["spiffeId"],
        format!("spiffe://cluster.local/ns/{ns}/web/v2")
    );
    assert!(
        condition(&now, "Ready")["message"]
            .as_str()
            .unwrap()
            .contains("/sa/web"),
        "{now}"
    );
    assert_eq!(of_signer(&now), meant);
    assert_eq!(condition(&now, "KeyAtRest")["status"], "True");

    // The signer writes, and takes something back: what the operator said stays.
    let ready = condition(&now, "Ready").clone();
    cluster.sign(KIND, ns, "web", &signed(3, &[])).await;
    let now = cluster.get(KIND, ns, "web").await.unwrap();
    assert_eq!(
        (&now["status"]["live"], condition(&now, "KeyAtRest")),
        (&json!(3), &Value::Null)
    );
    assert_eq!(condition(&now, "Ready"), &ready);

    // A SPIFFE ID that somebody else wrote too goes all the same when it is none any more.
    let somebody = json!({"status": {"spiffeId": "spiffe://somebody/else"}});
    let api = cluster.api(KIND, ns);
    api.patch_status("web", &PatchParams::default(), &Patch::Merge(&somebody))
        .await
        .unwrap();
    changed["spec"]["spiffePath"] = json!("/ns/elsewhere/web");
    let web = cluster.apply(changed).await;
    let now = cluster.until_ready(&web, "False", "Invalid").await;
    assert!(
        condition(&now, "Ready")["message"]
            .as_str()
            .unwrap()
            .contains("spec.spiffePath"),
        "{now}"
    );
    assert_eq!(now["status"]["spiffeId"], Value::Null);
    assert_eq!(
        (&now["status"]["live"], &condition(&now, "Issued")["status"]),
        (&json!(3), &json!("True"))
    );
    assert!(operator.stop().await);
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn of_two_identities_of_a_service_account_the_older_holds_it() {
    let cluster = Cluster::turn().await;
    let shop = cluster.testbed.namespace("held", &[]).await.unwrap();
    let ns = shop.name();
    let operator = Operator::start(&cluster).await;
    let web = |name: &str| {
        let mut object = identity(ns, name);
        object["spec"]["serviceAccountName"] = json!("web");
        object
    };
    let older = cluster.apply(web("older")).await;
    cluster.until_ready(&older, "True", "Ready").await;
    // Creation is dated to the second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let newer = cluster.apply(web("a-newer")).await;
    let now = cluster.until_ready(&newer, "False", "Conflicted").await;
    let message = condition(&now, "Ready")["message"].as_str().unwrap();
    assert!(
        message.contains(&format!("`{ns}/older`")) && message.contains("delete one of the two"),
        "{message}"
    );
    cluster.until_ready(&older, "True", "Ready").await;

    cluster.delete(KIND, ns, "older").await;
    cluster.until_ready(&newer, "True", "Ready").await;
    assert!(operator.stop().await);
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn the_api_server_refuses_what_no_certificate_can_be() {
    let cluster = Cluster::turn().await;
    let shop = cluster.testbed.namespace("profile", &[]).await.unwrap();
    let with = |part: Value| {
        let mut object = identity(shop.name(), "web");
        object["spec"]
            .as_object_mut()
            .unwrap()
            .extend(part.as_object().unwrap().clone());
        object
    };
    for (part, named) in [
        (json!({"certificate": {"duration": "59m"}}), "from 1h to 2160h"),
        (json!({"certificate": {"duration": "2161h"}}), "from 1h to 2160h"),
        (json!({"certificate": {"renewAfterPercent": 96}}), "renewAfterPercent"),
        (json!({"certificate": {"keyAlgorithm": "RSA2048"}}), "keyAlgorithm"),
        (json!({"certificate": {"dnsNames": ["*.web"]}}), "dnsNames"),
        (json!({"certificate": {"usages": []}}), "usages"),
        (
            json!({"certificate": {"usages": ["ClientAuth", "ClientAuth"]}}),
            "duplicate entries",
        ),
        (json!({"delivery": ["Secret"]}), "secretName goes with delivery Secret"),
        (json!({"secretName": "web-tls"}), "secretName goes with delivery Secret"),
        (json!({"spiffePath": "/sa/web"}), "spiffePath"),
    ] {
        let error = cluster.try_apply(&with(part.clone())).await.unwrap_err().to_string();
        assert!(error.contains(named), "{part}: {error}");
    }
    let all = json!({
        "certificate": {"duration": "2160h", "renewAfterPercent": 95, "keyAlgorithm": "RSA4096", "usages": ["ClientAuth"],
            "dnsNames": ["web.shop.svc", "web-0.web.shop.svc.cluster.local"]},
        "delivery": ["PodCertificate", "CertificateSigningRequest", "IstioCA", "WorkloadAPI", "Secret"], "secretName": "web-tls",
        "spiffePath": "/ns/shop/web",
    });
    cluster.apply(with(all)).await;
    cluster.apply(with(json!({"delivery": []}))).await;
}
