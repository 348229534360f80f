//! A Gateway of Istio, from outside the mesh.

use std::net::{IpAddr, SocketAddr};

use anyhow::Context;
use e2e::{Algorithm, Request, wait_for};
use serde_json::{Value, json};

use crate::release::Release;
use crate::shop::{Idp, LIMIT, Shop, until};

const GROUP: &str = "gateway.networking.k8s.io";

fn route(name: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name},
        "spec": {
            "parentRefs": [{"name": "front"}], "hostnames": [format!("{name}.test")],
            "rules": [{"backendRefs": [{"name": "api", "port": 8080}]}],
        },
    })
}

/// A Gateway `front` with routes for two hosts, and its address.
async fn front(shop: &Shop) -> SocketAddr {
    let manifest = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
         "metadata": {"name": "front", "annotations": {"networking.istio.io/service-type": "ClusterIP"}},
         "spec": {"gatewayClassName": "istio", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}},
        route("shop"), route("reports"),
    ]});
    shop.namespace.apply(&manifest.to_string()).await.unwrap();
    let address = wait_for("the gateway to have an address", LIMIT, || async {
        let jsonpath = "jsonpath={.spec.clusterIP}";
        let ip = shop
            .namespace
            .kubectl(&["get", "service", "front-istio", "-o", jsonpath])
            .await?;
        Ok(SocketAddr::new(
            ip.trim().parse::<IpAddr>().context("no address yet")?,
            80,
        ))
    })
    .await
    .unwrap();
    until("the gateway", 200, || to("shop").send_plain_to(address)).await;
    address
}

fn to(host: &str) -> Request {
    Request::get("/v1/profiles/7").host(&format!("{host}.test"))
}

trait SendTo {
    /// Sends a request that nobody keeps.
    fn send_plain_to(self, address: SocketAddr) -> impl Future<Output = e2e::Answer>;
}

impl SendTo for Request {
    async fn send_plain_to(self, address: SocketAddr) -> e2e::Answer {
        self.send_plain(address).await
    }
}

fn policy(idp: &Idp) -> Value {
    json!({
        "targetRefs": [{"group": GROUP, "kind": "Gateway", "name": "front"}],
        "credentials": {"jwt": [{"issuer": idp.name, "audiences": ["shop"]}]},
        "rules": [{
            "name": "profiles",
            "operations": [{"methods": ["GET"], "paths": [{"template": "/v1/profiles/{id}"}]}],
            "callers": [{"client": {"issuer": idp.name, "id": "app"}}],
            "scopes": ["profiles.read"],
            "waive": ["ProofOfPossession"],
        }],
    })
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn a_gateway_admits_the_right_tokens_only() {
    let shop = Shop::open(Release::shared().await, "front").await;
    let idp = Idp::new(&shop).await;
    let address = front(&shop).await;
    shop.apply(&shop.policy("front", &policy(&idp))).await;
    shop.until_ready("front", "True", "Enforcing").await;
    until("no token", 403, || to("shop").send_plain_to(address)).await;

    let claims = |changes: Value| {
        let mut claims = json!({"sub": "someone", "aud": "shop", "client_id": "app", "scope": "profiles.read"});
        claims
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        claims
    };
    let issuer = &idp.issuer;
    let token = |changes: Value| issuer.token(&claims(changes)).unwrap();
    let good = token(json!({}));
    until("a good token", 200, || to("shop").bearer(&good).send_plain_to(address)).await;
    let rsa = issuer
        .token_with(Algorithm::Rs256, &json!({}), &claims(json!({})))
        .unwrap();
    for (what, token, expected) in [
        ("a token of the other key", rsa, 200),
        ("several scopes", token(json!({"scope": "a profiles.read b"})), 200),
        ("no expiry", token(json!({"exp": null})), 403),
        ("an expiry that is no number", token(json!({"exp": "never"})), 401),
        ("an expired token", token(json!({"exp": 1})), 401),
        ("not yet valid", token(json!({"nbf": 4_000_000_000_u64})), 401),
        ("another audience", token(json!({"aud": "orders"})), 403),
        ("no audience", token(json!({"aud": null})), 403),
        ("another client", token(json!({"client_id": "other"})), 403),
        ("no scope", token(json!({"scope": null})), 403),
        (
            "a scope that begins alike",
            token(json!({"scope": "profiles.readonly"})),
            403,
        ),
        ("another issuer", token(json!({"iss": "https://evil.test"})), 401),
        ("a forged token", issuer.forged_token(&claims(json!({}))).unwrap(), 401),
        ("no signature", issuer.unsigned_token(&claims(json!({}))).unwrap(), 403),
        ("no token at all", "nonsense".to_owned(), 403),
    ] {
        let answer = to("shop").bearer(&token).send_plain(address).await;
        if expected == 200 {
            assert_eq!(answer.status(), Some(200), "{what}: {answer:?}");
        } else {
            // A token that the gateway's own check or ours refuses first gets another code, and is refused all the same.
            assert!(
                matches!(answer.status(), Some(401 | 403)),
                "{what}: {answer:?}, and not {expected}"
            );
        }
    }
    for request in [
        Request::get("/v1/profiles").host("shop.test").bearer(&good),
        Request::get("/v1/profiles/7/x").host("shop.test").bearer(&good),
        Request::new("POST", "/v1/profiles/7").host("shop.test").bearer(&good),
        to("shop").header("X-Token", &good),
        Request::get(format!("/v1/profiles/7?access_token={good}")).host("shop.test"),
    ] {
        let answer = request.send_plain(address).await;
        assert_eq!(answer.status(), Some(403), "{request:?}: {answer:?}");
    }
    idp.remove().await;
    shop.done();
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn the_hosts_of_a_route_that_cannot_be_protected_are_refused() {
    let shop = Shop::open(Release::shared().await, "route").await;
    let idp = Idp::new(&shop).await;
    let address = front(&shop).await;
    let mut spec = policy(&idp);
    spec["targetRefs"] = json!([{"group": GROUP, "kind": "HTTPRoute", "name": "reports"}]);
    shop.apply(&shop.policy("reports", &spec)).await;
    let now = shop.until_ready("reports", "False", "NotEnforceable").await;
    assert_eq!(now["status"]["rules"][0]["outcome"], "NotEnforceable", "{now}");
    let claims = json!({"aud": "shop", "client_id": "app", "scope": "profiles.read"});
    let good = idp.issuer.token(&claims).unwrap();
    until("the route's host", 403, || {
        to("reports").bearer(&good).send_plain_to(address)
    })
    .await;
    for host in ["reports.test:80", "REPORTS.test"] {
        let answer = Request::get("/").host(host).send_plain(address).await;
        assert_ne!(answer.status(), Some(200), "{host}: {answer:?}");
    }
    let other = to("shop").send_plain(address).await;
    assert_eq!(other.status(), Some(200), "the other route has no policy: {other:?}");
    idp.remove().await;
    shop.done();
}
