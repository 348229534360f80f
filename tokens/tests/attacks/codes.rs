//! Authorization codes in the wrong hands (RFC 9700 sections 2.1.1, 4.5 and 4.8; RFC 7636).

use rstest::rstest;

use crate::flow::{APP, PHONE, STOCK, VERIFIER, World, key};

#[tokio::test]
async fn rfc9700_4_5_a_code_of_another_client_is_refused_and_spent() {
    let world = World::start().await;
    for (whose, thief) in [
        ("shop/app", "shop/other"),
        ("shop/phone", "shop/app"),
        ("shop/app", "shop/phone"),
    ] {
        let redirect = if whose == "shop/phone" { PHONE } else { APP };
        let code = world.code(whose, &[]).await;
        let stolen = world.redeem(thief, &code, &[("redirect_uri", redirect)]).await;
        stolen.refused("invalid_grant");
        world.redeem(whose, &code, &[]).await.refused("invalid_grant");
    }
}

#[rstest]
#[case::another("another-verifier-which-is-as-long-as-RFC-7636-wants", "invalid_grant")]
#[case::the_challenge("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "invalid_grant")]
#[case::short("short", "invalid_grant")]
#[case::missing("", "invalid_grant")]
#[tokio::test]
async fn rfc7636_4_6_the_verifier_must_fit(#[case] verifier: &str, #[case] error: &str) {
    let world = World::start().await;
    let code = world.code("shop/app", &[]).await;
    world
        .redeem("shop/app", &code, &[("code_verifier", verifier)])
        .await
        .refused(error);
}

#[tokio::test]
async fn rfc9700_4_5_an_injected_code_does_not_fit_the_session_it_is_injected_into() {
    let world = World::start().await;
    // The attacker stole the victim's code, and brings it back with a session of its own at the same client.
    let stolen = world.code("shop/app", &[]).await;
    let other = countersign_identity::pkce::challenge("the-verifier-of-the-attackers-own-session-is-another").unwrap();
    let own = world.code("shop/app", &[("code_challenge", &other)]).await;
    let form = [("code_verifier", "the-verifier-of-the-attackers-own-session-is-another")];
    world.redeem("shop/app", &stolen, &form).await.refused("invalid_grant");
    world.redeem("shop/app", &own, &form).await.token();
}

#[tokio::test]
async fn rfc6749_4_1_3_the_redirect_uri_must_be_the_same() {
    let world = World::start().await;
    for other in [
        "https://other.example/signed-in",
        "https://app.example/signed-in/",
        "HTTPS://app.example/signed-in",
    ] {
        let code = world.code("shop/app", &[]).await;
        world
            .redeem("shop/app", &code, &[("redirect_uri", other)])
            .await
            .refused("invalid_grant");
    }
}

/// RFC 9700 sections 2.1.1 and 4.8.2.
#[rstest]
#[case::plain(&[("code_challenge_method", "plain")])]
#[case::no_method(&[("code_challenge_method", "")])]
#[case::no_challenge(&[("code_challenge", "")])]
#[case::nothing(&[("code_challenge", ""), ("code_challenge_method", "")])]
#[case::other_method(&[("code_challenge_method", "S512")])]
#[case::lower_case(&[("code_challenge_method", "s256")])]
#[case::the_verifier(&[("code_challenge", VERIFIER)])]
#[tokio::test]
async fn rfc9700_4_8_pkce_cannot_be_left_out(#[case] more: &[(&str, &str)]) {
    let world = World::start().await;
    for client in ["shop/app", "shop/phone"] {
        world.authorize(client, more).await.tells_the_client("invalid_request");
    }
}

#[tokio::test]
async fn rfc9449_10_a_code_for_one_key_is_of_no_use_with_another() {
    let world = World::start().await;
    let (own, thief) = (key(), key());
    let told = world.redeem("shop/app", "none", &[]).await;
    told.refused("invalid_grant");
    let thumbprint = {
        let told = world.post_bound(
            "shop/partner",
            "/token",
            &[("grant_type", "client_credentials"), ("resource", STOCK)],
            &own,
        );
        let token = told.await.token().to_owned();
        let told = world.post_as("shop/partner", "/introspect", &[("token", &token)]).await;
        told.body["cnf"]["jkt"].as_str().unwrap().to_owned()
    };
    for (with, good) in [(Some(&thief), false), (None, false), (Some(&own), true)] {
        let code = world.code("shop/app", &[("dpop_jkt", &thumbprint)]).await;
        let form = crate::flow::redemption("shop/app", &code);
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, &**value)).collect();
        let told = match with {
            Some(key) => world.post_bound("shop/app", "/token", &form, key).await,
            None => world.post_as("shop/app", "/token", &form).await,
        };
        if good {
            told.token();
        } else {
            told.refused("invalid_grant");
        }
    }
}

#[tokio::test]
async fn rfc9700_2_1_1_a_code_is_long_random_and_used_nowhere_else() {
    let world = World::start().await;
    let (one, two) = (world.code("shop/app", &[]).await, world.code("shop/app", &[]).await);
    assert!(one.len() >= 43 && one != two);
    // Nothing else counts as a code, and a code as nothing else.
    let told = world.redeem("shop/app", &one, &[]).await;
    let refresh = told.body["refresh_token"].as_str().unwrap();
    world.redeem("shop/app", refresh, &[]).await.refused("invalid_grant");
    world
        .redeem("shop/app", told.token(), &[])
        .await
        .refused("invalid_grant");
    world.refresh("shop/app", &two, &[]).await.refused("invalid_grant");
    world
        .refresh("shop/app", told.token(), &[])
        .await
        .refused("invalid_grant");
}
