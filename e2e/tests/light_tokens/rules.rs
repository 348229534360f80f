//! What the API server itself refuses of the kinds around tokens, before anybody of Countersign's looks: the CEL rules and bounds
//! of the CRDs, each with what it says.

use e2e::ApiUser;
use serde_json::{Value, json};

use crate::service::Tokens;

const CLIENTS: &str = "/apis/countersign.dev/v1alpha1/{ns}/tokenclients";
const ISSUERS: &str = "/apis/countersign.dev/v1alpha1/tokenissuers";
const REVOCATIONS: &str = "/apis/countersign.dev/v1alpha1/tokenrevocations";
const IDENTITIES: &str = "/apis/countersign.dev/v1alpha1/{ns}/serviceidentities";

fn object(kind: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "countersign.dev/v1alpha1", "kind": kind, "metadata": {"name": "ruled"}, "spec": spec,
    })
}

/// A client that is in order, changed.
fn client(change: &Value) -> Value {
    let mut spec = json!({
        "issuer": "e2e",
        "authentication": {"privateKeyJwt": {"jwksUri": "https://partner.example/jwks.json"}},
        "grants": ["ClientCredentials"],
        "audiences": [{"audience": "https://orders.example", "scopes": ["orders.read"]}],
    });
    json_patch(&mut spec, change);
    object("TokenClient", &spec)
}

/// A managed issuer that is in order, with `change` within `managed`.
fn issuer(change: &Value) -> Value {
    let mut managed = json!({
        "issuer": "https://ruled.example",
        "audiences": [{"audience": "https://orders.example", "sensitivity": "Internal", "scopes": ["orders.read"]}],
    });
    json_patch(&mut managed, change);
    object("TokenIssuer", &json!({ "managed": managed }))
}

/// A merge patch (RFC 7386) of one level.
fn json_patch(object: &mut Value, change: &Value) {
    for (field, value) in change.as_object().unwrap() {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(field);
        } else {
            object[field] = value.clone();
        }
    }
}

fn clients() -> Vec<(Value, &'static str)> {
    let proves = |how: Value| json!({ "authentication": how });
    let both = json!({"privateKeyJwt": {"jwksUri": "https://p.example/jwks"}, "mutualTls": {"dnsName": "p.example"}});
    let code = |more: Value| {
        let mut change = json!({"grants": ["AuthorizationCode"], "redirectUris": ["https://app.example/back"]});
        json_patch(&mut change, &more);
        change
    };
    vec![
        (proves(both), "exactly one of"),
        (proves(json!({})), "exactly one of"),
        (proves(json!({"privateKeyJwt": {}})), "exactly one of jwksUri and jwks"),
        (
            proves(json!({"privateKeyJwt": {"jwks": "{\"keys\": []}", "caBundle": "x"}})),
            "caBundle is for fetching jwksUri",
        ),
        (
            proves(json!({"mutualTls": {"dnsName": "p.example", "spiffeId": "spiffe://a/b"}})),
            "exactly one of spiffeId, dnsName and thumbprints",
        ),
        (
            proves(json!({"clientSecret": {"hashes": [{"hash": "plain text", "notAfter": "2027-01-01T00:00:00Z"}]}})),
            "argon2",
        ),
        (
            json!({"grants": ["AuthorizationCode"]}),
            "redirectUris go with grant AuthorizationCode",
        ),
        (
            json!({"redirectUris": ["https://app.example/back"]}),
            "redirectUris go with grant AuthorizationCode",
        ),
        (
            json!({"grants": ["ClientCredentials", "RefreshToken"]}),
            "grant RefreshToken goes with AuthorizationCode",
        ),
        (
            code(json!({"authentication": {"public": {}}, "grants": ["AuthorizationCode", "ClientCredentials"]})),
            "a public client proves nothing",
        ),
        (
            json!({
                "authentication": {"federated": [{"tokenIssuer": "ci", "audience": "a", "claims": {"sub": "x"}}]},
                "grants": ["TokenExchange", "ClientCredentials"],
            }),
            "uses TokenExchange, and nothing else",
        ),
        (
            json!({"authentication": {"mutualTls": {"dnsName": "p.example"}}, "grants": ["JWTBearer"]}),
            "grant JWTBearer needs authentication.privateKeyJwt",
        ),
        (json!({"grants": ["Password"]}), "Unsupported value: \"Password\""),
        (json!({"grants": ["Implicit"]}), "Unsupported value: \"Implicit\""),
    ]
}

fn issuers() -> Vec<(Value, &'static str)> {
    vec![
        (
            json!({"signing": {"rotateEvery": "5m"}}),
            "rotateEvery must be from 1h to 8760h",
        ),
        (
            json!({"refresh": {"absoluteLifetime": "9000h"}}),
            "absoluteLifetime must be from 1m to 8760h",
        ),
        (
            json!({"refresh": {"absoluteLifetime": "1h", "idleLifetime": "2h"}}),
            "idleLifetime must be from 1m to absoluteLifetime",
        ),
        (json!({"refresh": {"grace": "2m"}}), "grace must be 60s at most"),
    ]
}

fn revocations() -> Vec<(Value, &'static str)> {
    let revoked = |more: Value| {
        let mut spec = json!({"issuer": "e2e", "until": "2099-01-01T00:00:00Z", "reason": "a test"});
        json_patch(&mut spec, &more);
        spec
    };
    vec![
        (revoked(json!({})), "say what is revoked"),
        (
            revoked(json!({"jti": "a", "client": "b"})),
            "give one of jti, subject, client and family",
        ),
        (
            revoked(json!({"jti": "a", "issuedBefore": "2026-01-01T00:00:00Z"})),
            "issuedBefore goes with subject or client",
        ),
    ]
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn each_rule_of_the_kinds_refuses_what_it_is_there_for() {
    let tokens = Tokens::start().await;
    let admin = ApiUser::admin(&tokens.namespace);
    let in_order = [
        (CLIENTS, client(&json!({}))),
        (ISSUERS, issuer(&json!({}))),
        (
            REVOCATIONS,
            object(
                "TokenRevocation",
                &json!({"issuer": "e2e", "client": "a/b", "until": "2099-01-01T00:00:00Z", "reason": "a test"}),
            ),
        ),
    ];
    for (path, object) in in_order {
        admin.try_create(path, &object).await.unwrap();
    }
    let clients = clients()
        .into_iter()
        .map(|(change, said)| (CLIENTS, client(&change), said));
    let issuers = issuers()
        .into_iter()
        .map(|(change, said)| (ISSUERS, issuer(&change), said));
    let revocations = revocations()
        .into_iter()
        .map(|(spec, said)| (REVOCATIONS, object("TokenRevocation", &spec), said));
    let consul = |name: &str| {
        object(
            "ServiceIdentity",
            &json!({"serviceAccountName": "a", "mesh": {"consulService": name}}),
        )
    };
    let both = json!({"managed": {}, "external": {}});
    let others = [
        (IDENTITIES, consul("*"), "spec.mesh.consulService"),
        (IDENTITIES, consul("a.b"), "spec.mesh.consulService"),
        (
            ISSUERS,
            object("TokenIssuer", &json!({})),
            "give exactly one of external and managed",
        ),
        (ISSUERS, object("TokenIssuer", &both), "spec.managed"),
    ];
    for (path, object, said) in clients.chain(issuers).chain(revocations).chain(others) {
        let answer = admin.try_create(path, &object).await;
        let message = answer.expect_err(&format!("{object} was admitted"));
        assert!(message.contains(said), "{object}: {message}");
    }
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_revocation_does_not_change() {
    let tokens = Tokens::start().await;
    let admin = ApiUser::admin(&tokens.namespace);
    let name = format!("ruled-{}", tokens.namespace.name());
    let spec = json!({"issuer": "e2e", "client": "nobody/here", "until": "2099-01-01T00:00:00Z", "reason": "a test"});
    let mut revocation = object("TokenRevocation", &spec);
    revocation["metadata"]["name"] = json!(name);
    admin.create(REVOCATIONS, &revocation).await.unwrap();
    let change = json!({"spec": {"client": "somebody/else"}});
    let refused = admin.patch(&format!("{REVOCATIONS}/{name}"), &change).await;
    assert!(refused.unwrap_err().contains("a revocation does not change"));
}
