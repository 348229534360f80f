//! Keys that the operator fetches, from inside the cluster and as its chart lets it.

use std::net::{IpAddr, Ipv4Addr};

use e2e::https::{HttpsServer, Page};
use e2e::{Issuer, Request};
use serde_json::{Value, json};

use crate::fail_closed::spec;
use crate::release::Release;
use crate::shop::{Idp, Shop, until};

/// The node, where the tests are too.
const NODE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));

async fn publish(issuer: &Issuer) -> HttpsServer {
    let page = Page::found("/keys", &issuer.jwks().unwrap().to_string());
    HttpsServer::serve(NODE, vec![page]).await.unwrap()
}

fn fetched(idp: &Idp, server: &HttpsServer, path: &str, lifetime: &str) -> Value {
    let mut object = idp.object();
    object["spec"]["external"] = json!({
        "issuer": idp.issuer.url(), "jwksUri": server.url(path), "caBundle": server.authority,
        "maxTokenLifetime": lifetime,
    });
    object
}

/// Waits until a token gets a status code.
async fn until_token(shop: &Shop, what: &str, issuer: &Issuer, status: u16) {
    let token = issuer.token(&json!({"aud": "api", "client_id": "app"})).unwrap();
    let request = Request::get("/v1/token").bearer(&token);
    let caller = shop.caller("stranger");
    until(what, status, || caller.send(shop.api.address, &request)).await;
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn fetched_keys_are_followed_and_kept() {
    let shop = Shop::open(Release::shared().await, "keys").await;
    let idp = Idp::new(&shop).await;
    let old = publish(&idp.issuer).await;
    shop.apply(&fetched(&idp, &old, "/keys", "10m")).await;
    shop.apply(&shop.policy("api", &spec(&idp))).await;
    shop.until_ready("api", "True", "Enforcing").await;
    until_token(&shop, "a token of the published key", &idp.issuer, 200).await;

    // The same issuer with another key.
    let next = Issuer::new(idp.issuer.url()).unwrap();
    until_token(&shop, "a token of an unpublished key", &next, 401).await;
    let new = publish(&next).await;
    shop.apply(&fetched(&idp, &new, "/keys", "10m")).await;
    until_token(&shop, "a token of the new key", &next, 200).await;
    until_token(&shop, "a token of the old key", &idp.issuer, 401).await;

    // Keys of another place are not those that were fetched.
    shop.apply(&fetched(&idp, &new, "/elsewhere", "10m")).await;
    shop.until_ready("api", "False", "IssuerNotReady").await;
    until_token(&shop, "a token without keys", &next, 403).await;
    shop.apply(&fetched(&idp, &new, "/keys", "10m")).await;
    shop.until_ready("api", "True", "Enforcing").await;
    until_token(&shop, "a token of keys that are back", &next, 200).await;

    // The server is away, and the operator has reason to ask it.
    let again = fetched(&idp, &new, "/keys", "9m");
    drop(new);
    shop.apply(&again).await;
    let until = ["wait", "tokenissuer", &idp.name, "--timeout=30s"];
    let kept = "--for=jsonpath={.status.conditions[?(@.type==\"KeysAvailable\")].reason}=UsingLastFetched";
    shop.namespace
        .kubectl(&[until.as_slice(), &[kept]].concat())
        .await
        .unwrap();
    shop.until_ready("api", "True", "Enforcing").await;
    until_token(&shop, "a token of kept keys", &next, 200).await;
    until_token(&shop, "a token of the old key, still", &idp.issuer, 401).await;
    idp.remove().await;
    shop.done();
}
