//! What users write: what it gets them, and what they are told.

use serde_json::json;

use crate::service::{Tokens, claims, key};

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_client_gets_a_token_as_soon_as_it_is_there() {
    let tokens = Tokens::start().await;
    let key = key();
    let client = tokens.client("partner", &key).await;
    let claims = claims(&tokens.ask(&key, &client).await).unwrap();
    assert_eq!(
        (&claims["client_id"], &claims["aud"]),
        (&json!(client), &json!("https://orders.example"))
    );
    let status = tokens
        .until_told("TokenClient", "tokenclients", "partner", "Ready", "True")
        .await;
    assert_eq!(status["clientId"], client);
    assert_eq!(status["authentication"], "PrivateKeyJwt");
    let table = tokens.namespace.kubectl(&["get", "tokenclients"]).await.unwrap();
    assert!(table.contains("CLIENT ID") && table.contains(&client), "{table}");
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_client_that_asks_for_too_much_is_told_and_gets_nothing() {
    let tokens = Tokens::start().await;
    let key = key();
    let client = tokens.client("greedy", &key).await;
    let more = r#"[{"op": "replace", "path": "/spec/audiences/0/scopes", "value": ["orders.read", "everything"]}]"#;
    let patch = ["patch", "tokenclient", "greedy", "--type=json", "--patch", more];
    tokens.namespace.kubectl(&patch).await.unwrap();
    let status = tokens
        .until_told("TokenClient", "tokenclients", "greedy", "Ready", "False")
        .await;
    let message = status["conditions"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("spec.audiences[https://orders.example].scopes") && message.contains("everything"),
        "{message}"
    );
    assert_eq!(tokens.ask(&key, &client).await["error"], "invalid_client");
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn what_is_revoked_gets_no_token() {
    let tokens = Tokens::start().await;
    let key = key();
    let client = tokens.client("thief", &key).await;
    claims(&tokens.ask(&key, &client).await).unwrap();
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let name = format!("thief-{}", tokens.namespace.name());
    let object = json!({
        "apiVersion": "countersign.dev/v1alpha1", "kind": "TokenRevocation", "metadata": {"name": name},
        "spec": {"issuer": "e2e", "client": client, "until": until.to_string(), "reason": "its key was stolen"},
    });
    tokens.testbed.apply(&object.to_string()).await.unwrap();
    let status = tokens
        .until_told("TokenRevocation", "tokenrevocations", &name, "Ready", "True")
        .await;
    assert!(status["recorded"].as_i64().unwrap() > 0);
    assert_eq!(tokens.ask(&key, &client).await["error"], "invalid_grant");
    let list = tokens
        .http
        .get(format!("{}/revocations", crate::service::ISSUER))
        .send()
        .await
        .unwrap();
    assert_eq!(list.text().await.unwrap().split('.').count(), 3);
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_workload_is_told_whether_it_can_have_the_tokens_that_it_asks_for() {
    let tokens = Tokens::start().await;
    let ask = async |scope: Option<&str>| {
        let audiences = json!([{"audience": "https://orders.example", "scopes": [scope]}]);
        let entries = scope.map(|_| json!({"tokenIssuer": "e2e", "audiences": audiences}));
        let object = json!({
            "apiVersion": "countersign.dev/v1alpha1", "kind": "ServiceIdentity", "metadata": {"name": "asks"},
            "spec": {"serviceAccountName": "asks", "tokens": entries.into_iter().collect::<Vec<_>>()},
        });
        tokens.namespace.apply(&object.to_string()).await.unwrap();
    };
    let told = |status| tokens.until_told("ServiceIdentity", "serviceidentities", "asks", "TokensGranted", status);
    ask(Some("orders.read")).await;
    told("True").await;
    ask(Some("everything")).await;
    let status = told("False").await;
    let message = status["conditions"].to_string();
    assert!(
        message.contains("spec.tokens[e2e]") && message.contains("everything"),
        "{message}"
    );
    ask(None).await;
    e2e::wait_for(
        "nothing to be said of tokens",
        std::time::Duration::from_mins(1),
        || async {
            let get = [
                "get",
                "serviceidentity",
                "asks",
                "--output=jsonpath={.status.conditions[*].type}",
            ];
            let types = tokens.namespace.kubectl(&get).await?;
            anyhow::ensure!(!types.contains("TokensGranted"), "it has {types}");
            Ok(())
        },
    )
    .await
    .unwrap();
}
