//! Pushed authorization requests (RFC 9126).

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
    world.rig.pass(91);
    go(&world, "shop/app", &late).await.stays();
    go(&world, "shop/app", "urn:ietf:params:oauth:request_uri:guessed")
        .await
        .stays();
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
        ("request", "a.b.c", "invalid_request"),
        ("client_id", "shop/other", "invalid_client"),
    ] {
        push(&world, "shop/app", &[(name, value)]).await.refused(error);
    }
    let form = [("client_id", "shop/app"), ("response_type", "code")];
    world.rig.post("/par", &form).await.refused("invalid_client");
    push(&world, "shop/partner", &[]).await.refused("unauthorized_client");
}
