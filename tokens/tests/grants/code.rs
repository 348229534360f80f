//! The authorization code grant (RFC 6749 section 4.1), with PKCE and a sign-in at an upstream.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rstest::rstest;
use serde_json::{Value, json};

use crate::flow::{APP, ORDERS, PAYMENTS, PHONE, VERIFIER, World, key};

fn payload(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn a_user_signs_in_and_the_client_gets_what_the_user_agreed_to() {
    let world = World::start().await;
    let begun = world.authorize("shop/app", &[("scope", "orders.read")]).await;
    assert_eq!(begun.status, 303);
    let ended = world.sign_in(&begun, "alice").await;
    assert_eq!(ended.status, 303);
    assert!(ended.to().as_str().starts_with(&format!("{APP}?")));
    assert_eq!(ended.parameter("state").unwrap(), "the client's state");
    assert_eq!(ended.parameter("iss").unwrap(), world.rig.issuer, "RFC 9207");
    let told = world.redeem("shop/app", &ended.parameter("code").unwrap(), &[]).await;
    let claims = told.claims();
    assert_eq!(
        (&claims["sub"], &claims["client_id"]),
        (&json!("user:alice"), &json!("shop/app"))
    );
    assert_eq!(
        (&claims["aud"], &claims["scope"]),
        (&json!(ORDERS), &json!("orders.read"))
    );
    assert!(claims["auth_time"].is_i64());
    assert!(told.body["refresh_token"].as_str().unwrap().starts_with("csr_"));
    assert!(told.body.get("id_token").is_none(), "openid was not asked for");
}

#[tokio::test]
async fn who_asks_for_openid_is_told_who_signed_in() {
    let world = World::start().await;
    let more = [("scope", "openid orders.read"), ("nonce", "the client's nonce")];
    let code = world.code("shop/app", &more).await;
    let told = world.redeem("shop/app", &code, &[]).await;
    let id = payload(told.body["id_token"].as_str().unwrap());
    assert_eq!((&id["sub"], &id["aud"]), (&json!("user:alice"), &json!("shop/app")));
    assert_eq!(id["nonce"], "the client's nonce");
    assert_eq!(told.body["scope"], "openid orders.read");
    assert!(id["auth_time"].is_i64());

    // An old session at the upstream must not look like a fresh one.
    world.upstream.provider.lies.lock().unwrap()["auth_time"] = Value::Null;
    let code = world.code("shop/app", &[("scope", "openid")]).await;
    let told = world.redeem("shop/app", &code, &[]).await;
    let id = payload(told.body["id_token"].as_str().unwrap());
    assert_eq!(id.get("auth_time"), None);
    assert_eq!(told.body["scope"], "openid");
}

#[tokio::test]
async fn an_application_on_a_device_listens_where_it_can() {
    let world = World::start().await;
    for redirect in [
        "http://127.0.0.1:49152/signed-in",
        PHONE,
        "com.example.phone:/signed-in",
    ] {
        let more = [("redirect_uri", redirect)];
        let code = world.code("shop/phone", &more).await;
        world.redeem("shop/phone", &code, &more).await.token();
    }
}

#[tokio::test]
async fn a_user_signs_in_to_two_applications_in_one_browser_at_once() {
    let world = World::start().await;
    let one = world.authorize("shop/app", &[]).await;
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(world.request("shop/phone", &[]))
        .finish();
    let path = format!("/authorize?{query}");
    let two = world.visit(&path, one.cookie.as_deref()).await;
    let cookies = [&one, &two].map(|begun| begun.cookie.clone().unwrap());
    let all = cookies.join("; ");
    for begun in [one, two] {
        let query = world.upstream.signs_in(begun.to(), "alice");
        let ended = world.visit(&format!("/callback?{query}"), Some(&all)).await;
        ended.parameter("code").unwrap();
        let (name, _) = begun.cookie.as_ref().unwrap().split_once('=').unwrap();
        let forgets = ended.headers["set-cookie"].to_str().unwrap();
        assert!(forgets.starts_with(&format!("{name}=; Max-Age=0;")), "{forgets}");
    }
}

#[tokio::test]
async fn a_code_can_be_for_a_key() {
    let world = World::start().await;
    let proof = key();
    let pushed = world.post_bound("shop/app", "/par", &[], &proof).await;
    pushed.refused("invalid_request");
    let request = world.request("shop/app", &[("client_id", ""), ("resource", PAYMENTS)]);
    let request: Vec<(&str, &str)> = request.iter().map(|(name, value)| (&**name, &**value)).collect();
    let pushed = world.post_bound("shop/app", "/par", &request, &proof).await;
    let uri = pushed.body["request_uri"]
        .as_str()
        .unwrap_or_else(|| panic!("{pushed:?}"));
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", "shop/app")
        .append_pair("request_uri", uri)
        .finish();
    let begun = world.visit(&format!("/authorize?{query}"), None).await;
    let code = world.sign_in(&begun, "alice").await.parameter("code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("code_verifier", VERIFIER),
        ("redirect_uri", APP),
    ];
    let told = world.post_bound("shop/app", "/token", &form, &proof).await;
    assert_eq!(told.body["token_type"], "DPoP");
    assert_eq!(told.claims()["aud"], PAYMENTS);
}

#[tokio::test]
async fn a_code_ends_after_a_minute() {
    let world = World::start().await;
    let code = world.code("shop/app", &[]).await;
    world.rig.pass(61);
    world.redeem("shop/app", &code, &[]).await.refused("invalid_grant");
}

#[rstest]
#[case("access_denied", "access_denied")]
#[case::openid_core_3_1_2_6("login_required", "login_required")]
#[case::openid_core_3_1_2_6("consent_required", "consent_required")]
#[case("server_error", "server_error")]
#[case::of_no_standard("no <b>luck</b>", "access_denied")]
#[tokio::test]
async fn a_user_who_cannot_sign_in_is_sent_back_with_an_error(#[case] said: &str, #[case] told: &str) {
    let world = World::start().await;
    let begun = world.authorize("shop/app", &[]).await;
    let (_, state) = world.upstream.code(begun.to(), "alice");
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("error", said)
        .append_pair("state", &state)
        .append_pair("iss", &world.upstream.issuer)
        .finish();
    let ended = world
        .visit(&format!("/callback?{query}"), begun.cookie.as_deref())
        .await;
    ended.tells_the_client(told);
    assert_eq!(ended.parameter("state").unwrap(), "the client's state");
}
