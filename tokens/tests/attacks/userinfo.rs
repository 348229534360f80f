//! Access tokens at the one endpoint of this service that is a protected resource, as attackers show them (RFC 6750 section 3, RFC
//! 9449 section 7).

use countersign_identity::dpop::token_hash;
use countersign_identity::testing::{SigningKey, hmac_token};
use reqwest::{Method, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};

use crate::flow::{ORDERS, World, exchange, key, redemption};
use crate::rig::{Told, unique};

impl World {
    async fn shows(&self, headers: &[(&str, &str)]) -> Told {
        self.rig.call(&self.rig.http, Method::GET, "/userinfo", headers).await
    }

    async fn bears(&self, token: &str) -> Told {
        self.shows(&[("authorization", &format!("Bearer {token}"))]).await
    }

    /// A sign-in of Alice, of which the client may know who it was.
    async fn openid(&self) -> Told {
        let code = self.code("shop/app", &[("scope", "openid orders.read")]).await;
        self.redeem("shop/app", &code, &[]).await
    }
}

fn challenges(told: &Told) -> Vec<&str> {
    let all = told.headers.get_all("www-authenticate").iter();
    all.map(|value| value.to_str().unwrap()).collect()
}

/// Nothing is said of a user but the error, and that in the scheme that was tried.
fn refused(told: &Told, status: u16, error: &str, scheme: &str) {
    assert_eq!((told.status.as_u16(), told.error()), (status, error), "{told:?}");
    assert!(told.body.get("sub").is_none());
    let challenges = challenges(told);
    let with: Vec<_> = challenges.iter().filter(|one| one.contains("error=")).collect();
    assert!(
        with.len() == 1 && with[0].starts_with(scheme) && with[0].contains(&format!("error=\"{error}\"")),
        "{challenges:?}"
    );
    assert_eq!(challenges.len(), 2, "both schemes are offered");
}

#[tokio::test]
async fn rfc6750_3_1_who_shows_no_token_is_told_how_and_of_no_error() {
    let world = World::start().await;
    for headers in [&[][..], &[("authorization", "Basic YTpi")]] {
        let told = world.shows(headers).await;
        assert_eq!((told.status, &told.body), (StatusCode::UNAUTHORIZED, &json!({})));
        let challenges = challenges(&told);
        assert!(challenges.iter().all(|one| !one.contains("error")), "{challenges:?}");
        assert!(challenges.iter().any(|one| one.starts_with("Bearer ")));
        let proofs = challenges.iter().find(|one| one.starts_with("DPoP ")).unwrap();
        assert!(proofs.contains("algs=\"ES256 "), "RFC 9449 section 7.1");
    }
}

/// RFC 9700 section 4.3.2.
#[tokio::test]
async fn rfc9700_4_3_a_token_in_the_url_or_in_a_form_is_not_looked_at() {
    let world = World::start().await;
    let token = world.openid().await.token().to_owned();
    let in_url = world
        .rig
        .http
        .get(world.rig.url(&format!("/userinfo?access_token={token}")));
    assert_eq!(in_url.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    let in_form = world.rig.post("/userinfo", &[("access_token", &token)]).await;
    in_form.refused("invalid_request");
    // Nor one beside another.
    let header = format!("Bearer {token}");
    let told = world
        .shows(&[("authorization", &header), ("authorization", &header)])
        .await;
    told.refused("invalid_request");
}

#[tokio::test]
async fn rfc8725_3_11_and_3_12_what_is_no_access_token_says_nothing_of_anybody() {
    let world = World::start().await;
    let told = world.openid().await;
    let foreign = key().token(&told.claims());
    let symmetric = hmac_token(b"a guessed secret", "one", &told.claims());
    let list = world.visit("/revocations", None).await.body;
    for wrong in [
        told.body["id_token"].as_str().unwrap(),
        told.body["refresh_token"].as_str().unwrap(),
        &foreign,
        &symmetric,
        &list,
        "csa_guessed",
        "a.b.c",
    ] {
        refused(&world.bears(wrong).await, 401, "invalid_token", "Bearer ");
    }
}

#[tokio::test]
async fn rfc6750_3_1_only_a_user_who_signed_in_for_it_is_told_of() {
    let world = World::start().await;
    let machine = world.token("shop/partner", ORDERS).await;
    let silent = world.tokens("shop/app").await;
    // What was passed on is another's, which the user did not let know.
    let more = [("audience", ORDERS), ("scope", "orders.read")];
    let exchanged = world
        .exchange_as("shop/back", world.openid().await.token(), &more)
        .await;
    for told in [&machine, &silent, &exchanged] {
        let told = world.bears(told.token()).await;
        refused(&told, 403, "insufficient_scope", "Bearer ");
        assert!(challenges(&told).iter().any(|one| one.contains("scope=\"openid\"")));
    }
    // It cannot be had afterwards either.
    let refresh = silent.body["refresh_token"].as_str().unwrap();
    let told = world
        .refresh("shop/app", refresh, &[("scope", "openid orders.read")])
        .await;
    assert_eq!(told.body["scope"], "orders.read", "what is granted is told");
    refused(&world.bears(told.token()).await, 403, "insufficient_scope", "Bearer ");
    world.rig.knows("web's", "shop", "web");
    let mut form = exchange("web's");
    form.push(("audience", ORDERS));
    world.rig.post("/token", &form).await.token();
    form.push(("scope", "openid"));
    world.rig.post("/token", &form).await.refused("invalid_scope");
}

#[tokio::test]
async fn rfc6750_3_1_what_is_past_or_revoked_says_nothing() {
    let world = World::start().await;
    let told = world.openid().await;
    assert_eq!(world.bears(told.token()).await.status, StatusCode::OK);
    let refresh = told.body["refresh_token"].as_str().unwrap();
    world.post_as("shop/app", "/revoke", &[("token", refresh)]).await;
    refused(&world.bears(told.token()).await, 401, "invalid_token", "Bearer ");
    let told = world.openid().await;
    world.rig.pass(told.body["expires_in"].as_i64().unwrap() + 1);
    refused(&world.bears(told.token()).await, 401, "invalid_token", "Bearer ");
}

/// Alice's token, bound to a key, and what is shown with it.
struct Bound {
    world: World,
    key: SigningKey,
    token: String,
    nonce: String,
}

impl Bound {
    async fn new() -> Self {
        let (world, key) = (World::start().await, key());
        let code = world.code("shop/app", &[("scope", "openid orders.read")]).await;
        let form = redemption("shop/app", &code);
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let told = world.post_bound("shop/app", "/token", &form, &key).await;
        let nonce = world.rig.nonce(&key).await;
        Self {
            token: told.token().to_owned(),
            nonce,
            world,
            key,
        }
    }

    fn claims(&self) -> Value {
        json!({
            "htm": "GET", "htu": self.world.rig.url("/userinfo"), "iat": self.world.rig.now(), "jti": unique(),
            "ath": token_hash(&self.token), "nonce": self.nonce,
        })
    }

    async fn shows(&self, proof: &str) -> Told {
        let header = format!("DPoP {}", self.token);
        self.world.shows(&[("authorization", &header), ("dpop", proof)]).await
    }
}

/// Whoever has not the key is not told whether the token is good.
#[tokio::test]
async fn rfc9449_7_1_what_is_said_of_a_bound_token_without_its_key_is_said_of_any() {
    let bound = Bound::new().await;
    let seen = async |token: &str, proof: Option<&str>| {
        let header = format!("DPoP {token}");
        let proof = proof.map(|proof| ("dpop", proof));
        let headers: Vec<(&str, &str)> = [("authorization", &*header)].into_iter().chain(proof).collect();
        let told = bound.world.shows(&headers).await;
        (told.status, told.body.clone(), challenges(&told).join(", "))
    };
    let thief = key();
    for token in [bound.token.as_str(), "csa_guessed"] {
        assert_eq!(seen(token, None).await, seen("a.b.c", None).await);
        let mut claims = bound.claims();
        claims["ath"] = token_hash(token).into();
        let with = seen(token, Some(&thief.dpop_proof(&claims))).await;
        let mut claims = bound.claims();
        claims["ath"] = token_hash("a.b.c").into();
        assert_eq!(with, seen("a.b.c", Some(&thief.dpop_proof(&claims))).await);
        claims.as_object_mut().unwrap().remove("nonce");
        claims["jti"] = unique().into();
        let wrong = thief.dpop_proof(&claims);
        assert_eq!(seen(token, Some(&wrong)).await, seen(&bound.token, Some(&wrong)).await);
    }
}

/// RFC 9700 sections 2.2.1 and 4.10.1.
#[tokio::test]
async fn rfc9449_7_1_a_stolen_bound_token_says_nothing_without_its_key() {
    let bound = Bound::new().await;
    assert_eq!(
        bound.shows(&bound.key.dpop_proof(&bound.claims())).await.status,
        StatusCode::OK
    );
    // Section 7.2: no bearer token, with a proof or without.
    refused(&bound.world.bears(&bound.token).await, 401, "invalid_token", "Bearer ");
    let header = format!("Bearer {}", bound.token);
    let proof = bound.key.dpop_proof(&bound.claims());
    let told = bound.world.shows(&[("authorization", &header), ("dpop", &proof)]).await;
    refused(&told, 401, "invalid_token", "Bearer ");
    // No proof, and one of the thief's own key.
    let header = format!("DPoP {}", bound.token);
    let told = bound.world.shows(&[("authorization", &header)]).await;
    refused(&told, 401, "invalid_dpop_proof", "DPoP ");
    let told = bound.shows(&key().dpop_proof(&bound.claims())).await;
    refused(&told, 401, "invalid_token", "DPoP ");
    // Nor with two proofs (section 4.3).
    let proofs = [bound.claims(), bound.claims()].map(|claims| bound.key.dpop_proof(&claims));
    let headers = [
        ("authorization", &*header),
        ("dpop", &*proofs[0]),
        ("dpop", &*proofs[1]),
    ];
    refused(&bound.world.shows(&headers).await, 401, "invalid_dpop_proof", "DPoP ");
    // And one that is not bound is not shown as if it were.
    let loose = format!("DPoP {}", bound.world.openid().await.token());
    let mut claims = bound.claims();
    claims["ath"] = token_hash(&loose[5..]).into();
    let proof = bound.key.dpop_proof(&claims);
    let told = bound.world.shows(&[("authorization", &loose), ("dpop", &proof)]).await;
    refused(&told, 401, "invalid_token", "DPoP ");
}

#[rstest]
#[case::another_token("ath", json!(token_hash("another")))]
#[case::no_token("ath", Value::Null)]
#[case::another_method("htm", json!("POST"))]
#[case::another_endpoint("htu", json!("https://localhost/token"))]
#[case::old("iat", json!(1))]
#[case::no_identifier("jti", Value::Null)]
#[tokio::test]
async fn rfc9449_4_3_a_proof_is_for_this_request_and_this_token(#[case] name: &str, #[case] value: Value) {
    let bound = Bound::new().await;
    let mut claims = bound.claims();
    claims[name] = value;
    let told = bound.shows(&bound.key.dpop_proof(&claims)).await;
    refused(&told, 401, "invalid_dpop_proof", "DPoP ");
}

#[tokio::test]
async fn rfc9449_11_1_a_proof_counts_once_and_with_a_nonce_of_this_service() {
    let bound = Bound::new().await;
    let proof = bound.key.dpop_proof(&bound.claims());
    assert_eq!(bound.shows(&proof).await.status, StatusCode::OK);
    refused(&bound.shows(&proof).await, 401, "invalid_dpop_proof", "DPoP ");
    for nonce in [None, Some("guessed")] {
        let mut claims = bound.claims();
        match nonce {
            Some(nonce) => claims["nonce"] = nonce.into(),
            None => drop(claims.as_object_mut().unwrap().remove("nonce")),
        }
        let told = bound.shows(&bound.key.dpop_proof(&claims)).await;
        refused(&told, 401, "use_dpop_nonce", "DPoP ");
        assert!(told.nonce.is_some(), "section 9");
    }
}
