//! RFC 8725, section by section, by the assertions that clients prove themselves with; and RFC 7515 and 7519 where they say more.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_identity::testing::{SigningKey, hmac_token, unsigned_token};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use rstest::rstest;
use serde_json::{Value, json};

use crate::flow::{BEARER, ORDERS, Outside, World, exchange, key};
use crate::rig::{ASSERTION_TYPE, Setup, Told, token_client};

async fn prove(world: &World, assertion: &str) -> Told {
    let form = [
        ("grant_type", "client_credentials"),
        ("resource", ORDERS),
        ASSERTION_TYPE,
        ("client_assertion", assertion),
    ];
    world.rig.post("/token", &form).await
}

/// Refused both as what proves a client and as a statement.
async fn counts_for_nothing(world: &World, assertion: &str) {
    prove(world, assertion).await.refused("invalid_client");
    let form = [("grant_type", BEARER), ("assertion", assertion), ("resource", ORDERS)];
    world.rig.post("/token", &form).await.refused("invalid_grant");
}

fn claims(world: &World) -> Value {
    world.rig.assertion_claims("shop/partner")
}

#[tokio::test]
async fn rfc8725_2_1_and_3_2_none_is_no_algorithm() {
    let world = World::start().await;
    counts_for_nothing(&world, &unsigned_token(&claims(&world))).await;
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let good = world
            .key
            .token_with_header(&json!({"alg": alg, "kid": "one"}), &claims(&world));
        counts_for_nothing(&world, &good).await;
        let (signed, _) = good.rsplit_once('.').unwrap();
        counts_for_nothing(&world, &format!("{signed}.")).await;
    }
}

#[tokio::test]
async fn rfc8725_2_1_a_public_key_is_no_shared_secret() {
    let world = World::start().await;
    let jwk = world.key.jwk();
    let point = ["x", "y"].map(|name| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap());
    for secret in [
        jwk.to_string().into_bytes(),
        SigningKey::jwks(&[&world.key]).into_bytes(),
        point.concat(),
        [&[4][..], &point.concat()].concat(),
        Vec::new(),
    ] {
        counts_for_nothing(&world, &hmac_token(&secret, "one", &claims(&world))).await;
    }
}

#[rstest]
#[case("ES384")]
#[case("PS256")]
#[case("RS256")]
#[case("EdDSA")]
#[case("HS256")]
#[case("ES256K")]
#[case("es256")]
#[tokio::test]
async fn rfc8725_3_1_a_key_has_its_algorithm(#[case] alg: &str) {
    let world = World::start().await;
    let header = json!({"alg": alg, "typ": "JWT", "kid": "one"});
    counts_for_nothing(&world, &world.key.token_with_header(&header, &claims(&world))).await;
}

#[tokio::test]
async fn rfc8725_3_2_and_fapi_5_4_rs256_is_not_for_clients() {
    let rsa = SigningKey::generate("one", jsonwebtoken::Algorithm::RS256);
    let client = json!({
        "authentication": {"privateKeyJwt": {"jwks": SigningKey::jwks(&[&rsa])}},
        "grants": ["ClientCredentials", "JWTBearer"], "audiences": [{"audience": ORDERS, "scopes": ["orders.read"]}],
    });
    let setup = Setup {
        manifests: crate::rig::token_client("rsa", &client),
        ..Setup::default()
    };
    let world = World::start_with("", setup).await;
    counts_for_nothing(&world, &rsa.assertion(&world.rig.assertion_claims("shop/rsa"))).await;
}

#[rstest]
#[case::path(json!("../../../../dev/null"))]
#[case::sql(json!("one' OR '1'='1"))]
#[case::command(json!("one|id"))]
#[case::url(json!("https://evil.example/key"))]
#[case::empty(json!(""))]
#[case::number(json!(1))]
#[case::list(json!(["one"]))]
#[case::null(json!(null))]
#[case::nul(json!("one\u{0}"))]
#[case::other_case(json!("ONE"))]
#[case::long(json!("o".repeat(300)))]
#[tokio::test]
async fn rfc8725_3_10_a_kid_is_compared_and_nothing_else(#[case] kid: Value) {
    let world = World::start().await;
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": kid});
    // Signed with the right key, by a name that it has not.
    counts_for_nothing(&world, &world.key.token_with_header(&header, &claims(&world))).await;
}

#[rstest]
#[case("jwk")]
#[case("jku")]
#[case("x5u")]
#[case("x5c")]
#[tokio::test]
async fn rfc8725_3_10_keys_in_headers_are_refused(#[case] member: &str) {
    let world = World::start().await;
    let attacker = key();
    let value = match member {
        "jwk" => attacker.jwk(),
        "x5c" => json!(["MIIB"]),
        _ => json!("https://evil.example/keys"),
    };
    for signer in [&attacker, &world.key] {
        let mut header = json!({"alg": "ES256", "typ": "JWT", "kid": "one"});
        header[member] = value.clone();
        counts_for_nothing(&world, &signer.token_with_header(&header, &claims(&world))).await;
    }
}

#[tokio::test]
async fn rfc8725_3_11_and_3_12_one_kind_of_token_is_no_other() {
    let world = World::start().await;
    for typ in ["at+jwt", "dpop+jwt", "logout+jwt", "secevent+jwt", "id_token", ""] {
        let header = json!({"alg": "ES256", "typ": typ, "kid": "one"});
        counts_for_nothing(&world, &world.key.token_with_header(&header, &claims(&world))).await;
    }
    // What is for authentication alone is no statement, and the other way round.
    let header = json!({"alg": "ES256", "typ": "client-authentication+jwt", "kid": "one"});
    let form = [
        ("grant_type", BEARER),
        ("assertion", &*world.key.token_with_header(&header, &claims(&world))),
    ];
    world.rig.post("/token", &form).await.refused("invalid_grant");
    let header = json!({"alg": "ES256", "typ": "authorization-grant+jwt", "kid": "one"});
    prove(&world, &world.key.token_with_header(&header, &claims(&world)))
        .await
        .refused("invalid_client");
}

#[tokio::test]
async fn rfc7515_4_1_11_extensions_that_must_be_understood_are_refused() {
    let ci = Outside::new();
    let setup = Setup {
        manifests: ci.manifests(),
        ..Setup::default()
    };
    let world = World::start_with("", setup).await;
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": "one", "crit": ["b64"], "b64": false});
    counts_for_nothing(&world, &world.key.token_with_header(&header, &claims(&world))).await;
    let header = json!({"alg": "RS256", "kid": "ci", "crit": ["x"], "x": 1});
    let subject = ci.key.token_with_header(&header, &ci.claims(&world.rig));
    world
        .rig
        .post("/token", &exchange(&subject))
        .await
        .refused("invalid_request");
    // Nor is a logout token of that issuer one to be exchanged.
    let header = json!({"alg": "RS256", "kid": "ci", "typ": "logout+jwt"});
    let subject = ci.key.token_with_header(&header, &ci.claims(&world.rig));
    world
        .rig
        .post("/token", &exchange(&subject))
        .await
        .refused("invalid_request");
}

#[rstest]
#[case::issuer("iss", json!("shop/other"))]
#[case::no_issuer("iss", json!(null))]
#[case::subject("sub", json!("shop/other"))]
#[case::no_subject("sub", json!(null))]
#[case::audience("aud", json!("https://another.example"))]
#[case::no_audience("aud", json!(null))]
#[case::empty_audience("aud", json!([]))]
#[case::expiry_as_text("exp", json!("9999999999"))]
#[case::no_expiry("exp", json!(null))]
#[case::forever("exp", json!(99_999_999_999_i64))]
#[case::negative("exp", json!(-1))]
#[case::no_identifier("jti", json!(null))]
#[case::long_identifier("jti", json!("j".repeat(300)))]
#[case::text_for_a_time("nbf", json!("now"))]
#[tokio::test]
async fn rfc8725_3_8_and_3_9_claims_are_checked(#[case] name: &str, #[case] value: Value) {
    let world = World::start().await;
    let mut claims = claims(&world);
    claims[name] = value;
    counts_for_nothing(&world, &world.key.assertion(&claims)).await;
}

/// It may be for the URL of an endpoint only where clients are that old: who pushes its requests is not.
#[tokio::test]
async fn fapi_5_3_2_1_who_pushes_requests_names_the_issuer_alone_as_a_text() {
    let world = World::start().await;
    let issuer = world.rig.issuer.clone();
    let push = async |audience: Value| {
        let mut claims = world.rig.assertion_claims("shop/app");
        claims["aud"] = audience;
        let assertion = world.key.assertion(&claims);
        let request = world.request("shop/app", &[]);
        let mut form: Vec<(&str, &str)> = request.iter().map(|(name, value)| (&**name, &**value)).collect();
        form.extend([ASSERTION_TYPE, ("client_assertion", &*assertion)]);
        world.rig.post("/par", &form).await
    };
    for audience in [
        json!([issuer]),
        json!([issuer, world.rig.url("/par")]),
        json!(world.rig.url("/par")),
        json!(world.rig.url("/token")),
    ] {
        push(audience).await.refused("invalid_client");
    }
    assert_eq!(push(json!(issuer)).await.status, 201);
}

#[tokio::test]
async fn rfc8725_3_9_an_assertion_for_another_server_too_is_refused() {
    let world = World::start().await;
    let mut claims = claims(&world);
    claims["aud"] = json!([world.rig.issuer, "https://evil.example/token"]);
    counts_for_nothing(&world, &world.key.assertion(&claims)).await;
}

/// RFC 8725 section 3.9, and draft-ietf-oauth-rfc7523bis: an attacker's server says in its metadata that the token endpoint of this one
/// is its own, or this issuer's name its own, and so is given assertions that look like those for here. Who uses one key at several
/// servers names issuers, and each server's is its own.
#[tokio::test]
async fn rfc8725_3_9_an_assertion_for_a_server_that_calls_these_endpoints_its_own_is_refused() {
    let key = key();
    let careful = json!({
        "authentication": {"privateKeyJwt": {"jwks": SigningKey::jwks(&[&key]), "assertionAudience": "Issuer"}},
        "grants": ["ClientCredentials", "JWTBearer"], "audiences": [{"audience": ORDERS, "scopes": ["orders.read"]}],
    });
    let setup = Setup {
        manifests: token_client("careful", &careful),
        ..Setup::default()
    };
    let world = World::start_with("", setup).await;
    for (audience, good) in [
        (json!(world.rig.issuer), true),
        (json!(world.rig.url("/token")), false),
        (json!(world.rig.url("/par")), false),
        (json!([world.rig.issuer]), false),
        (json!([world.rig.issuer, world.rig.url("/token")]), false),
    ] {
        let assertion = || {
            let mut claims = world.rig.assertion_claims("shop/careful");
            claims["aud"] = audience.clone();
            key.assertion(&claims)
        };
        let authenticates = assertion();
        let form = [
            ("grant_type", "client_credentials"),
            ASSERTION_TYPE,
            ("client_assertion", &*authenticates),
        ];
        let told = world.rig.post("/token", &form).await;
        assert_eq!(told.error(), if good { "" } else { "invalid_client" }, "{audience}");
        let states = assertion();
        let told = world
            .rig
            .post("/token", &[("grant_type", BEARER), ("assertion", &states)])
            .await;
        assert_eq!(told.error(), if good { "" } else { "invalid_grant" }, "{audience}");
    }
}

#[tokio::test]
async fn rfc8725_2_6_readers_cannot_differ() {
    let world = World::start().await;
    let now = world.rig.now();
    let header = r#"{"alg":"ES256","typ":"JWT","kid":"one"}"#;
    let issuer = &world.rig.issuer;
    let twice = format!(
        r#"{{"iss":"shop/partner","sub":"shop/other","sub":"shop/partner","aud":"{issuer}","exp":{},"jti":"a"}}"#,
        now + 60
    );
    counts_for_nothing(&world, &world.key.sign(header, twice.as_bytes())).await;
    let good = claims(&world).to_string();
    let twice = r#"{"alg":"none","alg":"ES256","kid":"one"}"#;
    counts_for_nothing(&world, &world.key.sign(twice, good.as_bytes())).await;
    // Another spelling of the same bytes would be another text with the same meaning.
    let token = world.key.sign(header, good.as_bytes());
    for other in [
        format!("{token}="),
        format!("{token}\n"),
        token.replacen('.', "..", 1),
        format!("{token}.x"),
    ] {
        counts_for_nothing(&world, &other).await;
    }
    let last = token.pop_last();
    assert!(
        prove(&world, &last).await.error() == "invalid_client",
        "bits are left over at its end"
    );
}

/// RFC 8725 section 3.6, and sections 2.3 to 2.5: there is nothing encrypted, so that nothing is told by how long it is.
#[tokio::test]
async fn rfc8725_3_6_nothing_is_decrypted_nor_inflated() {
    let world = World::start().await;
    let header = r#"{"alg":"dir","enc":"A128GCM","zip":"DEF","kid":"one"}"#;
    let encrypted = ["", "an IV", "a ciphertext", "a tag"].map(|part| URL_SAFE_NO_PAD.encode(part));
    let encrypted = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), encrypted.join("."));
    counts_for_nothing(&world, &encrypted).await;
    world
        .exchange_as("shop/back", &encrypted, &[("audience", ORDERS)])
        .await
        .refused("invalid_request");
    let mut deflated = DeflateEncoder::new(Vec::new(), Compression::default());
    deflated.write_all(claims(&world).to_string().as_bytes()).unwrap();
    let header = r#"{"alg":"ES256","typ":"JWT","kid":"one","zip":"DEF"}"#;
    counts_for_nothing(&world, &world.key.sign(header, &deflated.finish().unwrap())).await;
}

#[tokio::test]
async fn rfc8725_3_7_claims_are_utf_8() {
    let world = World::start().await;
    let header = r#"{"alg":"ES256","typ":"JWT","kid":"one"}"#;
    let named = |name: &[u8]| {
        let claims = claims(&world).to_string();
        let (open, _) = claims.rsplit_once('}').unwrap();
        let claims = [open.as_bytes(), b",\"name\":\"", name, b"\"}"].concat();
        world.key.sign(header, &claims)
    };
    prove(&world, &named("Zo\u{eb}".as_bytes())).await.token();
    for other in [&b"Zo\xeb"[..], b"Zo\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xff\xfe"] {
        counts_for_nothing(&world, &named(other)).await;
    }
    let wide: Vec<u8> = claims(&world)
        .to_string()
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    counts_for_nothing(&world, &world.key.sign(header, &wide)).await;
}

/// RFC 8725 sections 2.1, 3.1 and 3.3: what is not signed by the right key counts for nothing, whatever else is right in it.
#[tokio::test]
async fn rfc8725_2_1_and_3_1_tokens_of_this_issuer_are_not_forged() {
    let world = World::start().await;
    let told = world.token("shop/partner", ORDERS).await;
    let claims = told.claims();
    let jwks = world.visit("/jwks", None).await.body;
    let published: Value = serde_json::from_str(&jwks).unwrap();
    let kid = published["keys"][0]["kid"].as_str().unwrap();
    let attacker = SigningKey::generate(kid, jsonwebtoken::Algorithm::ES256);
    let mut own_key = json!({"alg": "ES256", "typ": "at+jwt", "kid": kid});
    own_key["jwk"] = attacker.jwk();
    let (signed, signature) = told.token().rsplit_once('.').unwrap();
    let payload = signed.split_once('.').unwrap().1;
    for forged in [
        unsigned_token(&claims),
        hmac_token(jwks.as_bytes(), kid, &claims),
        hmac_token(published["keys"][0].to_string().as_bytes(), kid, &claims),
        attacker.token(&claims),
        attacker.token_with_header(&own_key, &claims),
        format!(
            "{}.{payload}.{signature}",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt"}"#)
        ),
        format!("{signed}."),
    ] {
        assert!(!world.is_live("shop/partner", &forged).await, "{forged}");
        let told = world.exchange_as("shop/back", &forged, &[("audience", ORDERS)]).await;
        told.refused("invalid_request");
    }
    assert!(world.is_live("shop/partner", told.token()).await);
}

trait PopLast {
    fn pop_last(&self) -> String;
}

impl PopLast for String {
    /// The signature with a last character that decodes to the same bytes, if bits that are left over are not looked at.
    fn pop_last(&self) -> String {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let (rest, last) = self.split_at(self.len() - 1);
        let at = alphabet.iter().position(|byte| *byte == last.as_bytes()[0]).unwrap();
        format!("{rest}{}", char::from(alphabet[at ^ 1]))
    }
}
