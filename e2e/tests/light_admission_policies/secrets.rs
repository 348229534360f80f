//! Secrets that are tokens by their type.

use e2e::ApiUser;
use serde_json::json;

use crate::objects::{LIMIT, PROJECTED, SHORTER, WAIVER, secret};
use crate::server::{guarded, refused, taken};

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn tokens_of_service_accounts_are_not_made_as_secrets() {
    let namespace = guarded().await;
    let admin = ApiUser::admin(&namespace);
    let path = "/api/v1/{ns}/secrets";
    let token = secret("kubernetes.io/service-account-token", json!({}));
    refused(
        &admin.try_create(path, &token).await,
        &["/type", "never ends", PROJECTED],
        "a token",
    );
    for kind in ["Opaque", "example.com/other"] {
        taken(&admin.try_create(path, &secret(kind, json!({"a": "b"}))).await, kind);
    }

    // One that was there before goes on: its controller writes it.
    let mut old = token;
    old["metadata"]["annotations"][WAIVER] = json!("legacy");
    taken(&admin.create(path, &old).await, "with a waiver's name");
    let one = format!("{path}/one");
    let change = json!({"metadata": {"annotations": {WAIVER: null}, "labels": {"changed": "yes"}}});
    taken(&admin.patch(&one, &change).await, "an update");
}

/// A time so many seconds from now, as RFC 3339 has it.
fn in_seconds(seconds: i64, offset: time::UtcOffset) -> String {
    let then = time::OffsetDateTime::now_utc() + time::Duration::seconds(seconds);
    then.to_offset(offset)
        .replace_nanosecond(0)
        .unwrap()
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap()
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn bootstrap_tokens_end_within_the_limit() {
    const ROOM: i64 = 600;
    let namespace = guarded().await;
    let admin = ApiUser::admin(&namespace);
    let path = "/api/v1/{ns}/secrets";
    let (zulu, east) = (time::UtcOffset::UTC, time::UtcOffset::from_hms(5, 30, 0).unwrap());
    let kind = "bootstrap.kubernetes.io/token";
    for (expiration, parts) in [
        (None, &["/data/expiration is missing", SHORTER][..]),
        (Some(String::new()), &["/data/expiration is missing"]),
        (Some("never".to_owned()), &["no time as in RFC 3339"]),
        (Some("2026-11-24 12:00:00".to_owned()), &["no time as in RFC 3339"]),
        (Some(in_seconds(LIMIT, zulu)), &[]),
        (Some(in_seconds(3600, zulu)), &[]),
        (Some(in_seconds(-3600, zulu)), &[]),
        (Some(in_seconds(LIMIT - ROOM, east)), &[]),
        (
            Some(in_seconds(LIMIT + ROOM, zulu)),
            &["/data/expiration", "over 86400 seconds", SHORTER],
        ),
        (
            Some(in_seconds(LIMIT + ROOM, east)),
            &["/data/expiration", "over 86400 seconds"],
        ),
        (
            Some(in_seconds(10 * 365 * LIMIT, zulu)),
            &["/data/expiration", "over 86400 seconds"],
        ),
    ] {
        let data = expiration
            .as_ref()
            .map_or(json!({}), |expiration| json!({"expiration": expiration}));
        let answer = admin.try_create(path, &secret(kind, data)).await;
        let what = format!("{expiration:?}");
        if parts.is_empty() {
            taken(&answer, &what);
        } else {
            refused(&answer, parts, &what);
        }
    }

    let mut old = secret(kind, json!({}));
    old["metadata"]["annotations"][WAIVER] = json!("legacy");
    taken(&admin.create(path, &old).await, "with a waiver's name");
    let one = format!("{path}/one");
    let change = json!({"metadata": {"annotations": {WAIVER: null}}, "stringData": {"description": "old"}});
    taken(&admin.patch(&one, &change).await, "an update of something else");
    let longer = json!({"stringData": {"expiration": in_seconds(2 * LIMIT, zulu)}});
    refused(&admin.patch(&one, &longer).await, &["/data/expiration"], "a late end");
    let shorter = json!({"stringData": {"expiration": in_seconds(3600, zulu)}});
    taken(&admin.patch(&one, &shorter).await, "an early end");
}
