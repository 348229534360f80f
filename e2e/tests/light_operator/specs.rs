//! Whatever is in an object, it gets a status, and the operator goes on.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::ensure;
use e2e::https::{HttpsServer, Page};
use e2e::{Issuer, wait_for};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::cluster::{Cluster, admits, condition, identity, policy, policy_with};
use crate::process::Operator;

/// Specs that the schema lets through. Each has what its message must name.
fn understood_too_late() -> Vec<(&'static str, Value, &'static str)> {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut spec = admits("/v1");
        change(&mut spec);
        spec
    };
    vec![
        (
            "unknown-field",
            with(&|spec| spec["rules"][0]["scope"] = json!(["a"])),
            "scope",
        ),
        ("unknown-top", with(&|spec| spec["rate"] = json!(1)), "rate"),
        (
            "no-such-target",
            with(&|spec| spec["targetRefs"][0]["name"] = json!("nowhere")),
            "nowhere",
        ),
        (
            "no-such-identity",
            with(&|spec| spec["rules"][0]["callers"] = json!([{"serviceIdentity": {"name": "nobody"}}])),
            "nobody",
        ),
        (
            "no-such-issuer",
            with(&|spec| spec["credentials"]["jwt"] = json!([{"issuer": "no-idp", "audiences": ["a"]}])),
            "no-idp",
        ),
        (
            "bad-path",
            with(&|spec| spec["rules"][0]["operations"][0]["paths"] = json!([{"exact": "/a/../b"}])),
            "path",
        ),
        (
            "no-credentials",
            with(&|spec| spec["credentials"] = json!({})),
            "credentials",
        ),
    ]
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn what_the_schema_lets_through_gets_a_message_that_names_it() {
    let cluster = Cluster::turn().await;
    let shop = cluster.shop("bad").await;
    let mut operator = Operator::start(&cluster).await;
    for (name, spec, named) in understood_too_late() {
        cluster.apply(policy_with(shop.name(), name, &spec)).await;
        let now = judged(&cluster, "ApiAuthPolicy", shop.name(), name).await;
        let ready = condition(&now, "Ready");
        assert_eq!(ready["status"], "False", "{name}: {ready}");
        let message = ready["message"].as_str().unwrap();
        assert!(message.contains(named), "{name}: {message}");
    }
    assert!(operator.runs());
    let healthy = cluster.apply(policy(shop.name(), "good", "/v1")).await;
    cluster.until_ready(&healthy, "True", "Enforcing").await;
}

/// Anything at all, as a spec.
fn junk() -> Vec<Value> {
    vec![
        json!({}),
        json!("text"),
        json!(7),
        json!([]),
        json!({"targetRefs": "api"}),
        json!({"targetRefs": [null, 1, {"kind": 3}]}),
        json!({"selector": {"matchLabels": {}}}),
        json!({"selector": {"matchLabels": {"a": 1}}, "targetRefs": []}),
        json!({"targetRefs": [{"kind": "Service", "name": "api"}], "sensitivity": "Cosmic", "mode": "Maybe"}),
        json!({"targetRefs": [{"kind": "Service", "name": "api"}], "rules": {"a": "b"}, "credentials": [1]}),
        json!({"targetRefs": [{"kind": "Service", "name": "api"}], "rules": [{"name": "\u{0}\u{202e}", "callers": [{}]}]}),
        json!({"targetRefs": [{"kind": "Secret", "group": "x/y/z", "name": "../../etc"}]}),
        json!({"external": {"issuer": 1, "jwks": "{", "maxTokenLifetime": "forever"}}),
        json!({"external": {"issuer": "https://x", "jwksUri": "ftp://[", "caBundle": "no", "maxTokenLifetime": "10m"}}),
        json!({"serviceAccountName": ["a"]}),
        json!({"serviceAccountName": "UPPER/../x"}),
    ]
}

/// The API server would refuse most of this; but an object may have been written before the schema said so.
#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn what_no_schema_would_let_through_gets_a_status_too() {
    let cluster = Cluster::turn().await;
    let shop = cluster.shop("junk").await;
    let mut operator = Operator::start(&cluster).await;
    let kinds = [
        ("ApiAuthPolicy", "apiauthpolicies"),
        ("ServiceIdentity", "serviceidentities"),
        ("TokenIssuer", "tokenissuers"),
    ];
    let mut definitions = Vec::new();
    for (kind, plural) in kinds {
        let name = format!("{plural}.countersign.dev");
        definitions.push((
            name.clone(),
            cluster.get("CustomResourceDefinition", "", &name).await.unwrap(),
        ));
        let open = json!([{
            "op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec",
            "value": {"x-kubernetes-preserve-unknown-fields": true},
        }]);
        let open = serde_json::from_value(open).unwrap();
        let definition = cluster.api("CustomResourceDefinition", "");
        definition
            .patch(&name, &PatchParams::default(), &Patch::<()>::Json(open))
            .await
            .unwrap();
        let namespace = if kind == "TokenIssuer" { "" } else { shop.name() };
        for (number, spec) in junk().into_iter().enumerate() {
            let object = json!({
                "apiVersion": "countersign.dev/v1alpha1", "kind": kind,
                "metadata": {"name": format!("junk-{number}"), "namespace": namespace}, "spec": spec,
            });
            // The new schema takes a moment to be in force.
            wait_for("junk to be let through", Duration::from_secs(10), || async {
                Ok(cluster.try_apply(&object).await?)
            })
            .await
            .unwrap();
        }
    }
    for (kind, _) in kinds {
        let namespace = if kind == "TokenIssuer" { "" } else { shop.name() };
        for (number, spec) in junk().into_iter().enumerate() {
            let now = judged(&cluster, kind, namespace, &format!("junk-{number}")).await;
            let ready = condition(&now, "Ready");
            let meant = kind == "ServiceIdentity" && spec == json!({"serviceAccountName": "ok"});
            assert_eq!(ready["status"] == "True", meant, "{kind} {spec}: {ready}");
            assert!(!ready["message"].as_str().unwrap().is_empty());
        }
    }
    assert!(operator.runs());
    for (kind, _) in kinds {
        let namespace = if kind == "TokenIssuer" { "" } else { shop.name() };
        for number in 0..junk().len() {
            cluster.delete(kind, namespace, &format!("junk-{number}")).await;
        }
    }
    for (name, definition) in definitions {
        let restore = json!([{"op": "replace", "path": "/spec", "value": definition["spec"]}]);
        let restore = serde_json::from_value(restore).unwrap();
        let api = cluster.api("CustomResourceDefinition", "");
        api.patch(&name, &PatchParams::default(), &Patch::<()>::Json(restore))
            .await
            .unwrap();
    }
    assert!(!operator.logged().contains("panicked"));
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn identities_say_what_they_are() {
    let cluster = Cluster::turn().await;
    let shop = cluster.shop("identity").await;
    let _operator = Operator::start(&cluster).await;
    let object = cluster.apply(identity(shop.name(), "billing")).await;
    let now = cluster.until_ready(&object, "True", "Ready").await;
    assert_eq!(now["status"]["spiffeId"], json!(shop.spiffe_id("billing")));
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn keys_are_fetched_and_kept_while_the_issuer_is_away() {
    let cluster = Cluster::turn().await;
    let shop = cluster.shop("keys").await;
    let _operator = Operator::start(&cluster).await;
    let idp = Issuer::new("https://idp.example").unwrap();
    let pages = vec![
        Page::found("/jwks", &idp.jwks().unwrap().to_string()),
        Page::found("/large", &"x".repeat(70_000)),
        Page {
            status: "302 Found".to_owned(),
            header: "location: http://127.0.0.1:1/jwks".to_owned(),
            ..Page::found("/to-plain-http", "")
        },
    ];
    let server = HttpsServer::serve(Ipv4Addr::LOCALHOST.into(), pages).await.unwrap();

    let name = format!("idp-{}", shop.name());
    let issuer = |uri: String| {
        json!({
            "apiVersion": "countersign.dev/v1alpha1", "kind": "TokenIssuer", "metadata": {"name": name},
            "spec": {"external": {
                "issuer": "https://idp.example", "jwksUri": uri, "caBundle": server.authority, "maxTokenLifetime": "10m",
            }},
        })
    };
    let object = cluster.apply(issuer(server.url("/jwks"))).await;
    let now = cluster.until_ready(&object, "True", "Ready").await;
    assert_eq!(
        (&now["status"]["keyCount"], &now["status"]["jwksUri"]),
        (&json!(2), &json!(server.url("/jwks")))
    );

    let mut spec = admits("/v1");
    spec["credentials"] = json!({"jwt": [{"issuer": name, "audiences": ["api"]}]});
    spec["rules"][0]["callers"] = json!([{"client": {"issuer": name, "id": "app"}}]);
    let api = cluster.apply(policy_with(shop.name(), "api", &spec)).await;
    cluster.until_ready(&api, "True", "Enforcing").await;
    let tokens = cluster.role(&api, "tokens").await.unwrap();
    assert!(
        tokens["spec"]["jwtRules"][0]["jwks"]
            .as_str()
            .unwrap()
            .contains("\"ec\""),
        "{tokens}"
    );

    // Keys of one place are not those of another, and a server that is not trusted gives none.
    let moved = cluster.apply(issuer(server.url("/elsewhere"))).await;
    let now = cluster.until_ready(&moved, "False", "FetchFailed").await;
    assert!(
        condition(&now, "Ready")["message"].as_str().unwrap().contains("404"),
        "{now}"
    );
    cluster.until_ready(&api, "False", "IssuerNotReady").await;
    let plain = cluster.apply(issuer(server.url("/to-plain-http"))).await;
    cluster.until_ready(&plain, "False", "FetchFailed").await;
    let large = cluster.apply(issuer(server.url("/large"))).await;
    let now = cluster.until_ready(&large, "False", "FetchFailed").await;
    assert!(
        condition(&now, "Ready")["message"]
            .as_str()
            .unwrap()
            .contains("65536 bytes"),
        "{now}"
    );

    let back = cluster.apply(issuer(server.url("/jwks"))).await;
    cluster.until_ready(&back, "True", "Ready").await;
    cluster.until_ready(&api, "True", "Enforcing").await;
    drop(server);
    cluster.apply(issuer_again(&cluster, &name).await).await;
    wait_for(
        "the fetch to fail and the keys to be kept",
        Duration::from_secs(20),
        || async {
            let now = cluster.get("TokenIssuer", "", &name).await.unwrap();
            let keys = condition(&now, "KeysAvailable");
            ensure!(
                keys["reason"] == "UsingLastFetched" && now["status"]["keyCount"] == 2,
                "{}",
                now["status"]
            );
            Ok(())
        },
    )
    .await
    .unwrap();
    cluster.delete("TokenIssuer", "", &name).await;
}

/// The issuer with another lifetime, so that its keys are fetched anew.
async fn issuer_again(cluster: &Cluster, name: &str) -> Value {
    let now = cluster.get("TokenIssuer", "", name).await.unwrap();
    let mut spec = now["spec"].clone();
    spec["external"]["maxTokenLifetime"] = json!("9m");
    json!({"apiVersion": now["apiVersion"], "kind": "TokenIssuer", "metadata": {"name": name}, "spec": spec})
}

/// Waits until an object has a status for what it says now.
async fn judged(cluster: &Cluster, kind: &str, namespace: &str, name: &str) -> Value {
    wait_for(
        &format!("{kind} {name} to be judged"),
        Duration::from_secs(20),
        || async {
            let now = cluster.get(kind, namespace, name).await.unwrap();
            ensure!(
                now["status"]["observedGeneration"] == now["metadata"]["generation"],
                "{}",
                now["status"]
            );
            Ok(now)
        },
    )
    .await
    .unwrap()
}
