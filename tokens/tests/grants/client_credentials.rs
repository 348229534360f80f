//! `client_credentials`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_identity::testing::SigningKey;
use countersign_tokens::store::{Revocation, RevocationKind};
use serde_json::{Value, json};

use crate::rig::{ASSERTION_TYPE, ISSUER, Rig, Setup, Told, claims_of, token_client};

fn key() -> SigningKey {
    SigningKey::generate("one", jsonwebtoken::Algorithm::ES256)
}

fn partner(key: &SigningKey) -> Value {
    json!({
        "authentication": {"privateKeyJwt": {"jwks": SigningKey::jwks(&[key])}},
        "grants": ["ClientCredentials"],
        "audiences": [
            {"audience": "https://orders.example", "scopes": ["orders.read", "orders.write"]},
            {"audience": "https://payments.example", "scopes": ["pay"]},
            {"audience": "https://stock.example", "scopes": ["stock.read"]},
        ],
    })
}

async fn rig(key: &SigningKey) -> Rig {
    let manifests = format!("{ISSUER}{}", token_client("partner", &partner(key)));
    Rig::start(Setup {
        manifests,
        ..Setup::default()
    })
    .await
}

async fn ask(rig: &Rig, key: &SigningKey, more: &[(&str, &str)]) -> Told {
    let assertion = rig.assertion(key, "shop/partner");
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ASSERTION_TYPE,
        ("client_assertion", &assertion),
    ];
    form.extend_from_slice(more);
    rig.post("/token", &form).await
}

#[tokio::test]
async fn a_signed_assertion_gets_a_token_for_one_api() {
    let key = key();
    let rig = rig(&key).await;
    let told = ask(
        &rig,
        &key,
        &[("resource", "https://orders.example"), ("scope", "orders.read")],
    )
    .await;
    assert_eq!(told.body["token_type"], "Bearer");
    assert_eq!(told.body["expires_in"], 900);
    assert_eq!(told.body["scope"], "orders.read");
    assert_eq!(told.headers["cache-control"], "no-store");
    let claims = told.claims();
    assert_eq!(claims["iss"], rig.issuer);
    assert_eq!(claims["aud"], "https://orders.example");
    assert_eq!(
        (&claims["sub"], &claims["client_id"]),
        (&json!("shop/partner"), &json!("shop/partner"))
    );
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
    let header = told.token().split('.').next().unwrap();
    let header = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, header).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
}

#[tokio::test]
async fn an_assertion_counts_once() {
    let key = key();
    let rig = rig(&key).await;
    let assertion = rig.assertion(&key, "shop/partner");
    let form = [
        ("grant_type", "client_credentials"),
        ASSERTION_TYPE,
        ("client_assertion", &assertion),
        ("resource", "https://orders.example"),
    ];
    rig.post("/token", &form).await.token();
    let again = rig.post("/token", &form).await;
    again.refused("invalid_client");
    assert_eq!(again.status, 401);
}

#[tokio::test]
async fn what_is_not_the_clients_is_refused() {
    let key = key();
    let rig = rig(&key).await;
    ask(&rig, &key, &[]).await.refused("invalid_target");
    ask(&rig, &key, &[("resource", "https://catalog.example")])
        .await
        .refused("invalid_target");
    let orders = ("resource", "https://orders.example");
    ask(&rig, &key, &[orders, ("scope", "orders.read pay")])
        .await
        .refused("invalid_scope");
    ask(&rig, &key, &[orders, ("scope", "*")])
        .await
        .refused("invalid_scope");
    ask(&rig, &key, &[orders, ("resource", "https://stock.example")])
        .await
        .refused("invalid_target");
    ask(&rig, &key, &[("resource", "https://payments.example")])
        .await
        .refused("invalid_request");
}

#[tokio::test]
async fn a_token_for_a_critical_api_is_bound_to_a_key() {
    let (key, proof) = (key(), key());
    let rig = rig(&key).await;
    let nonce = rig.nonce(&proof).await;
    let assertion = rig.assertion(&key, "shop/partner");
    let form = [
        ("grant_type", "client_credentials"),
        ASSERTION_TYPE,
        ("client_assertion", &assertion),
        ("resource", "https://payments.example"),
    ];
    let dpop = rig.proof(&proof, "/token", Some(&nonce));
    let told = rig.send(&rig.http, "/token", &form, &[("dpop", &dpop)]).await;
    assert_eq!(told.body["token_type"], "DPoP");
    assert_eq!(told.body["expires_in"], 300);
    assert!(told.claims()["cnf"]["jkt"].as_str().unwrap().len() == 43);
}

#[tokio::test]
async fn an_opaque_token_says_nothing_and_is_revoked_at_once() {
    let key = key();
    let rig = rig(&key).await;
    let told = ask(&rig, &key, &[("resource", "https://stock.example")]).await;
    let token = told.token().to_owned();
    assert!(token.starts_with("csa_") && !token.contains('.'));
    let about = |path: &'static str| {
        let assertion = rig.assertion(&key, "shop/partner");
        let (rig, token) = (&rig, token.clone());
        async move {
            rig.post(
                path,
                &[ASSERTION_TYPE, ("client_assertion", &assertion), ("token", &token)],
            )
            .await
        }
    };
    let known = about("/introspect").await;
    assert_eq!(known.body["active"], true);
    assert_eq!(known.body["aud"], "https://stock.example");
    assert_eq!(about("/revoke").await.status, 200);
    assert_eq!(about("/introspect").await.body, json!({"active": false}));
}

#[tokio::test]
async fn a_signed_token_can_be_revoked_too() {
    let key = key();
    let rig = rig(&key).await;
    let token = ask(&rig, &key, &[("resource", "https://orders.example")])
        .await
        .token()
        .to_owned();
    for (path, active) in [("/introspect", true), ("/revoke", true), ("/introspect", false)] {
        let assertion = rig.assertion(&key, "shop/partner");
        let told = rig
            .post(
                path,
                &[ASSERTION_TYPE, ("client_assertion", &assertion), ("token", &token)],
            )
            .await;
        assert_eq!(told.status, 200);
        if path == "/introspect" {
            assert_eq!(told.body["active"], active);
        }
    }
    let list = rig
        .http
        .get(rig.url("/revocations"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert_eq!(list.split('.').count(), 3, "it is signed");
}

#[tokio::test]
async fn the_list_says_by_hashes_what_is_revoked() {
    let rig = rig(&key()).await;
    let cases = [
        (RevocationKind::Jti, "token-1", "jti"),
        (RevocationKind::Subject, "alice@shop.example", "sub"),
        (RevocationKind::Client, "shop/partner", "client_id"),
        (RevocationKind::Family, "sign-in-1", "sid"),
        (RevocationKind::IssuedBefore, "", "iss"),
    ];
    for (kind, value, _) in cases {
        let revocation = Revocation {
            kind,
            issuer: rig.issuer.clone(),
            value: value.to_owned(),
            issued_before: (kind == RevocationKind::IssuedBefore).then(|| rig.now()),
            until: rig.now() + 60,
            at: rig.now(),
        };
        rig.service.store.revoke(revocation).await.unwrap();
    }
    let asked = rig.http.get(rig.url("/revocations")).send().await.unwrap();
    let list = claims_of(&asked.text().await.unwrap());
    let entries = list["revocations"].as_array().unwrap();
    assert_eq!(entries.len(), cases.len());
    for ((_, value, claim), entry) in cases.iter().zip(entries) {
        let value = if *claim == "iss" { rig.issuer.as_str() } else { value };
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, value.as_bytes());
        assert_eq!(entry["claim"], *claim);
        assert_eq!(entry["sha256"], URL_SAFE_NO_PAD.encode(digest));
        assert_eq!(entry["until"], rig.now() + 60);
    }
    let text = list["revocations"].to_string();
    assert!(!text.contains("alice") && !text.contains("partner"), "{text}");
}

#[tokio::test]
async fn whoever_follows_the_list_of_revocations_gets_it_in_pages() {
    let rig = rig(&key()).await;
    for number in 0..1_001 {
        let revocation = Revocation {
            kind: RevocationKind::Jti,
            issuer: rig.issuer.clone(),
            value: number.to_string(),
            issued_before: None,
            until: rig.now() + 60,
            at: rig.now(),
        };
        rig.service.store.revoke(revocation).await.unwrap();
    }
    let page = async |query: &str| {
        let asked = rig.http.get(rig.url(&format!("/revocations{query}"))).send().await;
        let list = claims_of(&asked.unwrap().text().await.unwrap());
        let entries = list["revocations"].as_array().unwrap().len();
        (entries, json!([list["since"], list["sequence"], list["more"]]))
    };
    assert_eq!(page("").await, (1_000, json!([0, 1_000, true])));
    assert_eq!(page("?since=1000").await, (1, json!([1_000, 1_001, false])));
}
