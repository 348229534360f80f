//! Pushed authorization requests (RFC 9126).

use futures::future::join_all;

use crate::flow::{Visit, World};
use crate::rig::Told;

async fn push(world: &World, client: &str, more: &[(&str, &str)]) -> Told {
    let mut left_out = vec![("client_id", "")];
    left_out.extend_from_slice(more);
    let request = world.request(client, &left_out);
    let request: Vec<(&str, &str)> = request.iter().map(|(name, value)| (&**name, &**value)).collect();
    world.post_as(client, "/par", &request).await
}

async fn go(world: &World, client: &str, uri: &str) -> Visit {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", client)
        .append_pair("request_uri", uri)
        .finish();
    world.visit(&format!("/authorize?{query}"), None).await
}

#[tokio::test]
async fn what_was_pushed_is_what_counts_and_counts_once() {
    let world = World::start().await;
    let pushed = push(&world, "shop/pushing", &[("scope", "orders.read")]).await;
    assert_eq!(pushed.status, 201);
    assert!(
        pushed.body["expires_in"].as_i64().unwrap() < 600,
        "RFC 9126 section 2.2"
    );
    let uri = pushed.body["request_uri"].as_str().unwrap();
    assert!(uri.starts_with("urn:ietf:params:oauth:request_uri:"));
    let begun = go(&world, "shop/pushing", uri).await;
    let code = world.sign_in(&begun, "alice").await.parameter("code").unwrap();
    let told = world.redeem("shop/pushing", &code, &[]).await;
    assert_eq!(told.body["scope"], "orders.read");
    go(&world, "shop/pushing", uri).await.stays();
}

async fn pushed(world: &World) -> String {
    let told = push(world, "shop/pushing", &[]).await;
    told.body["request_uri"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn it_is_opened_again_until_a_user_has_signed_in_and_gives_one_code() {
    let world = World::start().await;
    let uri = pushed(&world).await;
    // What a scanner of links does, and a user who reloads the page.
    let opened = [
        go(&world, "shop/pushing", &uri).await,
        go(&world, "shop/pushing", &uri).await,
    ];
    let ended = world.sign_in(&opened[1], "alice").await;
    let code = ended.parameter("code").unwrap();
    world
        .sign_in(&opened[0], "mallory")
        .await
        .tells_the_client("invalid_request");
    go(&world, "shop/pushing", &uri).await.stays();
    let told = world.redeem("shop/pushing", &code, &[]).await;
    assert_eq!(told.claims()["sub"], "user:alice");
}

#[tokio::test]
async fn an_error_is_an_answer_too() {
    let world = World::start().await;
    let uri = pushed(&world).await;
    let begun = go(&world, "shop/pushing", &uri).await;
    let state = begun.parameter("state").unwrap();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("error", "access_denied")
        .append_pair("state", &state)
        .append_pair("iss", &world.upstream.issuer)
        .finish();
    let path = format!("/callback?{query}");
    let ended = world.visit(&path, begun.cookie.as_deref()).await;
    ended.tells_the_client("access_denied");
    go(&world, "shop/pushing", &uri).await.stays();
}

#[tokio::test]
async fn of_many_who_sign_in_at_once_with_one_request_one_gets_a_code() {
    let world = World::start().await;
    let uri = pushed(&world).await;
    let opened = join_all((0..8).map(|_| go(&world, "shop/pushing", &uri))).await;
    let ended = join_all(opened.iter().map(|begun| world.sign_in(begun, "alice"))).await;
    let codes = ended.iter().filter_map(|visit| visit.parameter("code")).count();
    assert_eq!(codes, 1);
}

#[tokio::test]
async fn a_user_may_take_longer_to_sign_in_than_a_request_waits_and_still_it_gives_one_code() {
    let world = World::start().await;
    let uri = pushed(&world).await;
    let opened = [
        go(&world, "shop/pushing", &uri).await,
        go(&world, "shop/pushing", &uri).await,
    ];
    world.rig.pass(300);
    world.sign_in(&opened[0], "alice").await.parameter("code").unwrap();
    world.rig.pass(590);
    world.rig.service.store.sweep(world.rig.now(), 100).await.unwrap();
    world
        .sign_in(&opened[1], "alice")
        .await
        .tells_the_client("invalid_request");
}

#[tokio::test]
async fn what_is_not_pushed_is_refused_to_who_must_push() {
    let world = World::start().await;
    world.authorize("shop/pushing", &[]).await.stays();
}

#[tokio::test]
async fn a_pushed_request_is_its_clients_and_ends() {
    let world = World::start().await;
    let uri = async || {
        push(&world, "shop/app", &[]).await.body["request_uri"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let own = uri().await;
    go(&world, "shop/pushing", &own).await.stays();
    // That another named it does not use it up.
    let begun = go(&world, "shop/app", &own).await;
    world.sign_in(&begun, "alice").await.parameter("code").unwrap();
    let late = uri().await;
    world.rig.pass(181);
    go(&world, "shop/app", &late).await.stays();
    go(&world, "shop/app", "urn:ietf:params:oauth:request_uri:guessed")
        .await
        .stays();
}

/// RFC 9101, which is not offered. OpenID Connect Core 1.0 section 3.1.2.6 has the errors.
#[tokio::test]
async fn a_request_object_is_refused_by_name() {
    let world = World::start().await;
    for (name, value, error) in [
        ("request", "a.b.c", "request_not_supported"),
        (
            "request_uri",
            "https://app.example/request.jwt",
            "request_uri_not_supported",
        ),
    ] {
        world
            .authorize("shop/app", &[(name, value)])
            .await
            .tells_the_client(error);
        // Nor does it get around what must be pushed.
        world.authorize("shop/pushing", &[(name, value)]).await.stays();
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_at_once() {
    let world = World::start().await;
    for (name, value, error) in [
        ("redirect_uri", "https://evil.example/cb", "invalid_request"),
        // FAPI 2.0 Security Profile section 5.3.2.2.
        ("redirect_uri", "", "invalid_request"),
        ("dpop_jkt", "no thumbprint", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("scope", "orders.delete", "invalid_scope"),
        ("resource", "https://catalog.example", "invalid_target"),
        (
            "request_uri",
            "urn:ietf:params:oauth:request_uri:other",
            "invalid_request",
        ),
        ("request", "a.b.c", "request_not_supported"),
        ("client_id", "shop/other", "invalid_client"),
    ] {
        push(&world, "shop/app", &[(name, value)]).await.refused(error);
    }
    let form = [("client_id", "shop/app"), ("response_type", "code")];
    world.rig.post("/par", &form).await.refused("invalid_client");
    push(&world, "shop/partner", &[]).await.refused("unauthorized_client");
}
