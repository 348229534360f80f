//! What goes with each answer (RFC 9700 sections 2.6, 4.2.4 and 4.16; RFC 6749 section 5.1), and what the metadata says.

use serde_json::{Value, json};

use crate::flow::{ORDERS, World};

/// The policy of an answer about caches.
fn caching(headers: &reqwest::header::HeaderMap) -> &str {
    headers["cache-control"].to_str().unwrap()
}

/// RFC 9700 sections 4.2.4 and 4.16.
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
async fn rfc9700_2_6_scripts_of_other_pages_read_nothing_here() {
    let world = World::start().await;
    let told = world.token("shop/partner", ORDERS).await;
    assert!(told.headers.get("access-control-allow-origin").is_none());
    let begun = world.authorize("shop/app", &[]).await;
    assert!(begun.headers.get("access-control-allow-origin").is_none());
}

/// RFC 9700 sections 2.1.1 and 2.6: clients that configure themselves are led nowhere else, and find what protects them.
#[tokio::test]
async fn rfc9700_2_6_the_metadata_names_this_issuer_and_what_protects_clients() {
    let world = World::start().await;
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
    ] {
        let metadata: Value = serde_json::from_str(&world.visit(path, None).await.body).unwrap();
        assert_eq!(metadata["issuer"], world.rig.issuer);
        let urls = metadata.as_object().unwrap().iter();
        let urls = urls.filter(|(name, _)| name.ends_with("_endpoint") || *name == "jwks_uri");
        let mut count = 0;
        for (name, url) in urls {
            let url = url.as_str().unwrap();
            assert!(url.starts_with(&format!("{}/", world.rig.issuer)), "{name}: {url}");
            count += 1;
        }
        assert!(count >= 7, "{metadata}");
        assert_eq!(metadata["response_types_supported"], json!(["code"]));
        assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
        assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
        assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], true);
        let proofs = metadata["dpop_signing_alg_values_supported"].as_array().unwrap();
        assert!(proofs.contains(&json!("ES256")));
        let grants = metadata["grant_types_supported"].as_array().unwrap();
        assert!(!grants.contains(&json!("password")) && !grants.contains(&json!("implicit")));
    }
}
