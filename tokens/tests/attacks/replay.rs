//! What is used once, on whichever replica.

use std::sync::atomic::{AtomicU32, Ordering};

use countersign_identity::testing::SigningKey;
use countersign_tokens::store::{Options, Store};
use rstest::rstest;
use serde_json::json;

use crate::flow::{BEARER, ORDERS, World, key};
use crate::rig::store::postgres::Server;
use crate::rig::{ASSERTION_TYPE, ISSUER, Rig, Setup, Told, token_client};

/// What two replicas remember things in: one PostgreSQL database, to which each has connections of its own, or one SQLite store.
async fn stores(postgres: bool) -> [Store; 2] {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let open = async |url: &str| Store::open(url, &Options::default()).await.unwrap();
    if postgres {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let url = Server::shared().database(&format!("replay_{number}"));
        [open(&url).await, open(&url).await]
    } else {
        let store = open("sqlite::memory:").await;
        [store.clone(), store]
    }
}

/// Two replicas of one issuer, on what they share.
async fn replicas(key: &SigningKey, postgres: bool) -> [Rig; 2] {
    let client = json!({
        "authentication": {"privateKeyJwt": {"jwks": SigningKey::jwks(&[key])}},
        "grants": ["ClientCredentials", "JWTBearer"], "audiences": [{"audience": ORDERS, "scopes": ["orders.read"]}],
    });
    let setup = |store| Setup {
        manifests: format!("{ISSUER}{}", token_client("partner", &client))
            .replace("${ISSUER}", "https://tokens.example"),
        store: Some(store),
        ..Setup::default()
    };
    let [one, two] = stores(postgres).await.map(setup);
    let (one, two) = (Rig::start(one).await, Rig::start(two).await);
    two.service.rings.store(one.service.rings.load_full());
    [one, two]
}

fn claims(rig: &Rig) -> serde_json::Value {
    let mut claims = rig.assertion_claims("shop/partner");
    claims["aud"] = "https://tokens.example".into();
    claims
}

async fn prove(rig: &Rig, assertion: &str) -> Told {
    let form = [
        ("grant_type", "client_credentials"),
        ASSERTION_TYPE,
        ("client_assertion", assertion),
    ];
    rig.post("/token", &form).await
}

#[rstest]
#[case::sqlite(false)]
#[case::postgres(true)]
#[tokio::test]
async fn rfc7523_3_an_assertion_counts_once_on_all_replicas(#[case] postgres: bool) {
    let key = key();
    let [one, two] = replicas(&key, postgres).await;
    let assertion = key.assertion(&claims(&one));
    prove(&one, &assertion).await.token();
    for rig in [&one, &two] {
        prove(rig, &assertion).await.refused("invalid_client");
    }
    // Until nobody would take it anyway.
    for _ in 0..13 {
        one.pass(10);
        two.pass(10);
        prove(&two, &assertion).await.refused("invalid_client");
    }
}

#[rstest]
#[case::sqlite(false)]
#[case::postgres(true)]
#[tokio::test]
async fn rfc7523_3_of_many_at_once_one_counts(#[case] postgres: bool) {
    let key = key();
    let [one, two] = replicas(&key, postgres).await;
    let assertion = key.assertion(&claims(&one));
    let all = (0..50).map(|at| prove(if at % 2 == 0 { &one } else { &two }, &assertion));
    let told = futures::future::join_all(all).await;
    assert_eq!(told.iter().filter(|told| told.status == 200).count(), 1);
}

#[rstest]
#[case::sqlite(false)]
#[case::postgres(true)]
#[tokio::test]
async fn rfc8725_3_12_what_authenticated_a_client_is_no_statement_after(#[case] postgres: bool) {
    let key = key();
    let [one, two] = replicas(&key, postgres).await;
    let assertion = key.assertion(&claims(&one));
    prove(&one, &assertion).await.token();
    let form = [("grant_type", BEARER), ("assertion", &*assertion)];
    two.post("/token", &form).await.refused("invalid_grant");

    let statement = key.assertion(&claims(&one));
    let form = [("grant_type", BEARER), ("assertion", &*statement)];
    one.post("/token", &form).await.token();
    prove(&two, &statement).await.refused("invalid_client");
}

/// RFC 9700 section 4.3.1: a code in the history of a browser is of use to nobody.
#[tokio::test]
async fn rfc6749_4_1_2_a_replayed_code_revokes_what_it_gave() {
    let world = World::start().await;
    let code = world.code("shop/app", &[]).await;
    let told = world.redeem("shop/app", &code, &[]).await;
    let refresh = told.body["refresh_token"].as_str().unwrap();
    assert!(world.is_live("shop/app", told.token()).await && world.is_live("shop/app", refresh).await);
    world.redeem("shop/app", &code, &[]).await.refused("invalid_grant");
    assert!(!world.is_live("shop/app", told.token()).await && !world.is_live("shop/app", refresh).await);
    world.refresh("shop/app", refresh, &[]).await.refused("invalid_grant");
    // A day is longer than any of its tokens lives.
    let code = world.code("shop/app", &[]).await;
    let told = world.redeem("shop/app", &code, &[]).await;
    world.rig.pass(3600);
    world.redeem("shop/app", &code, &[]).await.refused("invalid_grant");
    let refresh = told.body["refresh_token"].as_str().unwrap();
    world.refresh("shop/app", refresh, &[]).await.refused("invalid_grant");
}

#[tokio::test]
async fn rfc6749_4_1_2_of_many_uses_of_a_code_none_leaves_a_live_token() {
    let world = World::start().await;
    let code = world.code("shop/app", &[]).await;
    let told = futures::future::join_all((0..20).map(|_| world.redeem("shop/app", &code, &[]))).await;
    let given: Vec<_> = told.iter().filter(|told| told.status == 200).collect();
    assert!(given.len() <= 1);
    for told in given {
        assert!(!world.is_live("shop/app", told.token()).await);
    }
}
