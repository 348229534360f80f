//! The testbed with Istio: `testbed run --istio -- cargo test -p countersign-e2e --test mesh -- --ignored`.
#![allow(clippy::unwrap_used, reason = "test code: a panic is how a test fails")]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use e2e::{Issuer, MeshClient, Namespace, Request, Testbed, Workload, wait_for};
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(20);

async fn mesh(prefix: &str) -> Namespace {
    let testbed = Testbed::from_env().await.unwrap();
    testbed
        .namespace(prefix, &[("istio-injection", "enabled")])
        .await
        .unwrap()
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn a_sidecar_enforces_an_authorization_policy() {
    let namespace = mesh("sidecar").await;
    let (target, friend) = (Workload::echo("payments"), Workload::echo("orders"));
    let (target, friend) = tokio::try_join!(namespace.deploy(&target), namespace.deploy(&friend)).unwrap();
    namespace
        .apply(&format!(
            "{{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {{name: strict}},
               spec: {{mtls: {{mode: STRICT}}}}}}
---
{{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {{name: payments}},
  spec: {{selector: {{matchLabels: {{app: payments}}}},
          rules: [{{from: [{{source: {{principals: [cluster.local/ns/{}/sa/orders]}}}}],
                    to: [{{operation: {{methods: [GET], paths: [\"/v1/refunds/*\"]}}}}]}}]}}}}",
            namespace.name()
        ))
        .await
        .unwrap();

    let testbed = namespace.testbed();
    let orders = MeshClient::new(testbed, &namespace.spiffe_id("orders")).unwrap();
    let stranger = MeshClient::new(testbed, &namespace.spiffe_id("reports")).unwrap();
    let get = Request::get("/v1/refunds/1");
    wait_for("the policy to be enforced", LIMIT, || async {
        let answer = stranger.send(target.address, &get).await;
        ensure!(answer.status() == Some(403), "a stranger got {answer:?}");
        Ok(())
    })
    .await
    .unwrap();

    let answer = orders.send(target.address, &get).await;
    assert_eq!(answer.status(), Some(200), "{answer:?}");
    assert!(answer.body().contains(&namespace.spiffe_id("orders")), "{answer:?}");
    assert_eq!(
        orders.send(target.address, &Request::get("/v1/other")).await.status(),
        Some(403)
    );
    assert_eq!(
        orders
            .send(target.address, &Request::new("POST", "/v1/refunds/1"))
            .await
            .status(),
        Some(403)
    );

    for (what, answer) in [
        ("plain text", get.send_plain(target.address).await),
        (
            "no certificate",
            MeshClient::anonymous(testbed).unwrap().send(target.address, &get).await,
        ),
        (
            "an expired certificate",
            MeshClient::expired(testbed, &namespace.spiffe_id("orders"))
                .unwrap()
                .send(target.address, &get)
                .await,
        ),
        (
            "a foreign certificate",
            MeshClient::foreign(testbed, &namespace.spiffe_id("orders"))
                .unwrap()
                .send(target.address, &get)
                .await,
        ),
    ] {
        assert!(answer.is_reset(), "{what} got {answer:?}");
    }

    let url = format!("{}/v1/refunds/1", target.url);
    assert_eq!(namespace.call_from(&friend, &url, &[]).await.unwrap(), "200");
    assert_eq!(namespace.call_from(&target, &url, &[]).await.unwrap(), "403");
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn a_gateway_checks_tokens() {
    let namespace = mesh("gateway").await;
    let issuer = Issuer::new("https://idp.test").unwrap();
    namespace.deploy(&Workload::echo("payments")).await.unwrap();
    let target = json!([{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "front"}]);
    let manifest = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "front", "annotations": {
            "networking.istio.io/service-type": "ClusterIP"}}, "spec": {"gatewayClassName": "istio",
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}},
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "payments"}, "spec": {
            "parentRefs": [{"name": "front"}], "rules": [{"backendRefs": [{"name": "payments", "port": 8080}]}]}},
        {"apiVersion": "security.istio.io/v1", "kind": "RequestAuthentication", "metadata": {"name": "tokens"}, "spec": {
            "targetRefs": target, "jwtRules": [{"issuer": issuer.url(), "audiences": ["payments"],
                "jwks": issuer.jwks().unwrap().to_string()}]}},
        {"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": {"name": "tokens"}, "spec": {
            "targetRefs": target, "rules": [{"from": [{"source": {"requestPrincipals": ["https://idp.test/*"]}}]}]}},
    ]});
    namespace.apply(&manifest.to_string()).await.unwrap();

    let get = Request::get("/v1/refunds/1");
    let address = wait_for("the gateway to ask for tokens", Duration::from_mins(1), || async {
        let ip = namespace
            .kubectl(&["get", "service", "front-istio", "-o", "jsonpath={.spec.clusterIP}"])
            .await?;
        let address = SocketAddr::new(ip.trim().parse::<IpAddr>().context("no address yet")?, 80);
        let answer = get.send_plain(address).await;
        ensure!(answer.status() == Some(403), "without a token: {answer:?}");
        Ok(address)
    })
    .await
    .unwrap();

    let claims = json!({"sub": "someone", "aud": "payments"});
    for (what, token, expected) in [
        ("a good token", issuer.token(&claims).unwrap(), 200),
        (
            "another audience",
            issuer.token(&json!({"sub": "someone", "aud": "orders"})).unwrap(),
            403,
        ),
        (
            "an expired token",
            issuer
                .token(&json!({"sub": "someone", "aud": "payments", "exp": 1}))
                .unwrap(),
            401,
        ),
        ("a forged token", issuer.forged_token(&claims).unwrap(), 401),
    ] {
        let answer = get.clone().bearer(&token).send_plain(address).await;
        assert_eq!(answer.status(), Some(expected), "{what}: {answer:?}");
    }
}
