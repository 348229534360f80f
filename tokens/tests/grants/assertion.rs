//! The JWT bearer grant (RFC 7523 section 2.1).

use serde_json::{Value, json};

use crate::flow::{BEARER, ORDERS, World, key};
use crate::rig::Told;

async fn state(world: &World, assertion: &str, more: &[(&str, &str)]) -> Told {
    let mut form = vec![("grant_type", BEARER), ("assertion", assertion), ("resource", ORDERS)];
    form.extend_from_slice(more);
    world.rig.post("/token", &form).await
}

#[tokio::test]
async fn a_statement_becomes_a_token_once() {
    let world = World::start().await;
    let statement = world.rig.assertion(&world.key, "shop/partner");
    let told = state(&world, &statement, &[("scope", "orders.read")]).await;
    assert_eq!(told.claims()["sub"], "shop/partner");
    assert_eq!(told.body["scope"], "orders.read");
    assert!(told.body.get("refresh_token").is_none(), "RFC 7521 section 4.1");
    state(&world, &statement, &[]).await.refused("invalid_grant");
}

#[tokio::test]
async fn a_missing_nonce_does_not_cost_the_statement() {
    let world = World::start().await;
    let proof = key();
    let statement = world.rig.assertion(&world.key, "shop/partner");
    let form = [("grant_type", BEARER), ("assertion", &*statement), ("resource", ORDERS)];
    let told = world.rig.post_with_proof("/token", &form, &proof).await;
    assert_eq!(told.body["token_type"], "DPoP");
}

#[tokio::test]
async fn a_statement_that_is_wrong_in_one_thing_is_none() {
    let world = World::start().await;
    let now = world.rig.now();
    let changes: [(&str, Value); 9] = [
        ("sub", json!("user:alice")),
        ("sub", json!("shop/other")),
        ("iss", json!("shop/nobody")),
        ("aud", json!("https://another.example")),
        ("aud", json!([world.rig.issuer, "https://another.example"])),
        ("exp", json!(now - 61)),
        ("exp", json!(now + 3700)),
        ("nbf", json!(now + 100)),
        ("jti", json!(null)),
    ];
    for (name, value) in changes {
        let mut claims = world.rig.assertion_claims("shop/partner");
        claims[name] = value;
        state(&world, &world.key.assertion(&claims), &[])
            .await
            .refused("invalid_grant");
    }
    let wrong_key = world.rig.assertion(&key(), "shop/partner");
    state(&world, &wrong_key, &[]).await.refused("invalid_grant");
    // A client without the grant, whose statement is good.
    let other = world.rig.assertion(&world.key, "shop/app");
    state(&world, &other, &[]).await.refused("unauthorized_client");
}

#[tokio::test]
async fn who_authenticates_besides_must_be_who_states() {
    let world = World::start().await;
    let statement = world.rig.assertion(&world.key, "shop/partner");
    let form = [("grant_type", BEARER), ("assertion", &*statement), ("resource", ORDERS)];
    world
        .post_as("shop/back", "/token", &form)
        .await
        .refused("invalid_grant");
    world.post_as("shop/partner", "/token", &form).await.token();
}
