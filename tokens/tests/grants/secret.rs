//! Client secrets, of which hashes are kept, for the least sensitive APIs alone.

use argon2::{Argon2, PasswordHasher as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::flow::STOCK;
use crate::rig::{ISSUER, Rig, Setup, token_client, unique};

const DAY: i64 = 86400;

fn hashed(secret: &str, until: i64) -> Value {
    let hash = Argon2::default().hash_password(secret.as_bytes()).unwrap();
    json!({"hash": hash.to_string(), "notAfter": Timestamp::from_second(until).unwrap().to_string()})
}

fn client(hashes: &[Value]) -> Value {
    json!({
        "authentication": {"clientSecret": {"hashes": hashes}}, "grants": ["ClientCredentials"],
        "audiences": [{"audience": STOCK, "scopes": ["stock.read"]}],
    })
}

async fn rig(secrets: &[(&str, i64)]) -> Rig {
    let now = countersign_runtime::clock::now().as_second();
    let hashes: Vec<Value> = secrets
        .iter()
        .map(|(secret, lives)| hashed(secret, now + lives))
        .collect();
    Rig::start(Setup {
        manifests: format!("{ISSUER}{}", token_client("old", &client(&hashes))),
        ..Setup::default()
    })
    .await
}

async fn posted(rig: &Rig, secret: &str) -> crate::rig::Told {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "shop/old"),
        ("client_secret", secret),
    ];
    rig.post("/token", &form).await
}

#[tokio::test]
async fn a_secret_counts_in_the_header_and_in_the_body() {
    // Both halves are encoded before they are joined (RFC 6749 section 2.3.1).
    let secret = format!("{}: %+&/", unique());
    let rig = rig(&[(&secret, DAY)]).await;
    posted(&rig, &secret).await.token();
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let basic = format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", encode("shop/old"), encode(&secret)))
    );
    let form = [("grant_type", "client_credentials")];
    rig.send(&rig.http, "/token", &form, &[("authorization", &basic)])
        .await
        .token();
}

#[tokio::test]
async fn each_secret_has_its_end() {
    let (one, two) = (unique(), unique());
    let rig = rig(&[(&one, DAY), (&two, 2 * DAY)]).await;
    posted(&rig, &one).await.token();
    posted(&rig, &two).await.token();
    rig.pass(DAY + 1);
    posted(&rig, &one).await.refused("invalid_client");
    posted(&rig, &two).await.token();
    rig.pass(DAY);
    posted(&rig, &two).await.refused("invalid_client");
}

#[tokio::test]
async fn a_secret_is_not_for_what_is_sensitive() {
    let rig = rig(&[("any", DAY)]).await;
    let mut wider = client(&[hashed("any", rig.now() + DAY)]);
    wider["issuer"] = "shop".into();
    wider["audiences"] = json!([{"audience": "https://orders.example", "scopes": ["orders.read"]}]);
    rig.change(|sources| sources.clients[0].spec = wider);
    posted(&rig, "any").await.refused("invalid_client");
}
