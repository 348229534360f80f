//! Projected tokens, and annotations that set how long tokens live.

use e2e::ApiUser;
use serde_json::{Value, json};

use crate::objects::{AZURE, DEPLOYMENTS, EKS, LIMIT, PROJECTED, SHAPES, SHORTER, WAIVER, account, pod};
use crate::server::{guarded, refused, taken};

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn projected_tokens_live_within_the_limit_in_every_workload() {
    let namespace = guarded().await;
    let admin = ApiUser::admin(&namespace);
    for shape in SHAPES {
        let path = shape.path;
        for (lives, bad) in [
            (vec![600, 3600, 3607, LIMIT], None),
            (vec![3600, LIMIT + 1], Some(1)),
            (vec![31_536_000, LIMIT + 1], Some(0)),
            (vec![4_294_967_295], Some(0)),
        ] {
            let what = format!("{path} with {lives:?}");
            let answer = admin.try_create(path, &shape.object(pod(&lives), json!({}))).await;
            let Some(bad) = bad else {
                taken(&answer, &what);
                continue;
            };
            let pointer = format!(
                "{}/spec/volumes/1/projected/sources/{bad}/serviceAccountToken/expirationSeconds is over 86400 seconds",
                shape.pointer
            );
            refused(&answer, &[&pointer, PROJECTED], &what);
        }
    }
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn annotations_do_not_ask_for_longer_tokens() {
    let namespace = guarded().await;
    let admin = ApiUser::admin(&namespace);
    for (name, escaped) in [
        (EKS, "eks.amazonaws.com~1token-expiration"),
        (AZURE, "azure.workload.identity~1service-account-token-expiration"),
    ] {
        for (value, over) in [
            ("3600", false),
            ("86400", false),
            ("an hour", false),
            ("", false),
            ("86401", true),
            ("99999999999999999999999999", true),
        ] {
            let what = format!("{name}: {value}");
            let check = |answer: Result<Value, String>, pointer: &str| {
                if over {
                    let pointer = format!("{pointer}/metadata/annotations/{escaped} is over 86400 seconds");
                    refused(&answer, &[&pointer, SHORTER], &what);
                } else {
                    taken(&answer, &what);
                }
            };
            let accounts = "/api/v1/{ns}/serviceaccounts";
            check(admin.try_create(accounts, &account(json!({name: value}))).await, "");
            for shape in SHAPES {
                let object = shape.object(pod(&[3600]), json!({name: value}));
                check(admin.try_create(shape.path, &object).await, shape.pointer);
            }
        }
    }
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn an_update_answers_for_what_it_changes() {
    let namespace = guarded().await;
    let admin = ApiUser::admin(&namespace);
    let deployments = DEPLOYMENTS;
    let mut old = SHAPES[1].object(pod(&[2 * LIMIT]), json!({EKS: "172800"}));
    old["metadata"]["annotations"] = json!({WAIVER: "legacy"});
    taken(&admin.create(DEPLOYMENTS, &old).await, "with a waiver's name");
    let one = format!("{deployments}/one");
    taken(
        &admin.patch(&one, &json!({"metadata": {"annotations": null}})).await,
        "the waiver's end",
    );

    let patch = |spec: Value| json!({"spec": {"template": {"spec": spec}}});
    let token = "/spec/template/spec/volumes/1/projected/sources/0/serviceAccountToken/expirationSeconds";
    let annotation = |value: &str| json!({"spec": {"template": {"metadata": {"annotations": {EKS: value}}}}});
    for (what, change, parts) in [
        (
            "another image",
            patch(json!({"containers": [{"name": "main", "image": "localhost/echo:2"}]})),
            &[][..],
        ),
        ("more replicas", json!({"spec": {"replicas": 3}}), &[]),
        ("a longer life", patch(pod(&[2 * LIMIT + 1])), &[token]),
        (
            "a second token",
            patch(pod(&[2 * LIMIT, 2 * LIMIT])),
            &["/projected/sources/1/"],
        ),
        (
            "a longer life by annotation",
            annotation("172801"),
            &["eks.amazonaws.com~1token-expiration"],
        ),
        ("a shorter life", patch(pod(&[2 * LIMIT - 1])), &[]),
        ("a good life", patch(pod(&[3600])), &[]),
        ("the old life again", patch(pod(&[2 * LIMIT])), &[token]),
    ] {
        let answer = admin.patch(&one, &change).await;
        if parts.is_empty() {
            taken(&answer, what);
        } else {
            refused(&answer, parts, what);
        }
    }
}
