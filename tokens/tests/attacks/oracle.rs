//! What a refusal tells: nothing that helps to guess (RFC 6749 section 10.10; RFC 7662 section 2.2).

use argon2::{Argon2, PasswordHasher as _};
use countersign_identity::testing::SigningKey;
use serde_json::{Value, json};

use crate::flow::{BEARER, ORDERS, STOCK, World, key};
use crate::rig::{ASSERTION_TYPE, Setup, Told, token_client};

/// All that a client can see of an answer but for when it came.
fn seen(told: &Told) -> (u16, Value, Vec<(String, String)>) {
    let headers = told.headers.iter().filter(|(name, _)| *name != "date");
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    (told.status.as_u16(), told.body.clone(), headers.collect())
}

async fn world() -> World {
    let hash = Argon2::default().hash_password(b"the right one").unwrap().to_string();
    let until = countersign_runtime::clock::now() + jiff::SignedDuration::from_hours(24);
    let old = json!({
        "authentication": {"clientSecret": {"hashes": [{"hash": hash, "notAfter": until.to_string()}]}},
        "grants": ["ClientCredentials"], "audiences": [{"audience": STOCK, "scopes": ["stock.read"]}],
    });
    let setup = Setup {
        manifests: token_client("old", &old),
        ..Setup::default()
    };
    World::start_with("", setup).await
}

#[tokio::test]
async fn unknown_clients_wrong_secrets_and_wrong_assertions_are_answered_alike() {
    let world = world().await;
    let wrong = world.rig.assertion(&key(), "shop/partner");
    let nobody = world.rig.assertion(&key(), "shop/nobody");
    let used = world.rig.assertion(&world.key, "shop/partner");
    let mut past = world.rig.assertion_claims("shop/partner");
    past["exp"] = 1.into();
    let past = world.key.assertion(&past);
    let unsigned = countersign_identity::testing::unsigned_token(&world.rig.assertion_claims("shop/partner"));
    let requests: Vec<Vec<(&str, &str)>> = vec![
        vec![("client_id", "shop/nobody")],
        vec![("client_id", "shop/partner")],
        vec![("client_id", "shop/old")],
        vec![("client_id", "shop/nobody"), ("client_secret", "guessed")],
        vec![("client_id", "shop/old"), ("client_secret", "guessed")],
        vec![("client_id", "shop/partner"), ("client_secret", "guessed")],
        vec![("client_id", "shop/phone"), ("client_secret", "guessed")],
        vec![("client_id", "spiffe://cluster.local/ns/shop/sa/web")],
        vec![("client_id", "spiffe://cluster.local/ns/shop/sa/nobody")],
        vec![ASSERTION_TYPE, ("client_assertion", &wrong)],
        vec![ASSERTION_TYPE, ("client_assertion", &nobody)],
        vec![ASSERTION_TYPE, ("client_assertion", &past)],
        vec![ASSERTION_TYPE, ("client_assertion", &unsigned)],
        vec![ASSERTION_TYPE, ("client_assertion", "a.b.c")],
        vec![
            ASSERTION_TYPE,
            ("client_assertion", &wrong),
            ("client_id", "shop/nobody"),
        ],
        vec![],
    ];
    for path in ["/token", "/par", "/introspect", "/revoke"] {
        let mut all = Vec::new();
        for request in &requests {
            // Introspection and revocation take public clients as such, and tokens besides.
            let mut form = vec![
                ("grant_type", "client_credentials"),
                ("token", "a"),
                ("resource", ORDERS),
            ];
            form.extend_from_slice(request);
            all.push((request, seen(&world.rig.post(path, &form).await)));
        }
        for (request, told) in &all {
            assert_eq!(told, &all[0].1, "{path} {request:?}");
            assert_eq!(told.0, 401);
        }
    }
    let form = [
        ("grant_type", "client_credentials"),
        ASSERTION_TYPE,
        ("client_assertion", &*used),
        ("resource", ORDERS),
    ];
    world.rig.post("/token", &form).await.token();
    let replayed = seen(&world.rig.post("/token", &form).await);
    let unknown = [
        ("grant_type", "client_credentials"),
        ("client_id", "shop/nobody"),
        ("resource", ORDERS),
    ];
    assert_eq!(replayed, seen(&world.rig.post("/token", &unknown).await));
}

#[tokio::test]
async fn statements_of_nobody_and_with_wrong_keys_are_answered_alike() {
    let world = World::start().await;
    let state = async |assertion: &str, more: &[(&str, &str)]| {
        let mut form = vec![("grant_type", BEARER), ("assertion", assertion)];
        form.extend_from_slice(more);
        seen(&world.rig.post("/token", &form).await)
    };
    let expected = state("a.b.c", &[]).await;
    assert_eq!(expected.0, 400);
    for client in [
        "shop/nobody",
        "shop/partner",
        "shop/app",
        "shop/phone",
        "spiffe://cluster.local/ns/shop/sa/web",
    ] {
        let wrong = world.rig.assertion(&key(), client);
        assert_eq!(state(&wrong, &[]).await, expected, "{client}");
        // Nor does it tell which APIs and scopes a client has.
        for (name, value) in [("resource", "https://nowhere.example"), ("scope", "everything")] {
            assert_eq!(state(&wrong, &[(name, value)]).await, expected, "{client}");
        }
    }
}

#[tokio::test]
async fn codes_and_refresh_tokens_of_nobody_and_of_others_are_answered_alike() {
    let world = World::start().await;
    let code = world.code("shop/app", &[]).await;
    let told = world.tokens("shop/app").await;
    let refresh = told.body["refresh_token"].as_str().unwrap();
    let expected = seen(&world.refresh("shop/other", "guessed", &[]).await);
    assert_eq!(expected.0, 400);
    assert_eq!(seen(&world.refresh("shop/other", refresh, &[]).await), expected);
    assert_eq!(seen(&world.redeem("shop/other", "guessed", &[]).await), expected);
    assert_eq!(seen(&world.redeem("shop/other", &code, &[]).await), expected);
    assert_eq!(seen(&world.redeem("shop/app", &code, &[]).await), expected);
}

/// Hashing takes hundreds of times as long as all the rest: whoever hashes once for one and not for the other tells them apart.
#[tokio::test]
async fn a_secret_is_hashed_whether_there_is_a_client_that_has_one_or_not() {
    let world = world().await;
    for client in [
        "shop/old",
        "shop/nobody",
        "shop/partner",
        "shop/phone",
        "spiffe://cluster.local/ns/shop/sa/nobody",
    ] {
        let before = world.rig.service.metrics.secrets_hashed();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("client_secret", "guessed"),
        ];
        world.rig.post("/token", &form).await.refused("invalid_client");
        assert_eq!(world.rig.service.metrics.secrets_hashed() - before, 1, "{client}");
    }
}

#[tokio::test]
async fn the_signature_of_a_token_is_not_told_by_introspection() {
    let world = World::start().await;
    let told = world.token("shop/partner", ORDERS).await;
    let forged = SigningKey::generate("one", jsonwebtoken::Algorithm::ES256).token(&told.claims());
    // Of another's token nobody learns more than of one that is none (RFC 7662 section 2.2).
    for (client, token) in [
        ("shop/partner", &*forged),
        ("shop/other", told.token()),
        ("shop/other", "guessed"),
    ] {
        let asked = world.post_as(client, "/introspect", &[("token", token)]).await;
        assert_eq!(asked.body, json!({"active": false}), "{client}");
    }
    for token in [&*forged, "guessed", told.token()] {
        let asked = world.post_as("shop/other", "/revoke", &[("token", token)]).await;
        assert_eq!(
            (asked.status.as_u16(), &asked.body),
            (200, &json!({})),
            "RFC 7009 section 2.2"
        );
    }
    assert!(world.is_live("shop/partner", told.token()).await);
}
