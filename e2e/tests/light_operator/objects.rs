//! What the operator writes, restores, leaves alone and removes.

use std::time::Duration;

use anyhow::ensure;
use e2e::{chart, wait_for};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::cluster::{Cluster, admits, condition, policy, policy_with, service};
use crate::process::Operator;

const LIMIT: Duration = Duration::from_secs(15);

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn objects_are_written_and_owned_and_the_status_says_so() {
    let cluster = Cluster::turn().await;
    let shop = cluster.shop("written").await;
    let _operator = Operator::start(&cluster).await;

    let api = cluster.apply(policy(shop.name(), "api", "/v1")).await;
    let now = cluster.until_ready(&api, "True", "Enforcing").await;

    assert_eq!(condition(&now, "Accepted")["status"], "True");
    assert_eq!(condition(&now, "Programmed")["status"], "True");
    assert_eq!(now["status"]["rules"][0]["outcome"], "Native");
    assert_eq!(cluster.roles(&api).await, ["allow", "deny", "guard", "transport"]);
    for (_, object) in cluster.written(&api).await {
        assert_eq!(
            object["metadata"]["labels"]["app.kubernetes.io/managed-by"],
            "countersign"
        );
        let owner = &object["metadata"]["ownerReferences"][0];
        assert_eq!(
            (&owner["uid"], &owner["controller"]),
            (&json!(api.metadata.uid), &json!(true)),
            "{object}"
        );
        let managers = object["metadata"]["managedFields"].as_array().unwrap();
        assert!(
            managers
                .iter()
                .all(|entry| entry["manager"] == "countersign.dev/operator"),
            "{managers:?}"
        );
    }
    let columns = shop.kubectl(&["get", "apiauthpolicies", "-o", "wide"]).await.unwrap();
    for column in [
        "TARGET",
        "SENSITIVITY",
        "CREDENTIALS",
        "MODE",
        "READY",
        "REASON",
        "AGE",
        "Service/api",
        "Internal",
        "mTLS",
        "Enforce",
        "True",
    ] {
        assert!(columns.contains(column), "{column} is not in\n{columns}");
    }
    shop.kubectl(&["wait", "--for=condition=Ready", "apiauthpolicy/api", "--timeout=5s"])
        .await
        .unwrap();
    let described = shop.kubectl(&["describe", "apiauthpolicy", "api"]).await.unwrap();
    assert!(
        described.contains("Enforcing") && described.contains("countersign.dev/operator"),
        "no event in\n{described}"
    );
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn readiness_that_changes_is_an_event() {
    let cluster = Cluster::turn().await;
    let shop = cluster.shop("events").await;
    let _operator = Operator::start(&cluster).await;
    let api = cluster.apply(policy(shop.name(), "api", "/v1")).await;
    cluster.until_ready(&api, "True", "Enforcing").await;

    cluster.delete("Service", shop.name(), "api").await;
    cluster.until_ready(&api, "False", "TargetNotFound").await;
    let roles = cluster.roles(&api).await;
    assert_eq!(
        roles,
        ["deny", "guard", "transport"],
        "it keeps refusing what it refused"
    );
    cluster.apply(service(shop.name(), "api")).await;
    cluster.until_ready(&api, "True", "Enforcing").await;

    wait_for("three events", LIMIT, || async {
        let mut reasons: Vec<_> = cluster
            .list("Event", shop.name())
            .await
            .into_iter()
            .map(|event| {
                (
                    event["type"].as_str().unwrap().to_owned(),
                    event["reason"].as_str().unwrap().to_owned(),
                )
            })
            .collect();
        reasons.sort();
        let expected = [
            ("Normal", "Enforcing"),
            ("Normal", "Enforcing"),
            ("Warning", "TargetNotFound"),
        ];
        ensure!(
            reasons
                .iter()
                .map(|(kind, reason)| (kind.as_str(), reason.as_str()))
                .eq(expected),
            "{reasons:?}"
        );
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn an_object_of_somebody_else_is_left_alone() {
    let cluster = Cluster::turn().await;
    let shop = cluster.shop("foreign").await;
    let operator = Operator::start(&cluster).await;

    // What name the operator will choose is learnt from a first policy.
    let api = cluster.apply(policy(shop.name(), "api", "/v1")).await;
    cluster.until_ready(&api, "True", "Enforcing").await;
    let deny = cluster.role(&api, "deny").await.unwrap();
    let name = deny["metadata"]["name"].as_str().unwrap().to_owned();
    cluster.delete("ApiAuthPolicy", shop.name(), "api").await;
    until_gone(&cluster, shop.name()).await;

    let theirs = json!({
        "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
        "metadata": {"name": name, "namespace": shop.name(), "labels": {"team": "other"}},
        "spec": {"action": "ALLOW", "rules": [{}]},
    });
    let theirs = cluster.apply(theirs).await;
    let api = cluster.apply(policy(shop.name(), "api", "/v1")).await;
    let now = cluster.until_ready(&api, "False", "Conflicted").await;
    assert!(
        condition(&now, "Programmed")["message"]
            .as_str()
            .unwrap()
            .contains(&name),
        "{now}"
    );
    tokio::time::sleep(Duration::from_secs(3)).await;
    let still = cluster.get("AuthorizationPolicy", shop.name(), &name).await.unwrap();
    assert_eq!(
        still["metadata"]["resourceVersion"],
        json!(theirs.metadata.resource_version),
        "it was touched"
    );
    assert_eq!(
        cluster.roles(&api).await,
        ["guard", "transport"],
        "what admits is not written without what denies; what only refuses is"
    );

    // Trying again costs no writes.
    let before = operator.writes().await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(operator.writes().await, before);

    cluster.delete("AuthorizationPolicy", shop.name(), &name).await;
    wait_for("the policy to take its place", Duration::from_secs(70), || async {
        let roles = cluster.roles(&api).await;
        ensure!(roles == ["allow", "deny", "guard", "transport"], "{roles:?}");
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn what_others_change_is_restored() {
    let cluster = Cluster::turn().await;
    let shop = cluster.shop("drift").await;
    let _operator = Operator::start(&cluster).await;
    let api = cluster.apply(policy(shop.name(), "api", "/v1")).await;
    cluster.until_ready(&api, "True", "Enforcing").await;
    let before = cluster.written(&api).await;

    let drifts: [(&str, Value); 7] = [
        ("allow", json!({"spec": {"rules": [{}]}})),
        ("deny", json!({"spec": {"rules": [{}]}})),
        (
            "deny",
            json!({"metadata": {"annotations": {"istio.io/dry-run": "true"}}}),
        ),
        ("deny", json!({"metadata": {"labels": {"istio.io/rev": "elsewhere"}}})),
        ("transport", json!({"spec": {"mtls": {"mode": "PERMISSIVE"}}})),
        ("allow", json!({"metadata": {"ownerReferences": null}})),
        (
            "guard",
            json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": null}}}),
        ),
    ];
    for (role, drift) in drifts {
        let object = cluster.role(&api, role).await.unwrap();
        let kind = object["kind"].as_str().unwrap();
        let name = object["metadata"]["name"].as_str().unwrap();
        let objects = cluster.api(kind, shop.name());
        let patched = objects
            .patch(name, &PatchParams::default(), &Patch::Merge(&drift))
            .await
            .unwrap();
        wait_for(&format!("{role} to be restored after {drift}"), LIMIT, || async {
            let now = cluster.get(kind, shop.name(), name).await.unwrap();
            ensure!(
                now["metadata"]["resourceVersion"] != json!(patched.metadata.resource_version),
                "it was not written"
            );
            let (_, meant) = before.iter().find(|(of, _)| of == role).unwrap();
            let meaning = |object: &Value| {
                let metadata = &object["metadata"];
                json!([
                    object["spec"],
                    metadata["labels"],
                    metadata["annotations"],
                    metadata["ownerReferences"]
                ])
            };
            ensure!(meaning(&now) == meaning(meant), "{now}");
            Ok(())
        })
        .await
        .unwrap();
    }
    for (role, object) in cluster.written(&api).await {
        cluster
            .delete(
                object["kind"].as_str().unwrap(),
                shop.name(),
                object["metadata"]["name"].as_str().unwrap(),
            )
            .await;
        wait_for(&format!("{role} to be written again"), LIMIT, || async {
            cluster.role(&api, &role).await
        })
        .await
        .unwrap();
    }
    cluster.until_ready(&api, "True", "Enforcing").await;
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn what_is_no_longer_wanted_is_removed() {
    let cluster = Cluster::turn().await;
    let shop = cluster.shop("prune").await;
    let operator = Operator::start(&cluster).await;
    let mut two = admits("/v1");
    two["targetRefs"] = json!([{"kind": "Service", "name": "api"}, {"kind": "Service", "name": "second"}]);
    cluster.apply(service(shop.name(), "second")).await;
    let api = cluster.apply(policy_with(shop.name(), "api", &two)).await;
    cluster.until_ready(&api, "True", "Enforcing").await;
    assert_eq!(cluster.roles(&api).await.len(), 8);
    let api = cluster.apply(policy(shop.name(), "api", "/v1")).await;
    wait_for("the objects of the second target to go", LIMIT, || async {
        let roles = cluster.roles(&api).await;
        ensure!(roles == ["allow", "deny", "guard", "transport"], "{roles:?}");
        Ok(())
    })
    .await
    .unwrap();

    // A policy that goes while nobody watches leaves orphans, which the next start removes: this API server has no
    // garbage collector.
    let other = cluster.apply(policy(shop.name(), "other", "/v1")).await;
    cluster.until_ready(&other, "True", "Enforcing").await;
    assert!(operator.stop().await);
    cluster.delete("ApiAuthPolicy", shop.name(), "api").await;
    assert_eq!(cluster.roles(&api).await.len(), 4);
    let operator = Operator::start(&cluster).await;
    wait_for("the orphans to go", LIMIT, || async {
        let roles = cluster.roles(&api).await;
        ensure!(roles.is_empty(), "{roles:?}");
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(cluster.roles(&other).await.len(), 4);

    // The same while it watches, and the name is free for a new policy.
    cluster.delete("ApiAuthPolicy", shop.name(), "other").await;
    let again = cluster.apply(policy(shop.name(), "other", "/v2")).await;
    cluster.until_ready(&again, "True", "Enforcing").await;
    assert_eq!(cluster.roles(&other).await, [""; 0]);
    assert_eq!(cluster.roles(&again).await.len(), 4);
    assert!(operator.stop().await);
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn kinds_that_are_missing_are_waited_for() {
    let cluster = Cluster::turn().await;
    let shop = cluster.shop("kinds").await;
    let crd = "envoyfilters.networking.istio.io";
    let definition = cluster.get("CustomResourceDefinition", "", crd).await.unwrap();
    cluster.delete("CustomResourceDefinition", "", crd).await;
    wait_for("the CRD to go", LIMIT, || async {
        ensure!(
            cluster.get("CustomResourceDefinition", "", crd).await.is_none(),
            "it is still there"
        );
        Ok(())
    })
    .await
    .unwrap();
    let operator = Operator::start(&cluster).await;
    let api = cluster.apply(policy(shop.name(), "api", "/v1")).await;
    let now = cluster.until_ready(&api, "False", "NotInstalled").await;
    assert!(
        condition(&now, "Programmed")["message"]
            .as_str()
            .unwrap()
            .contains("EnvoyFilter"),
        "{now}"
    );
    let metrics = operator.ask("/metrics").await.unwrap();
    assert!(metrics.contains(r#"countersign_kind_served{kind="EnvoyFilter"} 0"#));
    wait_for("all up to the missing kind to be written", LIMIT, || async {
        let params = kube::api::ListParams::default();
        let written = cluster
            .api("AuthorizationPolicy", shop.name())
            .list(&params)
            .await?
            .items
            .len();
        ensure!(
            written == 1,
            "{written} AuthorizationPolicies: the one that denies, without the one that admits"
        );
        Ok(())
    })
    .await
    .unwrap();

    let fresh = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": crd}, "spec": definition["spec"],
    });
    cluster.apply(fresh).await;
    cluster.until_ready(&api, "True", "Enforcing").await;

    // The Gateway API, which was never there.
    let gateway = json!({
        "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"}],
        "sensitivity": "Internal",
        "credentials": {"mutualTls": {}},
    });
    let edge = cluster.apply(policy_with(shop.name(), "edge", &gateway)).await;
    cluster.until_ready(&edge, "False", "TargetNotFound").await;
    chart::install_gateway_kinds(&cluster.testbed).await.unwrap();
    cluster
        .apply(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": "edge", "namespace": shop.name()},
            "spec": {"gatewayClassName": "istio", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
        }))
        .await;
    wait_for("the Gateway to be found", Duration::from_secs(20), || async {
        let now = cluster.get("ApiAuthPolicy", shop.name(), "edge").await.unwrap();
        ensure!(
            condition(&now, "Ready")["reason"] != "TargetNotFound",
            "{}",
            now["status"]
        );
        Ok(())
    })
    .await
    .unwrap();
    assert!(operator.stop().await);
}

/// Waits until nothing that the operator wrote is in a namespace.
async fn until_gone(cluster: &Cluster, namespace: &str) {
    wait_for("all objects to go", LIMIT, || async {
        for kind in crate::cluster::MESH {
            let left = cluster.list(kind, namespace).await.len();
            ensure!(left == 0, "{left} {kind}");
        }
        Ok(())
    })
    .await
    .unwrap();
}
