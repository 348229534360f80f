//! Refresh tokens (RFC 6749 section 6), each used once (RFC 9700 section 4.14.2).

use crate::flow::{STOCK, World, key};
use crate::rig::{Setup, Told};

const SHORT: &str = "    refresh: {absoluteLifetime: 10h, idleLifetime: 1h, grace: 10s}\n";

async fn world() -> World {
    World::start_with(SHORT, Setup::default()).await
}

fn next(told: &Told) -> String {
    told.body["refresh_token"]
        .as_str()
        .unwrap_or_else(|| panic!("{told:?}"))
        .to_owned()
}

#[tokio::test]
async fn each_use_gives_the_next_one() {
    let world = world().await;
    let first = next(&world.tokens("shop/app").await);
    let told = world.refresh("shop/app", &first, &[]).await;
    assert_eq!(told.claims()["sub"], "user:alice");
    let second = next(&told);
    assert_ne!(first, second);
    world.refresh("shop/app", &second, &[]).await.token();
}

#[tokio::test]
async fn less_can_be_asked_for_and_the_family_keeps_what_it_had() {
    let world = world().await;
    let first = next(&world.tokens("shop/app").await);
    let less = world.refresh("shop/app", &first, &[("scope", "orders.read")]).await;
    assert_eq!(less.body["scope"], "orders.read");
    let all = world.refresh("shop/app", &next(&less), &[]).await;
    assert_eq!(all.body["scope"], "orders.read orders.write");
}

#[tokio::test]
async fn a_lost_answer_is_given_again_for_a_moment_to_who_proves_to_be_the_same() {
    let world = world().await;
    let first = next(&world.tokens("shop/app").await);
    let lost = next(&world.refresh("shop/app", &first, &[]).await);
    world.rig.pass(5);
    let again = next(&world.refresh("shop/app", &first, &[]).await);
    // What was lost counts no more: whoever found it gets nothing.
    world.refresh("shop/app", &lost, &[]).await.refused("invalid_grant");
    world.refresh("shop/app", &again, &[]).await.token();
}

#[tokio::test]
async fn after_the_moment_it_is_theft() {
    let world = world().await;
    let told = world.tokens("shop/app").await;
    let first = next(&told);
    let second = world.refresh("shop/app", &first, &[]).await;
    world.rig.pass(11);
    world.refresh("shop/app", &first, &[]).await.refused("invalid_grant");
    world
        .refresh("shop/app", &next(&second), &[])
        .await
        .refused("invalid_grant");
    assert!(!world.is_live("shop/app", told.token()).await);
    assert!(!world.is_live("shop/app", second.token()).await);
}

#[tokio::test]
async fn there_is_no_moment_without_a_proof_and_once_the_next_was_used() {
    let world = world().await;
    let first = next(&world.tokens("shop/phone").await);
    world.refresh("shop/phone", &first, &[]).await.token();
    world.refresh("shop/phone", &first, &[]).await.refused("invalid_grant");

    let first = next(&world.tokens("shop/app").await);
    let second = next(&world.refresh("shop/app", &first, &[]).await);
    let third = next(&world.refresh("shop/app", &second, &[]).await);
    world.refresh("shop/app", &first, &[]).await.refused("invalid_grant");
    world.refresh("shop/app", &third, &[]).await.refused("invalid_grant");
}

#[tokio::test]
async fn it_ends_when_it_lies_and_in_the_end() {
    let world = world().await;
    let lies = next(&world.tokens("shop/app").await);
    let used = next(&world.tokens("shop/app").await);
    world.rig.pass(3601);
    world.refresh("shop/app", &lies, &[]).await.refused("invalid_grant");
    world.refresh("shop/app", &used, &[]).await.refused("invalid_grant");

    let mut used = next(&world.tokens("shop/app").await);
    for _ in 0..12 {
        world.rig.pass(3000 - 10);
        used = next(&world.refresh("shop/app", &used, &[]).await);
    }
    world.rig.pass(3000);
    world.refresh("shop/app", &used, &[]).await.refused("invalid_grant");
}

#[tokio::test]
async fn opaque_tokens_are_of_the_family_too() {
    let world = world().await;
    let code = world.code("shop/app", &[("resource", STOCK)]).await;
    let told = world.redeem("shop/app", &code, &[]).await;
    assert!(told.token().starts_with("csa_"));
    assert!(world.is_live("shop/app", told.token()).await);
    let given_back = world.post_as("shop/app", "/revoke", &[("token", &next(&told))]).await;
    assert_eq!(given_back.status, 200);
    assert!(!world.is_live("shop/app", told.token()).await);
}

#[tokio::test]
async fn a_public_clients_token_is_bound_to_its_key() {
    let world = world().await;
    let proof = key();
    let code = world.code("shop/phone", &[]).await;
    let form = crate::flow::redemption("shop/phone", &code);
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, &**value)).collect();
    let told = world.post_bound("shop/phone", "/token", &form, &proof).await;
    let token = next(&told);
    let form = [("grant_type", "refresh_token"), ("refresh_token", &*token)];
    world.refresh("shop/phone", &token, &[]).await.refused("invalid_grant");
    world
        .post_bound("shop/phone", "/token", &form, &key())
        .await
        .refused("invalid_grant");
    let told = world.post_bound("shop/phone", "/token", &form, &proof).await;
    assert_eq!(told.body["token_type"], "DPoP");
}

/// The conformance suite of FAPI 2.0 does so: half a minute later it shows the same refresh token again, with another key.
#[tokio::test]
async fn a_client_that_proves_itself_may_come_again_with_another_key() {
    let world = World::start().await;
    let token = next(&world.tokens("shop/app").await);
    let again = async || {
        let proof_key = key();
        let nonce = world.rig.nonce(&proof_key).await;
        let dpop = world.rig.proof(&proof_key, "/token", Some(&nonce));
        let proves = world.proves("shop/app");
        let mut form: Vec<(&str, &str)> = proves.iter().map(|(name, value)| (*name, &**value)).collect();
        form.extend([("grant_type", "refresh_token"), ("refresh_token", &*token)]);
        world
            .rig
            .send(&world.rig.http, "/token", &form, &[("dpop", &dpop)])
            .await
    };
    let first = next(&again().await);
    world.rig.pass(30);
    let second = again().await;
    assert_eq!(second.body["token_type"], "DPoP");
    assert!(
        !world.is_live("shop/app", &first).await,
        "what the first try gave is taken back"
    );
    assert!(world.is_live("shop/app", &next(&second)).await);
}
