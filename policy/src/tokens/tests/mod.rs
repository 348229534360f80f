//! What users write, right and wrong.

mod check;
mod client;
mod issuer;
mod others;

use countersign_identity::testing::SigningKey;
use serde_json::{Value, json};

use super::*;
use crate::parse::Problem;
use crate::world::ObjectName;

/// A hash of the right form, of nothing.
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A managed issuer with an audience of each sensitivity, changed as `change` says.
fn issuer(change: impl FnOnce(&mut Value)) -> Result<ManagedIssuer, Vec<Problem>> {
    let mut spec = json!({"managed": {
        "issuer": "https://tokens.example/shop",
        "audiences": [
            {"audience": "open", "sensitivity": "Public", "tokenFormat": "Opaque"},
            {"audience": "stock", "sensitivity": "Internal", "tokenLifetime": "30m", "scopes": ["stock:read"]},
            {"audience": "https://api.example/orders", "scopes": ["orders:read", "orders:write"]},
            {"audience": "payments", "sensitivity": "Critical", "scopes": ["pay"]},
        ],
        "upstream": {"issuer": "https://idp.example/", "clientId": "countersign"},
    }});
    change(&mut spec);
    managed_issuer("shop", &spec)
}

fn jwks() -> String {
    SigningKey::jwks(&[&SigningKey::generate("k1", jsonwebtoken::Algorithm::ES256)])
}

/// A partner with keys of its own, changed as `change` says.
fn partner(change: impl FnOnce(&mut Value)) -> Result<Client, Vec<Problem>> {
    let mut spec = json!({
        "issuer": "shop",
        "authentication": {"privateKeyJwt": {"jwks": jwks()}},
        "grants": ["ClientCredentials"],
        "audiences": [{"audience": "https://api.example/orders", "scopes": ["orders:read"]}],
    });
    change(&mut spec);
    client(ObjectName::new("partners", "acme"), &spec)
}

#[track_caller]
fn one(problems: &[Problem], field: &str, says: &str) {
    let [problem] = problems else {
        panic!("{problems:?} is not one problem");
    };
    assert_eq!(problem.field, field, "{problem}");
    assert!(problem.message.contains(says), "`{problem}` does not say `{says}`");
}
