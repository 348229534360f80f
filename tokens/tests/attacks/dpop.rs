//! DPoP proofs (RFC 9449): each check of section 4.3, and the nonces of section 8.

use countersign_identity::dpop::{self, Expected, Htu};
use countersign_identity::testing::{SigningKey, hmac_token};
use rstest::rstest;
use serde_json::{Value, json};

use crate::flow::{ORDERS, World, key};
use crate::rig::{ISSUER, Rig, Setup, Told, token_client, unique};

struct Asks {
    rig: Rig,
    client: SigningKey,
    proof: SigningKey,
}

async fn asks() -> Asks {
    let client = key();
    let partner = json!({
        "authentication": {"privateKeyJwt": {"jwks": SigningKey::jwks(&[&client])}},
        "grants": ["ClientCredentials"], "audiences": [{"audience": ORDERS, "scopes": ["orders.read"]}],
    });
    // The issuer beside it on the same host has the same name but for its path.
    let two = ISSUER
        .replace("name: shop", "name: two")
        .replace("${ISSUER}", "${ISSUER}/two");
    let rig = Rig::start(Setup {
        manifests: format!("{ISSUER}\n---\n{two}{}", token_client("partner", &partner)),
        ..Setup::default()
    })
    .await;
    Asks {
        rig,
        client,
        proof: key(),
    }
}

impl Asks {
    async fn with(&self, proofs: &[&str]) -> Told {
        let assertion = self.rig.assertion(&self.client, "shop/partner");
        let form = [
            ("grant_type", "client_credentials"),
            crate::rig::ASSERTION_TYPE,
            ("client_assertion", &*assertion),
        ];
        let headers: Vec<(&str, &str)> = proofs.iter().map(|proof| ("dpop", *proof)).collect();
        self.rig.send(&self.rig.http, "/token", &form, &headers).await
    }

    async fn claims(&self) -> Value {
        json!({
            "htm": "POST", "htu": self.rig.url("/token"), "iat": self.rig.now(), "jti": unique(),
            "nonce": self.rig.nonce(&self.proof).await,
        })
    }

    async fn with_claims(&self, change: impl FnOnce(&mut Value)) -> Told {
        let mut claims = self.claims().await;
        change(&mut claims);
        self.with(&[&self.proof.dpop_proof(&claims)]).await
    }
}

#[tokio::test]
async fn rfc9449_4_3_a_good_proof_binds_the_token() {
    let asks = asks().await;
    let told = asks.with_claims(|_| ()).await;
    assert_eq!(told.body["token_type"], "DPoP");
}

#[tokio::test]
async fn rfc9449_11_1_a_proof_counts_once() {
    let asks = asks().await;
    let proof = asks.proof.dpop_proof(&asks.claims().await);
    asks.with(&[&proof]).await.token();
    asks.with(&[&proof]).await.refused("invalid_dpop_proof");
    // Its nonce is up to 120 seconds old already, and good for 300: it is the proof that is refused, whenever this runs.
    asks.rig.pass(150);
    asks.with(&[&proof]).await.refused("invalid_dpop_proof");
    // It is forgotten now, and so old that another is asked for.
    asks.rig.pass(200);
    asks.with(&[&proof]).await.refused("use_dpop_nonce");
}

#[tokio::test]
async fn rfc9449_4_3_1_there_is_one_header() {
    let asks = asks().await;
    let (one, two) = (asks.claims().await, asks.claims().await);
    let (one, two) = (asks.proof.dpop_proof(&one), asks.proof.dpop_proof(&two));
    asks.with(&[&one, &two]).await.refused("invalid_dpop_proof");
    asks.with(&[&format!("{one}, {two}")])
        .await
        .refused("invalid_dpop_proof");
    asks.with(&[&one, &one]).await.refused("invalid_dpop_proof");
}

#[rstest]
#[case::port(|url: &str| url.replace("localhost:", "localhost:1"))]
#[case::no_port(|url: &str| format!("https://localhost{}", &url[url.rfind('/').unwrap()..]))]
#[case::path_case(|url: &str| url.replace("/token", "/Token"))]
#[case::other_path(|url: &str| url.replace("/token", "/par"))]
#[case::longer_path(|url: &str| url.replace("/token", "/token/"))]
#[case::other_issuer(|url: &str| url.replace("/token", "/two/token"))]
#[case::scheme(|url: &str| url.replace("https:", "http:"))]
#[case::host(|url: &str| url.replace("localhost", "evil.example"))]
#[case::address(|url: &str| url.replace("localhost", "127.0.0.1"))]
#[case::user(|url: &str| url.replace("localhost", "user@localhost"))]
#[case::empty(|_: &str| String::new())]
#[tokio::test]
async fn rfc9449_4_3_9_htu_is_where_it_is_sent(#[case] other: fn(&str) -> String) {
    let asks = asks().await;
    let url = other(&asks.rig.url("/token"));
    asks.with_claims(|claims| claims["htu"] = url.into())
        .await
        .refused("invalid_dpop_proof");
}

#[tokio::test]
async fn rfc9449_4_3_9_other_spellings_and_a_query_are_the_same_place() {
    let asks = asks().await;
    let url = asks.rig.url("/token");
    for same in [
        url.replace("localhost", "LOCALHOST"),
        url.replace("https", "HTTPS"),
        format!("{url}?a=b#c"),
    ] {
        asks.with_claims(|claims| claims["htu"] = same.into()).await.token();
    }
}

#[rstest]
#[case::method("htm", json!("GET"))]
#[case::method_case("htm", json!("post"))]
#[case::no_method("htm", json!(null))]
#[case::no_place("htu", json!(null))]
#[case::no_time("iat", json!(null))]
#[case::text_for_a_time("iat", json!("now"))]
#[case::no_identifier("jti", json!(null))]
#[case::empty_identifier("jti", json!(""))]
#[case::nonce_of_another_type("nonce", json!(1))]
#[tokio::test]
async fn rfc9449_4_3_each_claim_is_checked(#[case] name: &str, #[case] value: Value) {
    let asks = asks().await;
    asks.with_claims(|claims| claims[name] = value)
        .await
        .refused("invalid_dpop_proof");
}

#[rstest]
#[case(-301)]
#[case(-100_000)]
#[case(61)]
#[case(100_000)]
#[tokio::test]
async fn rfc9449_4_3_11_neither_old_nor_of_the_future(#[case] off: i64) {
    let asks = asks().await;
    let iat = asks.rig.now() + off;
    asks.with_claims(|claims| claims["iat"] = iat.into())
        .await
        .refused("invalid_dpop_proof");
}

#[tokio::test]
async fn rfc9449_4_3_7_and_11_6_the_key_is_public_and_signs() {
    let asks = asks().await;
    let claims = asks.claims().await;
    let jwk = asks.proof.jwk();
    let mut private = jwk.clone();
    private["d"] = "AAAA".into();
    let symmetric = json!({"kty": "oct", "k": "AAAA"});
    let (other, encrypts) = (key().jwk(), {
        let mut jwk = jwk.clone();
        jwk["use"] = "enc".into();
        jwk
    });
    for (jwk, alg, typ) in [
        (&private, "ES256", "dpop+jwt"),
        (&symmetric, "HS256", "dpop+jwt"),
        (&other, "ES256", "dpop+jwt"),
        (&encrypts, "ES256", "dpop+jwt"),
        (&jwk, "none", "dpop+jwt"),
        (&jwk, "HS256", "dpop+jwt"),
        (&jwk, "ES384", "dpop+jwt"),
        (&jwk, "ES256", "JWT"),
        (&jwk, "ES256", "DPOP+JWT"),
        (&Value::Null, "ES256", "dpop+jwt"),
    ] {
        let header = json!({"alg": alg, "typ": typ, "jwk": jwk});
        let proof = asks.proof.token_with_header(&header, &claims);
        asks.with(&[&proof]).await.refused("invalid_dpop_proof");
    }
    asks.with(&[&hmac_token(jwk.to_string().as_bytes(), "one", &claims)])
        .await
        .refused("invalid_dpop_proof");
    for garbage in ["", "a", "a.b.c", "..", &"a".repeat(9000)] {
        let told = asks.with(&[garbage]).await;
        assert!(
            told.status == 400 && told.body.get("access_token").is_none(),
            "{told:?}"
        );
    }
}

#[tokio::test]
async fn rfc9449_8_a_nonce_is_this_servers_and_new() {
    let asks = asks().await;
    let good = asks.claims().await;
    for nonce in [Value::Null, json!(""), json!("guessed"), json!(unique())] {
        let mut claims = good.clone();
        claims["nonce"] = nonce.clone();
        if nonce.is_null() {
            claims.as_object_mut().unwrap().remove("nonce");
        }
        let told = asks.with(&[&asks.proof.dpop_proof(&claims)]).await;
        told.refused("use_dpop_nonce");
        assert!(told.nonce.is_some(), "the answer has one that is good");
        assert_eq!(told.status, 400, "RFC 9449 section 8");
    }
    // That of the other issuer of this service.
    let dpop = asks.rig.proof(&asks.proof, "/two/token", None);
    let form = [("grant_type", "client_credentials")];
    let told = asks
        .rig
        .send(&asks.rig.http, "/two/token", &form, &[("dpop", &dpop)])
        .await;
    let foreign = told.nonce.unwrap();
    asks.with_claims(|claims| claims["nonce"] = foreign.into())
        .await
        .refused("use_dpop_nonce");
    // And one past its window.
    let old = good["nonce"].clone();
    asks.rig.pass(301);
    asks.with_claims(|claims| claims["nonce"] = old)
        .await
        .refused("use_dpop_nonce");
}

/// The conformance suite of FAPI 2.0 does so: it makes another proof, and sends the same assertion again.
#[rstest]
#[case("/token")]
#[case("/par")]
#[tokio::test]
async fn rfc9449_8_who_is_asked_for_a_nonce_comes_again_with_the_same_assertion(#[case] path: &str) {
    let asks = asks().await;
    let assertion = asks.rig.assertion(&asks.client, "shop/partner");
    let form = [
        ("grant_type", "client_credentials"),
        crate::rig::ASSERTION_TYPE,
        ("client_assertion", &*assertion),
    ];
    let mut claims = asks.claims().await;
    claims["htu"] = json!(asks.rig.url(path));
    let good = claims["nonce"].take();
    let send = async |claims: &Value| {
        let proof = asks.proof.dpop_proof(claims);
        asks.rig.send(&asks.rig.http, path, &form, &[("dpop", &proof)]).await
    };
    for nonce in [None, Some("guessed")] {
        claims["jti"] = json!(unique());
        match nonce {
            None => drop(claims.as_object_mut().unwrap().remove("nonce")),
            Some(nonce) => claims["nonce"] = json!(nonce),
        }
        send(&claims).await.refused("use_dpop_nonce");
    }
    claims["nonce"] = good;
    claims["jti"] = json!(unique());
    let told = send(&claims).await;
    // This client pushes no requests, and is known to be itself.
    assert_eq!(told.status, if path == "/par" { 400 } else { 200 }, "{}", told.body);
    claims["jti"] = json!(unique());
    send(&claims).await.refused("invalid_client");
}

/// FAPI 2.0 Security Profile section 5.3.2.1: ten seconds ahead are the clocks' doing.
#[tokio::test]
async fn rfc9449_11_1_a_proof_may_be_a_little_ahead() {
    let asks = asks().await;
    let iat = asks.rig.now() + 10;
    let told = asks.with_claims(|claims| claims["iat"] = iat.into()).await;
    assert_eq!(told.body["token_type"], "DPoP");
}

#[tokio::test]
async fn rfc9449_5_a_bad_proof_is_never_passed_over() {
    let world = World::start().await;
    // The API takes bearer tokens too, and yet.
    let proves = world.proves("shop/partner");
    let mut form: Vec<(&str, &str)> = proves.iter().map(|(name, value)| (*name, &**value)).collect();
    form.extend([("grant_type", "client_credentials"), ("resource", ORDERS)]);
    let told = world
        .rig
        .send(&world.rig.http, "/token", &form, &[("dpop", "not a proof")])
        .await;
    told.refused("invalid_dpop_proof");
}

/// RFC 9700 sections 2.2.1 and 4.10.1.
#[tokio::test]
async fn rfc9449_4_3_12_at_an_api_the_proof_names_the_token() {
    let asks = asks().await;
    let told = asks.with_claims(|_| ()).await;
    let uri = Htu::parse("https://orders.example/1").unwrap();
    let expected = Expected {
        method: "GET",
        uri: &uri,
        access_token: Some(told.token()),
        algorithms: &countersign_tokens::clients::ALGORITHMS,
        window: 60,
    };
    let now = asks.rig.now();
    for (ath, good) in [
        (json!(dpop::token_hash(told.token())), true),
        (json!(dpop::token_hash("another token")), false),
        (json!(told.token()), false),
        (Value::Null, false),
    ] {
        let claims = json!({"htm": "GET", "htu": uri.as_str(), "iat": now, "jti": unique(), "ath": ath});
        let verified = dpop::verify(&asks.proof.dpop_proof(&claims), &expected, now);
        assert_eq!(verified.is_ok(), good);
        if let Ok(proof) = verified {
            assert_eq!(told.claims()["cnf"]["jkt"], proof.thumbprint);
        }
    }
}
