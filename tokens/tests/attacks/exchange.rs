//! Exchange (RFC 8693) as a way to more than one has (its section 5; RFC 9700 section 2.3).

use serde_json::json;

use crate::flow::{ACCESS_TOKEN, CART, EXCHANGE, JWT, ORDERS, Outside, PAYMENTS, STOCK, World, exchange};
use crate::rig::{ASSERTION_TYPE, Setup, token_client};

#[tokio::test]
async fn rfc8693_5_within_an_api_scopes_only_go_away() {
    let world = World::start().await;
    let code = world.code("shop/app", &[("scope", "orders.read")]).await;
    let had = world.redeem("shop/app", &code, &[]).await;
    for scope in [
        "orders.write",
        "orders.read orders.write",
        "*",
        "pay",
        "orders.read\torders.write",
    ] {
        let more = [("audience", ORDERS), ("scope", scope)];
        world
            .exchange_as("shop/back", had.token(), &more)
            .await
            .refused("invalid_scope");
    }
    let more = [("audience", ORDERS), ("scope", "orders.read")];
    assert_eq!(
        world.exchange_as("shop/back", had.token(), &more).await.body["scope"],
        "orders.read"
    );
    for audience in [
        PAYMENTS,
        "https://catalog.example",
        "https://orders.example/",
        "https://ORDERS.example",
        "*",
    ] {
        world
            .exchange_as("shop/back", had.token(), &[("audience", audience)])
            .await
            .refused("invalid_target");
    }
    let both = [("audience", ORDERS), ("resource", STOCK)];
    world
        .exchange_as("shop/back", had.token(), &both)
        .await
        .refused("invalid_target");
}

#[tokio::test]
async fn rfc8693_2_1_an_expired_revoked_or_foreign_token_is_worth_nothing() {
    let world = World::start().await;
    let had = world.tokens("shop/app").await;
    let foreign = World::start().await.tokens("shop/app").await;
    let to_orders = [("audience", ORDERS)];
    world
        .exchange_as("shop/back", foreign.token(), &to_orders)
        .await
        .refused("invalid_request");
    for wrong in [
        had.body["refresh_token"].as_str().unwrap(),
        "csa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "a.b.c",
        &format!("{}x", had.token()),
    ] {
        world
            .exchange_as("shop/back", wrong, &to_orders)
            .await
            .refused("invalid_request");
    }
    world.post_as("shop/app", "/revoke", &[("token", had.token())]).await;
    world
        .exchange_as("shop/back", had.token(), &to_orders)
        .await
        .refused("invalid_request");

    let had = world.tokens("shop/app").await;
    world.rig.pass(901);
    world
        .exchange_as("shop/back", had.token(), &to_orders)
        .await
        .refused("invalid_request");
}

#[tokio::test]
async fn rfc8693_2_1_a_token_that_is_almost_past_gives_none_that_is_past() {
    let ci = Outside::new();
    let setup = Setup {
        manifests: ci.manifests(),
        ..Setup::default()
    };
    let world = World::start_with("", setup).await;
    let mut claims = ci.claims(&world.rig);
    // Within what clocks may be apart.
    claims["exp"] = json!(world.rig.now() - 30);
    world
        .rig
        .post("/token", &exchange(&ci.token(&claims)))
        .await
        .refused("invalid_request");
    claims["exp"] = json!(f64::from(u32::try_from(world.rig.now() + 20).unwrap()) + 0.5);
    let told = world.rig.post("/token", &exchange(&ci.token(&claims))).await;
    assert_eq!(told.body["expires_in"], 20);
}

#[tokio::test]
async fn rfc8693_4_1_an_id_token_and_a_list_are_no_tokens_to_exchange() {
    let world = World::start().await;
    let code = world.code("shop/app", &[("scope", "openid orders.read")]).await;
    let told = world.redeem("shop/app", &code, &[]).await;
    let id_token = told.body["id_token"].as_str().unwrap();
    world
        .exchange_as("shop/back", id_token, &[("audience", ORDERS)])
        .await
        .refused("invalid_request");
    let list = world.visit("/revocations", None).await.body;
    world
        .exchange_as("shop/back", &list, &[("audience", ORDERS)])
        .await
        .refused("invalid_request");
    for kind in [
        "urn:ietf:params:oauth:token-type:id_token",
        "urn:ietf:params:oauth:token-type:refresh_token",
        "jwt",
    ] {
        let form = [
            ("grant_type", EXCHANGE),
            ("subject_token", told.token()),
            ("subject_token_type", kind),
        ];
        world
            .post_as("shop/back", "/token", &form)
            .await
            .refused("invalid_request");
    }
}

#[tokio::test]
async fn rfc8693_5_one_workload_does_not_become_another() {
    let world = World::start().await;
    world.rig.knows("web's", "shop", "web");
    world.rig.knows("cart's", "shop", "cart");
    let mut form = exchange("web's");
    form.extend([
        ("actor_token", "cart's"),
        ("actor_token_type", JWT),
        ("audience", ORDERS),
    ]);
    world.rig.post("/token", &form).await.refused("invalid_request");
    // Nor does it say that it is another.
    let mut form = exchange("web's");
    form.extend([("client_id", CART), ("audience", ORDERS)]);
    assert!(world.rig.post("/token", &form).await.body.get("access_token").is_none());
    // A client who proves itself gets nothing by what is a workload's.
    let mut form = exchange("web's");
    form.push(("audience", ORDERS));
    world
        .post_as("shop/back", "/token", &form)
        .await
        .refused("invalid_grant");
    // What acts for it is named, whoever got there first.
    let mut form = exchange("web's");
    form.push(("audience", ORDERS));
    let webs = world.rig.post("/token", &form).await;
    let mut form = exchange(webs.token());
    form.extend([
        ("actor_token", "cart's"),
        ("actor_token_type", JWT),
        ("audience", ORDERS),
    ]);
    let claims = world.rig.post("/token", &form).await;
    // Within the API the cart gets no more than web had.
    claims.refused("invalid_scope");
    form.push(("scope", "orders.read"));
    let claims = world.rig.post("/token", &form).await.claims();
    assert_eq!(
        (&claims["client_id"], &claims["act"]["sub"]),
        (&json!(CART), &json!(CART))
    );
}

#[tokio::test]
async fn rfc8693_2_1_an_actor_needs_a_subject_and_a_type() {
    let world = World::start().await;
    world.rig.knows("cart's", "shop", "cart");
    let had = world.tokens("shop/app").await;
    let base = [("grant_type", EXCHANGE), ("audience", ORDERS)];
    for more in [
        &[("actor_token", "cart's"), ("actor_token_type", JWT)][..],
        &[("subject_token", had.token())],
        &[
            ("subject_token", had.token()),
            ("subject_token_type", JWT),
            ("actor_token", "cart's"),
        ],
        &[
            ("subject_token", had.token()),
            ("subject_token_type", JWT),
            ("actor_token_type", JWT),
        ],
        &[
            ("subject_token", had.token()),
            ("subject_token_type", JWT),
            ("actor_token", had.token()),
            ("actor_token_type", ACCESS_TOKEN),
        ],
        &[
            ("subject_token", had.token()),
            ("subject_token_type", JWT),
            ("actor_token", "nobody's"),
            ("actor_token_type", JWT),
        ],
    ] {
        let form = [&base[..], more].concat();
        world.rig.post("/token", &form).await.refused("invalid_request");
    }
    // A user's token alone, by nobody.
    let form = [
        &base[..],
        &[("subject_token", had.token()), ("subject_token_type", JWT)],
    ]
    .concat();
    world.rig.post("/token", &form).await.refused("invalid_client");
    let form = [&form[..], &[("client_id", "shop/phone")]].concat();
    world.rig.post("/token", &form).await.refused("invalid_client");
}

#[tokio::test]
async fn rfc8693_4_1_a_chain_does_not_grow_for_ever() {
    let world = World::start().await;
    let mut token = world.tokens("shop/app").await.token().to_owned();
    let mut length = 0;
    loop {
        let told = world.exchange_as("shop/back", &token, &[("audience", ORDERS)]).await;
        if told.status != 200 {
            told.refused("invalid_request");
            break;
        }
        token = told.token().to_owned();
        length += 1;
        assert!(length <= 4);
    }
    assert_eq!(length, 4);
}

#[tokio::test]
async fn rfc6749_5_2_what_proves_a_client_is_never_passed_over() {
    let world = World::start().await;
    world.rig.knows("web's", "shop", "web");
    let web = "spiffe://cluster.local/ns/shop/sa/web";
    let mut form = exchange("web's");
    form.extend([("audience", ORDERS), ("client_id", web)]);
    world.rig.post("/token", &form).await.token();
    for more in [
        &[("client_secret", "guessed")][..],
        &[ASSERTION_TYPE, ("client_assertion", "a.b.c")],
        &[ASSERTION_TYPE],
    ] {
        let told = world.rig.post("/token", &[&form[..], more].concat()).await;
        assert!(told.body.get("access_token").is_none(), "{told:?}");
    }
}

#[tokio::test]
async fn rfc8693_2_1_a_token_that_could_be_two_clients_is_none() {
    let ci = Outside::new();
    let twin = json!({
        "authentication": {"federated": [{"tokenIssuer": "ci", "audience": "countersign", "claims": {"ref": "main"}}]},
        "grants": ["TokenExchange"], "audiences": [{"audience": ORDERS, "scopes": ["orders.read"]}],
    });
    let setup = Setup {
        manifests: format!("{}{}", ci.manifests(), token_client("twin", &twin)),
        ..Setup::default()
    };
    let world = World::start_with("", setup).await;
    let token = ci.token(&ci.claims(&world.rig));
    world
        .rig
        .post("/token", &exchange(&token))
        .await
        .refused("invalid_request");
    let mut form = exchange(&token);
    form.push(("client_id", "shop/twin"));
    assert_eq!(world.rig.post("/token", &form).await.claims()["sub"], "shop/twin");
    // A federated client proves nothing by its name alone.
    for (path, form) in [
        (
            "/token",
            vec![("grant_type", "client_credentials"), ("client_id", "shop/twin")],
        ),
        ("/introspect", vec![("token", "a"), ("client_id", "shop/twin")]),
    ] {
        world.rig.post(path, &form).await.refused("invalid_client");
    }
}
