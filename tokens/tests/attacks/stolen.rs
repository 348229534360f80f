//! Tokens that were stolen, brought to be exchanged for ones that are good (RFC 8693 section 5; RFC 9700 sections 2.2.1, 4.9 and
//! 4.10).

use countersign_identity::testing::SigningKey;
use serde_json::json;

use crate::flow::{JWT, ORDERS, PAYMENTS, STOCK, World, exchange, key};
use crate::rig::{ASSERTION_TYPE, ISSUER, Rig, Setup, token_client};

/// RFC 9700 sections 4.9.2 (a compromised API has the tokens that it is called with), 4.9.3 and 4.10.2; RFC 8693 section 5.
#[tokio::test]
async fn rfc9700_4_9_a_stolen_token_is_exchanged_by_nobody_but_its_client_and_its_api() {
    let key = key();
    let thief = json!({
        "authentication": {"privateKeyJwt": {"jwks": SigningKey::jwks(&[&key])}},
        "grants": ["ClientCredentials", "TokenExchange"],
        "audiences": [{"audience": ORDERS, "scopes": ["orders.read"]}, {"audience": STOCK, "scopes": ["stock.read"]}],
    });
    let setup = Setup {
        manifests: token_client("thief", &thief),
        ..Setup::default()
    };
    let world = World::start_with("", setup).await;
    // It is an API too, but of the catalog.
    world
        .rig
        .change(|sources| sources.issuers[0].spec["managed"]["audiences"][0]["introspectedBy"] = json!(["shop/thief"]));
    world.rig.knows("web's", "shop", "web");
    let steals = async |token: &str, audience: &str| {
        let assertion = world.rig.assertion(&key, "shop/thief");
        let mut form = exchange(token);
        form.extend([ASSERTION_TYPE, ("client_assertion", &assertion), ("audience", audience)]);
        world.rig.post("/token", &form).await
    };
    let none = steals("csa_guessed", ORDERS).await;
    none.refused("invalid_request");
    let code = world.code("shop/app", &[("resource", STOCK)]).await;
    for stolen in [
        world.tokens("shop/app").await,
        world.redeem("shop/app", &code, &[]).await,
        world.token("shop/partner", ORDERS).await,
    ] {
        for audience in [ORDERS, STOCK, PAYMENTS] {
            let told = steals(stolen.token(), audience).await;
            let expected = (none.status, &none.body);
            assert_eq!(
                (told.status, &told.body),
                expected,
                "nor is it told that the token is good"
            );
        }
        // Nor by a workload, which may have tokens for the same API.
        let mut form = exchange(stolen.token());
        form.extend([
            ("actor_token", "web's"),
            ("actor_token_type", JWT),
            ("audience", ORDERS),
        ]);
        world.rig.post("/token", &form).await.refused("invalid_request");
    }
    // What it was issued itself it may exchange.
    let form = [
        ("grant_type", "client_credentials"),
        ("resource", STOCK),
        ASSERTION_TYPE,
        ("client_assertion", &*world.rig.assertion(&key, "shop/thief")),
    ];
    let own = world.rig.post("/token", &form).await;
    steals(own.token(), ORDERS).await.token();
}

/// RFC 9700 sections 2.2.1 and 4.10.1.
#[tokio::test]
async fn rfc9449_1_a_stolen_bound_token_is_not_laundered_by_exchange() {
    let back = "    - {audience: \"https://ledger.example\", sensitivity: Sensitive, scopes: [post], introspectedBy: [shop/api]}\n";
    let other = key();
    let machine = |grants: &[&str]| {
        json!({
            "authentication": {"privateKeyJwt": {"jwks": SigningKey::jwks(&[&other])}},
            "grants": grants, "audiences": [{"audience": "https://ledger.example", "scopes": ["post"]}, {"audience": ORDERS, "scopes": ["orders.read"]}],
        })
    };
    let clients = [
        token_client("holder", &machine(&["ClientCredentials", "TokenExchange"])),
        token_client("thief", &machine(&["ClientCredentials", "TokenExchange"])),
        token_client("api", &machine(&["ClientCredentials", "TokenExchange"])),
    ];
    let rig = Rig::start(Setup {
        manifests: format!("{}{back}{}", ISSUER, clients.concat()),
        ..Setup::default()
    })
    .await;
    let proof = key();
    let ask = async |client: &str, form: &[(&str, &str)], with: Option<&SigningKey>| {
        let assertion = rig.assertion(&other, client);
        let mut all = vec![ASSERTION_TYPE, ("client_assertion", &*assertion)];
        all.extend_from_slice(form);
        match with {
            Some(key) => {
                let dpop = rig.proof(key, "/token", Some(&rig.nonce(key).await));
                rig.send(&rig.http, "/token", &all, &[("dpop", &dpop)]).await
            }
            None => rig.post("/token", &all).await,
        }
    };
    let form = [
        ("grant_type", "client_credentials"),
        ("audience", "https://ledger.example"),
    ];
    let had = ask("shop/holder", &form, Some(&proof)).await;
    let mut form = exchange(had.token());
    form.push(("audience", ORDERS));
    ask("shop/thief", &form, None).await.refused("invalid_request");
    ask("shop/thief", &form, Some(&key())).await.refused("invalid_request");
    ask("shop/holder", &form, None).await.refused("invalid_request");
    ask("shop/holder", &form, Some(&proof)).await.token();
    ask("shop/api", &form, None).await.token();
}
