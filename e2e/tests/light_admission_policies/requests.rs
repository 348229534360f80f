//! Tokens and certificates that are asked for.

use e2e::ApiUser;
use serde_json::{Value, json};

use crate::objects::{CSR, LIMIT, SHORTER, certificate_request, token_request};
use crate::server::{guarded, refused, taken};

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn tokens_are_asked_for_within_the_limit() {
    let namespace = guarded().await;
    let admin = ApiUser::admin(&namespace);
    let path = "/api/v1/{ns}/serviceaccounts/default/token";
    for seconds in [600, 3600, 3607, LIMIT] {
        taken(
            &admin.try_create(path, &token_request(seconds)).await,
            &format!("{seconds} s"),
        );
    }
    for seconds in [LIMIT + 1, 31_536_000] {
        let answer = admin.try_create(path, &token_request(seconds)).await;
        refused(
            &answer,
            &["/spec/expirationSeconds is over 86400 seconds", SHORTER],
            &format!("{seconds} s"),
        );
    }
    let year = namespace
        .kubectl(&["create", "token", "default", "--duration=8760h"])
        .await;
    let message = format!("{:#}", year.unwrap_err());
    assert!(
        message.contains("/spec/expirationSeconds is over 86400 seconds"),
        "{message}"
    );
    // What a kubelet asks for stands in a Pod.
    let kubelet = admin.impersonate("kubelet", &["system:nodes", "system:masters"]);
    taken(&kubelet.try_create(path, &token_request(31_536_000)).await, "a kubelet");
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn certificates_are_asked_for_within_the_limit() {
    let namespace = guarded().await;
    let admin = ApiUser::admin(&namespace);
    let (client, serving) = ("kubernetes.io/kube-apiserver-client", "kubernetes.io/kubelet-serving");
    for (signer, seconds, parts) in [
        (client, json!(3600), &[][..]),
        (client, json!(7_776_000), &[]),
        (
            client,
            json!(7_776_001),
            &["/spec/expirationSeconds is over 7776000 seconds", SHORTER],
        ),
        (client, Value::Null, &["/spec/expirationSeconds is missing", SHORTER]),
        (
            "example.com/signer",
            Value::Null,
            &["/spec/expirationSeconds is missing"],
        ),
        (serving, Value::Null, &[]),
        ("kubernetes.io/kube-apiserver-client-kubelet", Value::Null, &[]),
        (serving, json!(31_536_000), &["/spec/expirationSeconds is over"]),
    ] {
        let answer = admin
            .try_create(CSR, &certificate_request(signer, seconds.clone()))
            .await;
        let what = format!("{signer} {seconds}");
        if parts.is_empty() {
            taken(&answer, &what);
        } else {
            refused(&answer, parts, &what);
        }
    }
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn drivers_ask_for_tokens_within_the_limit() {
    let namespace = guarded().await;
    let admin = ApiUser::admin(&namespace);
    for (lives, bad) in [(vec![600, 3607, LIMIT], None), (vec![3600, LIMIT + 1], Some(1))] {
        let asked: Vec<Value> = lives
            .iter()
            .map(|seconds| json!({"audience": format!("for-{seconds}"), "expirationSeconds": seconds}))
            .collect();
        let driver = json!({"metadata": {"name": "driver.example.com"}, "spec": {"tokenRequests": asked}});
        let answer = admin.try_create("/apis/storage.k8s.io/v1/csidrivers", &driver).await;
        let what = format!("{lives:?}");
        if let Some(bad) = bad {
            let pointer = format!("/spec/tokenRequests/{bad}/expirationSeconds is over 86400 seconds");
            refused(&answer, &[&pointer, SHORTER], &what);
        } else {
            taken(&answer, &what);
        }
    }
}
