//! Who signed in (OpenID Connect Core 1.0 section 5.3), by tokens of each kind.

use countersign_identity::dpop::token_hash;
use countersign_identity::testing::SigningKey;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::flow::certificates::self_signed;
use crate::flow::{APP, ORDERS, STOCK, World, key, redemption};
use crate::rig::{Setup, Told, token_client, unique};

const OPENID: (&str, &str) = ("scope", "openid orders.read");

impl World {
    async fn who(&self, token: &str) -> Told {
        let header = format!("Bearer {token}");
        let http = &self.rig.http;
        self.rig
            .call(http, Method::GET, "/userinfo", &[("authorization", &header)])
            .await
    }
}

fn is_alice(told: &Told) {
    assert_eq!(
        (told.status, &told.body),
        (StatusCode::OK, &json!({"sub": "user:alice"})),
        "{told:?}"
    );
    assert_eq!(told.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn a_client_is_told_who_signed_in_as_its_id_token_says() {
    let world = World::start().await;
    let code = world.code("shop/app", &[OPENID]).await;
    let told = world.redeem("shop/app", &code, &[]).await;
    assert_eq!(told.claims()["scope"], "openid orders.read");
    is_alice(&world.who(told.token()).await);
    // By POST too (section 5.3.1), which has nothing in it.
    let header = format!("bearer {}", told.token());
    let http = &world.rig.http;
    is_alice(
        &world
            .rig
            .call(http, Method::POST, "/userinfo", &[("authorization", &header)])
            .await,
    );
}

#[tokio::test]
async fn scopes_for_claims_that_nobody_has_are_passed_over() {
    let world = World::start().await;
    let code = world
        .code("shop/app", &[("scope", "openid profile email orders.read")])
        .await;
    let told = world.redeem("shop/app", &code, &[]).await;
    assert_eq!(told.body["scope"], "openid orders.read", "what is granted is told");
    let refresh = told.body["refresh_token"].as_str().unwrap();
    let next = world
        .refresh("shop/app", refresh, &[("scope", "openid profile email orders.read")])
        .await;
    assert_eq!(next.body["scope"], "openid orders.read");
    is_alice(&world.who(next.token()).await);
    // What is not asked of OpenID Connect is asked of an API.
    let begun = world.authorize("shop/app", &[("scope", "profile orders.read")]).await;
    begun.tells_the_client("invalid_scope");
    let begun = world.authorize("shop/app", &[("scope", "openid photos")]).await;
    begun.tells_the_client("invalid_scope");
}

#[tokio::test]
async fn an_opaque_token_says_it_too() {
    let world = World::start().await;
    let more = [("resource", STOCK), ("scope", "openid stock.read")];
    let code = world.code("shop/app", &more).await;
    let told = world.redeem("shop/app", &code, &[("resource", STOCK)]).await;
    assert!(told.token().starts_with("csa_"));
    is_alice(&world.who(told.token()).await);
}

#[tokio::test]
async fn it_lasts_for_as_long_as_the_client_refreshes_and_can_be_left_out() {
    let world = World::start().await;
    let code = world.code("shop/app", &[OPENID]).await;
    let told = world.redeem("shop/app", &code, &[]).await;
    let next = world
        .refresh("shop/app", told.body["refresh_token"].as_str().unwrap(), &[])
        .await;
    assert_eq!(next.body["scope"], "openid orders.read");
    is_alice(&world.who(next.token()).await);
    let refresh = next.body["refresh_token"].as_str().unwrap();
    let less = world.refresh("shop/app", refresh, &[("scope", "orders.read")]).await;
    assert_eq!(less.body["scope"], "orders.read");
    assert_eq!(world.who(less.token()).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn with_a_key_it_takes_a_proof_for_the_token() {
    let world = World::start().await;
    let key = key();
    let code = world.code("shop/app", &[OPENID]).await;
    let form = redemption("shop/app", &code);
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let told = world.post_bound("shop/app", "/token", &form, &key).await;
    let token = told.token();
    let ask = async |method: Method, nonce: Option<&str>| {
        let proof = proof(&world, &key, method.as_str(), token, nonce);
        let headers = [("authorization", &*format!("DPoP {token}")), ("dpop", &*proof)];
        world.rig.call(&world.rig.http, method, "/userinfo", &headers).await
    };
    let first = ask(Method::GET, None).await;
    assert_eq!(
        (first.status, first.error()),
        (StatusCode::UNAUTHORIZED, "use_dpop_nonce")
    );
    let nonce = first.nonce.unwrap();
    is_alice(&ask(Method::GET, Some(&nonce)).await);
    let again = ask(Method::POST, Some(&nonce)).await;
    is_alice(&again);
    assert!(again.nonce.is_some(), "the next proof has its nonce");
}

fn proof(world: &World, key: &SigningKey, method: &str, token: &str, nonce: Option<&str>) -> String {
    let mut claims = json!({
        "htm": method, "htu": world.rig.url("/userinfo"), "iat": world.rig.now(), "jti": unique(), "ath": token_hash(token),
    });
    if let Some(nonce) = nonce {
        claims["nonce"] = nonce.into();
    }
    key.dpop_proof(&claims)
}

#[tokio::test]
async fn with_a_certificate_it_takes_the_certificate() {
    let (pem, thumbprint) = self_signed(2090);
    let client = json!({
        "authentication": {"mutualTls": {"thumbprints": [thumbprint]}}, "grants": ["AuthorizationCode"],
        "redirectUris": [APP], "audiences": [{"audience": ORDERS, "scopes": ["orders.read"]}],
    });
    let setup = Setup {
        manifests: token_client("certified", &client),
        ..Setup::default()
    };
    let world = World::start_with("", setup).await;
    let code = world.code("shop/certified", &[OPENID]).await;
    let http = world.rig.with_certificate(&pem);
    let form = redemption("shop/certified", &code);
    let mut form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    form.push(("client_id", "shop/certified"));
    let told = world.rig.send(&http, "/token", &form, &[]).await;
    let header = format!("Bearer {}", told.token());
    let headers = [("authorization", &*header)];
    is_alice(&world.rig.call(&http, Method::GET, "/userinfo", &headers).await);
    let other = world.rig.with_certificate(&self_signed(2090).0);
    for http in [&world.rig.http, &other] {
        let told = world.rig.call(http, Method::GET, "/userinfo", &headers).await;
        assert_eq!(
            (told.status, told.error()),
            (StatusCode::UNAUTHORIZED, "invalid_token"),
            "RFC 8705 section 3"
        );
    }
}
