//! The way of a user through the browser: mix-up, login CSRF, and an upstream that lies (RFC 9700 sections 4.4, 4.6, 4.7 and 4.15;
//! OpenID Connect Core 1.0 section 3.1.3.7; RFC 9207).

use countersign_identity::testing::SigningKey;
use rstest::rstest;
use serde_json::{Value, json};

use crate::flow::{Visit, World, key};

fn query(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

async fn back(world: &World, begun: &Visit, pairs: &[(&str, &str)]) -> Visit {
    world
        .visit(&format!("/callback?{}", query(pairs)), begun.cookie.as_deref())
        .await
}

#[rstest]
#[case::another(Some("https://evil.example"))]
#[case::with_a_slash(Some("/"))]
#[case::none(None)]
#[tokio::test]
async fn rfc9700_4_4_and_rfc9207_a_code_of_another_server_is_not_sent_to_this_one(#[case] iss: Option<&str>) {
    let world = World::start().await;
    let begun = world.authorize("shop/app", &[]).await;
    let (code, state) = world.upstream.code(begun.to(), "alice");
    let slash = format!("{}/", world.upstream.issuer);
    let mut pairs = vec![("code", &*code), ("state", &*state)];
    if let Some(iss) = iss {
        pairs.push(("iss", if iss == "/" { &slash } else { iss }));
    }
    back(&world, &begun, &pairs).await.tells_the_client("access_denied");
    assert!(
        world.upstream.provider.redeemed.lock().unwrap().is_empty(),
        "the code went nowhere"
    );
}

#[tokio::test]
async fn rfc9207_who_answers_is_named_in_answers_and_errors() {
    let world = World::start().await;
    let begun = world.authorize("shop/app", &[]).await;
    let ended = world.sign_in(&begun, "alice").await;
    assert_eq!(ended.parameter("iss").unwrap(), world.rig.issuer);
    let refused = world.authorize("shop/app", &[("response_type", "token")]).await;
    assert_eq!(refused.parameter("iss").unwrap(), world.rig.issuer);
    let metadata: Value = {
        let told = world.visit("/.well-known/oauth-authorization-server", None).await;
        serde_json::from_str(&told.body).unwrap()
    };
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    assert_eq!(metadata["issuer"], world.rig.issuer, "RFC 8414 section 3.3");
}

#[tokio::test]
async fn rfc9700_4_7_nobody_ends_a_sign_in_in_the_browser_of_another() {
    let world = World::start().await;
    let begun = world.authorize("shop/app", &[]).await;
    let answer = world.upstream.signs_in(begun.to(), "mallory");
    let path = format!("/callback?{answer}");
    // The victim's browser has no cookie, or that of a sign-in of its own.
    world.visit(&path, None).await.stays();
    let own = world.authorize("shop/app", &[]).await;
    world.visit(&path, own.cookie.as_deref()).await.stays();
    // Nor does it help to call the own cookie, or an empty one, by the other's name.
    let (name, _) = begun.cookie.as_ref().unwrap().split_once('=').unwrap();
    let (_, secret) = own.cookie.as_ref().unwrap().split_once('=').unwrap();
    for secret in [secret, ""] {
        world.visit(&path, Some(&format!("{name}={secret}"))).await.stays();
    }
    // The one who began it can still end it.
    assert!(
        world
            .visit(&path, begun.cookie.as_deref())
            .await
            .parameter("code")
            .is_some()
    );
}

#[tokio::test]
async fn rfc9700_4_7_the_cookie_stays_with_its_host() {
    let world = World::start().await;
    let begun = world.authorize("shop/app", &[]).await;
    let cookie = begun.headers["set-cookie"].to_str().unwrap();
    for attribute in ["__Host-", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Domain"));
}

#[tokio::test]
async fn rfc9700_4_7_a_state_counts_once_and_none_is_guessed() {
    let world = World::start().await;
    let begun = world.authorize("shop/app", &[]).await;
    let path = format!("/callback?{}", world.upstream.signs_in(begun.to(), "alice"));
    let cookie = begun.cookie.as_deref();
    assert!(world.visit(&path, cookie).await.parameter("code").is_some());
    world.visit(&path, cookie).await.stays();
    for state in ["", "guessed", "the client's state"] {
        back(&world, &begun, &[("code", "a"), ("state", state)]).await.stays();
    }
    let begun = world.authorize("shop/app", &[]).await;
    let path = format!("/callback?{}", world.upstream.signs_in(begun.to(), "alice"));
    world.rig.pass(901);
    world.visit(&path, begun.cookie.as_deref()).await.stays();
}

/// RFC 9700 sections 4.5.3.2 and 4.6: at the upstream this service is a client, and believes the ID token that fits its sign-in. An
/// access token it does not look at.
#[rstest]
#[case::issuer("iss", json!("https://evil.example"))]
#[case::audience("aud", json!("another-client"))]
#[case::no_audience("aud", json!(null))]
#[case::authorized_party("azp", json!("another-client"))]
#[case::several("aud", json!(["countersign", "another-client"]))]
#[case::nonce("nonce", json!("of another sign-in"))]
#[case::no_nonce("nonce", json!(null))]
#[case::past("exp", json!(1))]
#[case::no_end("exp", json!(null))]
#[case::no_user("sub", json!(null))]
#[case::empty_user("sub", json!(""))]
#[case::future("iat", json!(99_999_999_999_i64))]
#[tokio::test]
async fn openid_3_1_3_7_an_id_token_that_is_wrong_in_one_thing_names_nobody(#[case] name: &str, #[case] value: Value) {
    let world = World::start().await;
    world.upstream.provider.lies.lock().unwrap()[name] = value;
    let begun = world.authorize("shop/app", &[]).await;
    world.sign_in(&begun, "alice").await.tells_the_client("access_denied");
}

#[tokio::test]
async fn openid_3_1_3_7_an_id_token_of_another_key_names_nobody() {
    let world = World::start().await;
    for other in [
        SigningKey::generate("upstream", jsonwebtoken::Algorithm::RS256),
        SigningKey::generate("upstream", jsonwebtoken::Algorithm::ES256),
        key(),
    ] {
        *world.upstream.provider.other_key.lock().unwrap() = Some(other);
        let begun = world.authorize("shop/app", &[]).await;
        world.sign_in(&begun, "alice").await.tells_the_client("access_denied");
    }
}

#[rstest]
#[case::old(json!(1_000_000_000))]
#[case::unknown(json!(null))]
#[tokio::test]
async fn openid_3_1_3_7_an_old_sign_in_is_no_fresh_one(#[case] auth_time: Value) {
    let world = World::start().await;
    let begun = world.authorize("shop/app", &[("max_age", "60")]).await;
    assert_eq!(begun.parameter("max_age").unwrap(), "60");
    assert!(world.sign_in(&begun, "alice").await.parameter("code").is_some());
    world.upstream.provider.lies.lock().unwrap()["auth_time"] = auth_time;
    let begun = world.authorize("shop/app", &[("max_age", "60")]).await;
    world.sign_in(&begun, "alice").await.tells_the_client("access_denied");
    world
        .authorize("shop/app", &[("max_age", "soon")])
        .await
        .tells_the_client("invalid_request");
}

#[tokio::test]
async fn discovery_4_3_metadata_of_another_issuer_is_none() {
    for lie in [
        json!({"issuer": "https://evil.example"}),
        json!({"authorization_endpoint": "http://evil.example/authorize"}),
        json!({"jwks_uri": "http://evil.example/jwks"}),
    ] {
        let world = World::start().await;
        *world.upstream.provider.metadata.lock().unwrap() = lie;
        world
            .authorize("shop/app", &[])
            .await
            .tells_the_client("temporarily_unavailable");
    }
}

#[tokio::test]
async fn rfc9700_4_15_no_client_passes_for_a_user() {
    let world = World::start().await;
    // A user who is called as a client is.
    let begun = world.authorize("shop/app", &[]).await;
    let code = world.sign_in(&begun, "shop/partner").await.parameter("code").unwrap();
    let told = world.redeem("shop/app", &code, &[]).await;
    assert_eq!(told.claims()["sub"], "user:shop/partner");
    assert_ne!(
        told.claims()["sub"],
        world.token("shop/partner", crate::flow::ORDERS).await.claims()["sub"]
    );
}
