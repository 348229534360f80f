//! Refresh tokens in the wrong hands (RFC 9700 sections 2.2.2 and 4.14).

use futures::future::join_all;

use crate::flow::{World, key};
use crate::rig::{Setup, Told};

const NO_GRACE: &str = "    refresh: {grace: 0s}\n";

fn next(told: &Told) -> String {
    told.body["refresh_token"]
        .as_str()
        .unwrap_or_else(|| panic!("{told:?}"))
        .to_owned()
}

async fn race(world: &World, client: &str, token: &str) -> Vec<Told> {
    join_all((0..100).map(|_| world.refresh(client, token, &[]))).await
}

#[tokio::test]
async fn rfc9700_4_14_2_of_a_hundred_uses_one_wins_and_the_family_dies() {
    let world = World::start_with(NO_GRACE, Setup::default()).await;
    for client in ["shop/app", "shop/phone"] {
        let first = world.tokens(client).await;
        let told = race(&world, client, &next(&first)).await;
        let (won, lost): (Vec<_>, Vec<_>) = told.iter().partition(|told| told.status == 200);
        assert_eq!((won.len(), lost.len()), (1, 99));
        for told in lost {
            told.refused("invalid_grant");
        }
        world.refresh(client, &next(won[0]), &[]).await.refused("invalid_grant");
        if client == "shop/app" {
            for token in [first.token(), won[0].token(), &next(won[0])] {
                assert!(!world.is_live(client, token).await);
            }
        }
    }
}

#[tokio::test]
async fn rfc9700_4_14_2_within_the_grace_one_refresh_token_is_left() {
    let world = World::start().await;
    let first = world.tokens("shop/app").await;
    let told = race(&world, "shop/app", &next(&first)).await;
    let mut live = 0;
    for told in told.iter().filter(|told| told.status == 200) {
        live += usize::from(world.is_live("shop/app", &next(told)).await);
    }
    assert_eq!(live, 1, "each answer took back the one before");
}

#[tokio::test]
async fn rfc9700_4_14_2_every_token_of_a_reused_family_is_dead() {
    let world = World::start_with(NO_GRACE, Setup::default()).await;
    let mut all = vec![world.tokens("shop/app").await];
    for _ in 0..3 {
        let token = next(all.last().unwrap());
        all.push(world.refresh("shop/app", &token, &[]).await);
    }
    let passed_on = world
        .exchange_as("shop/back", all[0].token(), &[("audience", crate::flow::ORDERS)])
        .await;
    let opaque = world
        .exchange_as("shop/back", all[0].token(), &[("audience", crate::flow::STOCK)])
        .await;
    assert!(world.is_live("shop/back", passed_on.token()).await && world.is_live("shop/back", opaque.token()).await);
    world
        .refresh("shop/app", &next(&all[1]), &[])
        .await
        .refused("invalid_grant");
    for told in &all {
        assert!(!world.is_live("shop/app", told.token()).await);
        assert!(!world.is_live("shop/app", &next(told)).await);
    }
    assert!(
        !world.is_live("shop/back", passed_on.token()).await,
        "nor what it became by exchange"
    );
    assert!(!world.is_live("shop/back", opaque.token()).await);
    let again = world
        .exchange_as("shop/back", all[0].token(), &[("audience", crate::flow::ORDERS)])
        .await;
    again.refused("invalid_request");
}

#[tokio::test]
async fn rfc6749_10_4_another_client_cannot_use_it_nor_spoil_it() {
    let world = World::start().await;
    let token = next(&world.tokens("shop/app").await);
    for thief in ["shop/other", "shop/phone", "shop/pushing"] {
        world.refresh(thief, &token, &[]).await.refused("invalid_grant");
    }
    let told = world.post_as("shop/other", "/revoke", &[("token", &token)]).await;
    assert_eq!(told.status, 200, "RFC 7009 section 2.2");
    world.refresh("shop/app", &token, &[]).await.token();
    let told = world.post_as("shop/other", "/introspect", &[("token", &token)]).await;
    assert_eq!(told.body, serde_json::json!({"active": false}));
}

#[tokio::test]
async fn rfc9700_2_2_2_a_public_clients_token_needs_its_key() {
    let world = World::start().await;
    let (own, thief) = (key(), key());
    let code = world.code("shop/phone", &[]).await;
    let form = crate::flow::redemption("shop/phone", &code);
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, &**value)).collect();
    let token = next(&world.post_bound("shop/phone", "/token", &form, &own).await);
    let form = [("grant_type", "refresh_token"), ("refresh_token", &*token)];
    world
        .post_bound("shop/phone", "/token", &form, &thief)
        .await
        .refused("invalid_grant");
    world.refresh("shop/phone", &token, &[]).await.refused("invalid_grant");
    world.post_bound("shop/phone", "/token", &form, &own).await.token();
}

#[tokio::test]
async fn rfc6749_6_it_never_gets_more_than_the_user_agreed_to() {
    let world = World::start().await;
    let code = world.code("shop/app", &[("scope", "orders.read")]).await;
    let mut token = next(&world.redeem("shop/app", &code, &[]).await);
    for (name, value, error) in [
        ("scope", "orders.read orders.write", "invalid_scope"),
        ("scope", "pay", "invalid_scope"),
        ("scope", "*", "invalid_scope"),
        ("resource", "https://stock.example", "invalid_target"),
        ("audience", "https://payments.example", "invalid_target"),
    ] {
        world.refresh("shop/app", &token, &[(name, value)]).await.refused(error);
    }
    let told = world.refresh("shop/app", &token, &[]).await;
    assert_eq!(told.body["scope"], "orders.read");
    token = next(&told);
    // Nor once the client may have less itself.
    world.rig.change(|sources| {
        let app = sources
            .clients
            .iter_mut()
            .find(|client| client.name.name == "app")
            .unwrap();
        app.spec["audiences"] = serde_json::json!([{"audience": "https://stock.example", "scopes": ["stock.read"]}]);
    });
    world.refresh("shop/app", &token, &[]).await.refused("invalid_target");
}

#[tokio::test]
async fn rfc6749_4_4_3_and_rfc7521_4_1_machines_get_none() {
    let world = World::start().await;
    assert!(
        world
            .token("shop/partner", crate::flow::ORDERS)
            .await
            .body
            .get("refresh_token")
            .is_none()
    );
    let had = world.tokens("shop/app").await;
    let told = world
        .exchange_as("shop/back", had.token(), &[("audience", crate::flow::ORDERS)])
        .await;
    assert!(told.body.get("refresh_token").is_none());
}
