//! The serving certificate: published, renewed, repaired and withdrawn, with no request that fails over it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use e2e::wait_for;

use crate::objects::{deployment, reference};
use crate::webhook::{DRY_RUN, Webhook};

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn certificates_change_and_no_request_fails() {
    let webhook = Webhook::start("", &["--certificate-lifetime", "30s"]).await;
    let server = webhook.admin();
    let object = deployment("api", reference());
    let (end, mut asked) = (Instant::now() + Duration::from_secs(75), 0);
    let mut bundles = BTreeSet::new();
    while Instant::now() < end {
        let answer = server.create(DRY_RUN, &object).await;
        assert!(answer.is_ok(), "request {asked}: {answer:?}");
        asked += 1;
        if asked % 20 == 0 {
            bundles.insert(webhook.bundle().await);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let certificates = webhook.logged().matches("serves a new certificate").count();
    println!(
        "{asked} requests over {certificates} certificates and {} bundles",
        bundles.len()
    );
    assert!(certificates >= 4, "only {certificates} certificates in 75 s");
    assert!(asked > 500, "only {asked} requests");
    webhook.forget().await;
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_bundle_that_somebody_resets_is_repaired() {
    let webhook = Webhook::start("", &[]).await;
    let (server, object) = (webhook.admin(), deployment("api", reference()));
    let before = webhook.bundle().await;
    let foreign = rcgen::generate_simple_self_signed(["other".to_owned()])
        .unwrap()
        .cert
        .pem();
    for reset in [None, Some(foreign.as_str())] {
        webhook.reset_bundle(reset).await;
        let since = Instant::now();
        wait_for("the bundle to be repaired", Duration::from_secs(20), || async {
            ensure!(webhook.bundle().await.contains(before.trim()), "it is not");
            Ok(())
        })
        .await
        .unwrap();
        println!("repaired after {} ms", since.elapsed().as_millis());
        wait_for("requests to be answered", Duration::from_secs(20), || async {
            server
                .create(DRY_RUN, &object)
                .await
                .map(drop)
                .map_err(anyhow::Error::msg)
        })
        .await
        .unwrap();
    }
    webhook.forget().await;
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn replicas_keep_each_others_authorities() {
    let webhook = Webhook::start("", &[]).await;
    let first = webhook.bundle().await;
    let second = webhook.second();
    let until = async |count: usize| {
        wait_for(
            "the bundle to have so many authorities",
            Duration::from_secs(20),
            || async {
                let bundle = webhook.bundle().await;
                let there = bundle.matches("BEGIN CERTIFICATE").count();
                ensure!(there == count, "{there} are, not {count}");
                ensure!(bundle.contains(first.trim()), "the first is not among them");
                Ok(())
            },
        )
        .await
        .unwrap();
    };
    until(2).await;
    // Both write at once.
    webhook.reset_bundle(None).await;
    until(2).await;
    second.terminate();
    until(1).await;
    webhook.forget().await;
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn it_is_not_ready_without_a_configuration() {
    let webhook = Webhook::spawn("", &[]).await;
    wait_for("it to say what is missing", Duration::from_secs(10), || async {
        let answer = webhook.ask("/readyz").await?;
        ensure!(answer.contains("ValidatingWebhookConfiguration"), "it says {answer}");
        Ok(())
    })
    .await
    .unwrap();
    webhook.configure().await;
    webhook.until_ready().await;
    webhook.forget().await;
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn it_leaves_in_order() {
    let mut webhook = Webhook::start("", &[]).await;
    let (server, object) = (webhook.admin(), deployment("api", reference()));
    assert!(webhook.bundle().await.contains("BEGIN CERTIFICATE"));
    webhook.terminate();
    // Whoever does not know yet that it goes is still answered.
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        server.create(DRY_RUN, &object).await.unwrap();
        let ready = webhook.ask("/readyz").await.unwrap();
        assert!(
            ready.contains("stopping") || end - Instant::now() > Duration::from_secs(2),
            "{ready}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ended = wait_for("it to end", Duration::from_secs(20), || {
        let ended = webhook.ended_well();
        async move { ended.context("it still runs") }
    })
    .await
    .unwrap();
    assert!(ended);
    assert!(
        !webhook.bundle().await.contains("BEGIN CERTIFICATE"),
        "its authority stays"
    );
    webhook.forget().await;
}
