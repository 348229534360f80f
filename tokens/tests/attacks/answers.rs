//! What goes with each answer (RFC 9700 sections 4.2.4, 4.11 and 4.16; RFC 6749 section 5.1).

use crate::flow::{ORDERS, World};

/// The policy of an answer about caches.
fn caching(headers: &reqwest::header::HeaderMap) -> &str {
    headers["cache-control"].to_str().unwrap()
}

#[tokio::test]
async fn rfc9700_4_16_no_page_shows_an_answer_inside_itself_and_no_address_is_passed_on() {
    let world = World::start().await;
    let begun = world.authorize("shop/app", &[]).await;
    let ended = world.sign_in(&begun, "alice").await;
    let refused = world.authorize("shop/nobody", &[("client_id", "shop/nobody")]).await;
    let nowhere = world.visit("/nowhere", None).await;
    let metadata = world.visit("/.well-known/openid-configuration", None).await;
    let told = world.token("shop/partner", ORDERS).await;
    let all = [
        &begun.headers,
        &ended.headers,
        &refused.headers,
        &nowhere.headers,
        &metadata.headers,
        &told.headers,
    ];
    for headers in all {
        assert_eq!(headers["x-frame-options"], "DENY");
        assert!(
            headers["content-security-policy"]
                .to_str()
                .unwrap()
                .contains("frame-ancestors 'none'")
        );
        assert_eq!(headers["referrer-policy"], "no-referrer", "section 4.2.4");
        assert_eq!(headers["x-content-type-options"], "nosniff");
    }
}

#[tokio::test]
async fn rfc6749_5_1_nobody_keeps_what_has_tokens_codes_or_errors() {
    let world = World::start().await;
    let begun = world.authorize("shop/app", &[]).await;
    let ended = world.sign_in(&begun, "alice").await;
    let told = world.redeem("shop/app", &ended.parameter("code").unwrap(), &[]).await;
    let asked = world
        .post_as("shop/app", "/introspect", &[("token", told.token())])
        .await;
    let refused = world.rig.post("/token", &[]).await;
    for headers in [
        &begun.headers,
        &ended.headers,
        &told.headers,
        &asked.headers,
        &refused.headers,
    ] {
        assert_eq!(caching(headers), "no-store");
    }
    for path in ["/jwks", "/.well-known/oauth-authorization-server"] {
        let told = world.visit(path, None).await;
        assert!(caching(&told.headers).starts_with("public, max-age="), "{path}");
    }
}

#[tokio::test]
async fn fapi_5_2_browsers_do_not_come_back_without_tls() {
    let world = World::start().await;
    let begun = world.authorize("shop/app", &[]).await;
    let ended = world.sign_in(&begun, "alice").await;
    let refused = world
        .authorize("shop/app", &[("redirect_uri", "https://evil.example")])
        .await;
    for headers in [&begun.headers, &ended.headers, &refused.headers] {
        assert!(
            headers["strict-transport-security"]
                .to_str()
                .unwrap()
                .starts_with("max-age=")
        );
    }
}

#[tokio::test]
async fn what_scripts_of_other_pages_may_read_is_public_anyway() {
    let world = World::start().await;
    let told = world.token("shop/partner", ORDERS).await;
    assert!(told.headers.get("access-control-allow-origin").is_none());
    let begun = world.authorize("shop/app", &[]).await;
    assert!(begun.headers.get("access-control-allow-origin").is_none());
}
