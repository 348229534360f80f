//! The keys: in a Secret that only the token service reads, and turned without a refused token.

use std::time::Duration;

use e2e::{ApiUser, chart, wait_for};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::Value;

use crate::service::{Tokens, claims, key};

const SECRET: &str = "countersign-token-keys";

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn the_keys_are_made_kept_and_told() {
    let mut tokens = Tokens::start().await;
    let status = tokens
        .until_told("TokenIssuer", "tokenissuers", "e2e", "Ready", "True")
        .await;
    let kids = tokens.kids().await;
    assert_eq!(status["keys"][0]["kid"], kids[0].as_str());
    assert_eq!(status["keys"][0]["state"], "Signing");
    assert!(
        status["jwks"].as_str().unwrap().contains(&kids[0]),
        "policies read the keys there"
    );
    tokens.restart().await;
    assert_eq!(tokens.kids().await, kids, "they are the same after a start");
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn metrics_tell_when_the_key_turns_how_long_requests_take_and_whether_the_store_answers() {
    let tokens = Tokens::start().await;
    tokens.kids().await;
    wait_for("the metrics to tell", Duration::from_mins(1), || async {
        // What the status says may still be of the keys that a test before had.
        let status = tokens
            .until_told("TokenIssuer", "tokenissuers", "e2e", "Ready", "True")
            .await;
        let until: jiff::Timestamp = status["keys"][0]["signsUntil"].as_str().unwrap().parse()?;
        let turns = format!(
            "countersign_tokens_signing_key_until_timestamp_seconds{{issuer=\"e2e\"}} {}",
            until.as_second()
        );
        let shown = tokens.metrics().await?;
        for line in [
            turns.as_str(),
            "countersign_tokens_request_duration_seconds_count{endpoint=\"jwks\"}",
            "countersign_tokens_store_up 1",
            "countersign_tokens_secrets_hashed_total ",
        ] {
            anyhow::ensure!(shown.contains(line), "{line} is not among\n{shown}");
        }
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn nobody_else_may_read_them() {
    let tokens = Tokens::start().await;
    // Other suites on the same API server let the signer have Secrets.
    chart::forbid_secrets(&tokens.testbed).await.unwrap();
    let may = async |account: &str, secret: &str| {
        let user = format!("system:serviceaccount:{}:{account}", chart::NAMESPACE);
        let user = ApiUser::admin_of(&tokens.testbed, chart::NAMESPACE).impersonate(&user, &["system:serviceaccounts"]);
        let path = format!("/api/v1/{{ns}}/secrets/{secret}");
        user.send("GET", &path, "application/json", &Value::Null).await
    };
    assert!(may("countersign-tokens", SECRET).await.is_ok());
    for account in ["countersign", "countersign-signer", "default"] {
        assert!(
            may(account, SECRET).await.is_err(),
            "{account} may read the keys of tokens"
        );
    }
    let told = may("countersign-tokens", "countersign-ca").await.unwrap_err();
    assert!(
        told.contains("forbidden"),
        "the token service may read the authority's keys: {told}"
    );
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn an_annotation_turns_them_at_once() {
    let tokens = Tokens::start().await;
    let before = tokens.kids().await;
    let annotate = [
        "annotate",
        "tokenissuer",
        "e2e",
        "--overwrite",
        "countersign.dev/rotate-keys=stolen",
    ];
    tokens.testbed.kubectl(&annotate).await.unwrap();
    wait_for("another key", Duration::from_secs(40), || async {
        let kids = tokens.kids().await;
        anyhow::ensure!(kids.len() == 1 && kids != before, "there are {kids:?}");
        Ok(())
    })
    .await
    .unwrap();
    let key = key();
    let client = tokens.client("rotated", &key).await;
    claims(&tokens.ask(&key, &client).await).unwrap();
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn keys_that_are_gone_are_made_anew() {
    let tokens = Tokens::start().await;
    let before = tokens.kids().await;
    let secrets: Api<Secret> = Api::namespaced(tokens.testbed.client(), chart::NAMESPACE);
    secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    wait_for("new keys", Duration::from_secs(40), || async {
        let text = tokens
            .http
            .get(format!("{}/jwks", crate::service::ISSUER))
            .send()
            .await?
            .text()
            .await?;
        anyhow::ensure!(text.contains("kid") && !text.contains(&before[0]), "there are {text}");
        Ok(())
    })
    .await
    .unwrap();
}
