//! Token exchange (RFC 8693).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use countersign_identity::jwt_svid::JwtSigner;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::flow::certificates::Authority;
use crate::flow::{ACCESS_TOKEN, CART, JWT, ORDERS, Outside, PAYMENTS, STOCK, World, exchange, key};
use crate::rig::Setup;

const WEB: &str = "spiffe://cluster.local/ns/shop/sa/web";

#[tokio::test]
async fn a_pods_token_becomes_one_for_an_api() {
    let world = World::start().await;
    world.rig.knows("the Pod's token", "shop", "web");
    let mut form = exchange("the Pod's token");
    form.push(("audience", ORDERS));
    let told = world.rig.post("/token", &form).await;
    let claims = told.claims();
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!(WEB), &json!(WEB)));
    assert_eq!(
        (&claims["scope"], &claims["aud"]),
        (&json!("orders.read"), &json!(ORDERS))
    );
    assert!(claims.get("act").is_none(), "it acts for itself");
    assert_eq!(told.body["issued_token_type"], ACCESS_TOKEN);

    form.push(("requested_token_type", JWT));
    assert_eq!(world.rig.post("/token", &form).await.body["issued_token_type"], JWT);
}

#[tokio::test]
async fn a_workload_gets_what_its_identity_names_and_a_stranger_nothing() {
    let world = World::start().await;
    world.rig.knows("web's", "shop", "web");
    world.rig.knows("a stranger's", "shop", "stranger");
    let ask = |subject: &'static str, audience: &'static str, scope: &'static str| {
        let mut form = exchange(subject);
        form.extend([("audience", audience), ("scope", scope)]);
        let rig = &world.rig;
        async move { rig.post("/token", &form).await }
    };
    ask("web's", ORDERS, "orders.read").await.token();
    ask("web's", ORDERS, "orders.write").await.refused("invalid_scope");
    ask("web's", STOCK, "").await.refused("invalid_target");
    ask("web's", "https://elsewhere.example", "")
        .await
        .refused("invalid_target");
    ask("a stranger's", ORDERS, "").await.refused("invalid_request");
    ask("nobody's", ORDERS, "").await.refused("invalid_request");
    // A critical API has bound tokens only, also for workloads.
    ask("web's", PAYMENTS, "pay").await.refused("invalid_request");
    let mut form = exchange("web's");
    form.push(("audience", PAYMENTS));
    let proof = key();
    let nonce = world.rig.nonce(&proof).await;
    let dpop = world.rig.proof(&proof, "/token", Some(&nonce));
    let told = world
        .rig
        .send(&world.rig.http, "/token", &form, &[("dpop", &dpop)])
        .await;
    assert_eq!(told.body["token_type"], "DPoP");
}

#[tokio::test]
async fn a_jwt_svid_is_as_good_until_it_ends() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let signer = JwtSigner::from_pkcs8("svids", pair.to_pkcs8v1().unwrap().as_ref()).unwrap();
    let mut bundle = Authority::new().bundle();
    bundle.add_jwt_key(signer.verification_key().unwrap());
    let setup = Setup {
        roots: Some(bundle),
        ..Setup::default()
    };
    let world = World::start_with("", setup).await;
    let made = |id: &str, audience: &str, seconds: i64| {
        let now = Timestamp::from_second(world.rig.now()).unwrap();
        let lifetime = SignedDuration::from_secs(seconds);
        let id = id.parse().unwrap();
        signer
            .sign(
                &id,
                &[audience],
                lifetime,
                now,
                &crate::rig::unique(),
                &SystemRandom::new(),
            )
            .unwrap()
    };
    let ask = async |subject: &str| {
        let mut form = exchange(subject);
        form.push(("audience", ORDERS));
        world.rig.post("/token", &form).await
    };
    let told = ask(&made(WEB, &world.rig.issuer, 120)).await;
    assert_eq!(told.claims()["sub"], WEB);
    assert_eq!(told.body["expires_in"], 120, "it ends with what it came from");
    ask(&made(WEB, "https://another.example", 120))
        .await
        .refused("invalid_request");
    let nobody = "spiffe://cluster.local/ns/shop/sa/nobody";
    ask(&made(nobody, &world.rig.issuer, 120))
        .await
        .refused("invalid_request");
    ask(&made("spiffe://foreign.example/ns/shop/sa/web", &world.rig.issuer, 120))
        .await
        .refused("invalid_request");
    let old = made(WEB, &world.rig.issuer, 120);
    world.rig.pass(150);
    ask(&old).await.refused("invalid_request");
    world.rig.pass(60);
    ask(&old).await.refused("invalid_request");
}

#[tokio::test]
async fn a_token_of_a_ci_system_is_its_clients() {
    let ci = Outside::new();
    let setup = Setup {
        manifests: ci.manifests(),
        ..Setup::default()
    };
    let world = World::start_with("", setup).await;
    let good = ci.claims(&world.rig);
    let told = world.rig.post("/token", &exchange(&ci.token(&good))).await;
    let claims = told.claims();
    assert_eq!(
        (&claims["sub"], &claims["scope"]),
        (&json!("shop/deploys"), &json!("orders.read"))
    );
    assert_eq!(told.body["expires_in"], 300);

    for (name, value) in [
        ("sub", json!("repo:acme/other")),
        ("ref", json!("feature")),
        ("ref", json!(null)),
        ("aud", json!("another")),
        ("iss", json!("https://ci.example/")),
        ("exp", json!(world.rig.now() - 61)),
        ("exp", json!(null)),
        ("nbf", json!(world.rig.now() + 120)),
    ] {
        let mut claims = good.clone();
        claims[name] = value;
        let told = world.rig.post("/token", &exchange(&ci.token(&claims))).await;
        told.refused("invalid_request");
    }
    let named = |id: &'static str| {
        let subject = ci.token(&good);
        let rig = &world.rig;
        async move {
            let mut form = exchange(&subject);
            form.push(("client_id", id));
            rig.post("/token", &form).await
        }
    };
    named("shop/deploys").await.token();
    named("shop/partner").await.refused("invalid_request");
}

#[tokio::test]
async fn who_acts_for_a_user_is_named_in_front_of_who_acted_before() {
    let world = World::start().await;
    let had = world.tokens("shop/app").await;
    let first = world
        .exchange_as("shop/back", had.token(), &[("audience", ORDERS)])
        .await;
    let claims = first.claims();
    assert_eq!(
        (&claims["sub"], &claims["client_id"]),
        (&json!("user:alice"), &json!("shop/back"))
    );
    assert_eq!(claims["act"], json!({"sub": "shop/back"}));
    assert_eq!(claims["sid"], had.claims()["sid"], "it ends with the sign-in");
    assert!(claims["exp"].as_i64() <= had.claims()["exp"].as_i64());

    world.rig.knows("the cart's token", "shop", "cart");
    let mut form = exchange(first.token());
    form.extend([
        ("actor_token", "the cart's token"),
        ("actor_token_type", JWT),
        ("audience", ORDERS),
    ]);
    let second = world.rig.post("/token", &form).await;
    let claims = second.claims();
    assert_eq!(
        (&claims["sub"], &claims["client_id"]),
        (&json!("user:alice"), &json!(CART))
    );
    assert_eq!(claims["act"], json!({"sub": CART, "act": {"sub": "shop/back"}}));
}

#[tokio::test]
async fn a_client_exchanges_what_it_was_issued_itself() {
    let world = World::start().await;
    let for_stock = world.token("shop/back", STOCK).await;
    let told = world
        .exchange_as(
            "shop/back",
            for_stock.token(),
            &[("audience", ORDERS), ("scope", "orders.read")],
        )
        .await;
    let claims = told.claims();
    assert_eq!((&claims["sub"], &claims["aud"]), (&json!("shop/back"), &json!(ORDERS)));
    // A workload by what proves it, beside its token.
    world.rig.knows("web's", "shop", "web");
    let mut form = exchange("web's");
    form.push(("audience", ORDERS));
    let webs = world.rig.post("/token", &form).await;
    let mut form = exchange(webs.token());
    form.extend([
        ("actor_token", "web's"),
        ("actor_token_type", JWT),
        ("audience", ORDERS),
    ]);
    assert_eq!(
        world.rig.post("/token", &form).await.claims()["act"],
        json!({"sub": WEB})
    );
}

#[tokio::test]
async fn who_is_called_with_a_token_passes_it_on_once_the_issuer_names_it() {
    let world = World::start().await;
    let code = world.code("shop/app", &[("resource", STOCK)]).await;
    let had = world.redeem("shop/app", &code, &[]).await;
    let pass_on = async || {
        world
            .exchange_as("shop/back", had.token(), &[("audience", ORDERS)])
            .await
    };
    let refused = pass_on().await;
    refused.refused("invalid_request");
    let says = refused.body["error_description"].as_str().unwrap();
    assert!(says.contains("introspectedBy"), "the remedy is named: {says}");
    world.rig.change(|sources| {
        let audiences = &mut sources.issuers[0].spec["managed"]["audiences"];
        let mut all = audiences.as_array_mut().unwrap().iter_mut();
        let stock = all.find(|one| one["audience"] == STOCK).unwrap();
        stock["introspectedBy"] = json!(["shop/back"]);
    });
    let claims = pass_on().await.claims();
    assert_eq!(
        (&claims["sub"], &claims["act"]),
        (&json!("user:alice"), &json!({"sub": "shop/back"}))
    );
}
