//! A waiver lets one credential stand, until it ends.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use e2e::wait_for;
use serde_json::json;

use crate::objects::{deployment, literal, password};
use crate::webhook::Webhook;

const DEPLOYMENTS: &str = "/apis/apps/v1/{ns}/deployments?dryRun=All";
const WAIVERS: &str = "/apis/countersign.dev/v1alpha1/{ns}/credentialwaivers";

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_waiver_counts_until_it_ends() {
    let webhook = Webhook::start("", &[]).await;
    let server = webhook.admin();
    let object = deployment("legacy", literal(&password()));
    let refused = server.create(DEPLOYMENTS, &object).await.unwrap_err();
    let word = |before: &str| {
        let rest = refused.split_once(before).context("it is not told")?.1;
        rest.split([',', ']']).next().context("it is not told").map(str::trim)
    };
    let (rule, fingerprint) = (word("[rule ").unwrap(), word("fingerprint ").unwrap());

    let now = k8s_openapi::jiff::Timestamp::now();
    let ends = k8s_openapi::jiff::Timestamp::from_second(now.as_second() + 20).unwrap();
    let waiver = json!({
        "apiVersion": "countersign.dev/v1alpha1", "kind": "CredentialWaiver", "metadata": {"name": "legacy"},
        "spec": {
            "object": {"group": "apps", "kind": "Deployment", "name": "legacy"}, "rule": rule, "fingerprint": fingerprint,
            "reason": "moves to the store next week", "expires": ends.to_string(),
        },
    });
    server.create(WAIVERS, &waiver).await.unwrap();
    let limit = Duration::from_secs(15);
    wait_for("the waiver to count", limit, || async {
        let answer = server.create(DEPLOYMENTS, &object).await;
        answer.map(drop).map_err(anyhow::Error::msg)
    })
    .await
    .unwrap();
    let other = deployment("legacy", literal(&password()));
    assert!(server.create(DEPLOYMENTS, &other).await.is_err(), "it is for one value");

    // Nothing is written when it ends.
    wait_for("the waiver to end", Duration::from_secs(30), || async {
        ensure!(server.create(DEPLOYMENTS, &object).await.is_err(), "it still counts");
        Ok(())
    })
    .await
    .unwrap();
    assert!(k8s_openapi::jiff::Timestamp::now() >= ends, "it ended too early");
    webhook.forget().await;
}
