//! What a program has anyway becomes a token: exchange (RFC 8693), and statements (RFC 7523 section 2.1).

use rstest::rstest;
use serde_json::{Value, json};

use crate::held::{KEY_ID, Key};
use crate::peers::Library;
use crate::rig::{ISSUER, Rig, Setup, claims_of, token_client};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ORDERS: &str = "https://orders.example";
const SPIFFE_ID: &str = "spiffe://cluster.local/ns/shop/sa/web";

const WORKLOAD: &str = r#"
---
apiVersion: countersign.dev/v1alpha1
kind: ServiceIdentity
metadata: {name: web, namespace: shop}
spec:
  serviceAccountName: web
  tokens:
  - tokenIssuer: shop
    audiences:
    - {audience: "https://orders.example", scopes: [orders.read]}
"#;

async fn rig(manifests: String) -> Rig {
    Rig::start(Setup {
        manifests,
        live: true,
        ..Setup::default()
    })
    .await
}

fn client(key: &Key, grants: &[&str]) -> Value {
    json!({
        "authentication": {"privateKeyJwt": {"jwks": key.jwks}},
        "grants": grants,
        "audiences": [{"audience": ORDERS, "scopes": ["orders.read", "orders.write"]}],
    })
}

#[rstest]
#[tokio::test]
async fn the_token_of_a_service_account(
    #[values(Library::OpenidClient, Library::Oauth4webapi, Library::Authlib, Library::XOauth2)] library: Library,
) {
    let rig = rig(format!("{ISSUER}{WORKLOAD}")).await;
    rig.knows("the token in the Pod", "shop", "web");
    let task = json!({
        "what": "machine", "client": SPIFFE_ID, "method": "none", "grant": EXCHANGE, "discovery": "oauth2",
        "parameters": {"subject_token": "the token in the Pod", "subject_token_type": JWT, "audience": ORDERS},
    });
    let done = library.does(&rig, &task).await;
    assert_eq!(done["tokens"]["issued_token_type"], ACCESS_TOKEN);
    let claims = claims_of(done["tokens"]["access_token"].as_str().unwrap());
    assert_eq!((&claims["sub"], &claims["aud"]), (&json!(SPIFFE_ID), &json!(ORDERS)));
    assert_eq!(claims["scope"], "orders.read");
}

#[rstest]
#[tokio::test]
async fn the_token_of_another_on_whose_behalf_it_acts(
    #[values(Library::OpenidClient, Library::Oauth4webapi, Library::Authlib, Library::XOauth2)] library: Library,
) {
    let (one, other) = (Key::new("ES256"), Key::new("ES256"));
    let clients = [
        token_client("front", &client(&one, &["ClientCredentials", "JWTBearer"])),
        token_client("back", &client(&other, &["TokenExchange"])),
    ];
    // `back` is the API that is called with the token.
    let scopes = "scopes: [orders.read, orders.write]";
    let issuer = ISSUER.replace(scopes, &format!("{scopes}, introspectedBy: [shop/back]"));
    let rig = rig(format!("{issuer}{}", clients.concat())).await;
    let statement = one.statement(&rig, "shop/front");
    let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let had = rig.post("/token", &[grant, ("assertion", &statement)]).await;
    let task = json!({
        "what": "machine", "client": "shop/back", "grant": EXCHANGE, "discovery": "oauth2",
        "method": "private_key_jwt", "key": other.pem, "algorithm": other.algorithm, "kid": KEY_ID,
        "parameters": {"subject_token": had.token(), "subject_token_type": ACCESS_TOKEN, "resource": ORDERS, "scope": "orders.read"},
    });
    let done = library.does(&rig, &task).await;
    let claims = claims_of(done["tokens"]["access_token"].as_str().unwrap());
    assert_eq!(
        (&claims["sub"], &claims["client_id"]),
        (&json!("shop/front"), &json!("shop/back"))
    );
    assert_eq!(claims["act"], json!({"sub": "shop/back"}));
}

#[rstest]
#[tokio::test]
async fn a_statement(
    #[values(Library::OpenidClient, Library::Oauth4webapi, Library::Authlib, Library::XOauth2)] library: Library,
) {
    let key = Key::new("ES256");
    let partner = token_client("partner", &client(&key, &["JWTBearer"]));
    let rig = rig(format!("{ISSUER}{partner}")).await;
    let mut task = json!({
        "what": "machine", "client": "shop/partner", "method": "none", "discovery": "oauth2",
        "grant": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "parameters": {"scope": "orders.read", "assertion": key.statement(&rig, "shop/partner")},
    });
    if library == Library::Authlib {
        // It signs the statement by itself.
        task["what"] = "statement".into();
        task["parameters"] = json!({"scope": "orders.read"});
        task["key"] = key.pem.as_str().into();
        task["algorithm"] = key.algorithm.into();
    }
    let done = library.does(&rig, &task).await;
    assert_eq!(done["tokens"]["scope"], "orders.read");
    let claims = claims_of(done["tokens"]["access_token"].as_str().unwrap());
    assert_eq!(
        (&claims["sub"], &claims["aud"]),
        (&json!("shop/partner"), &json!(ORDERS))
    );
}
