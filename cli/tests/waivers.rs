//! Waivers on the command line.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: a panic is how a test fails"
)]

mod support;

use serde_json::{Value, json};
use support::{Folder, deployment, password};

/// What a waiver for the Deployment says.
fn waiver(folder: &Folder, fields: &Value) -> String {
    let rule = folder.findings(&["deploy.yaml"]).1[0]["rule"].clone();
    let mut spec = json!({
        "object": {"group": "apps", "kind": "Deployment", "name": "payments"},
        "rule": rule,
        "reason": "the database is replaced next month",
        "expires": "2999-01-01T00:00:00Z",
    });
    spec.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    let metadata = json!({"name": "old-database", "namespace": "shop"});
    json!({"apiVersion": "countersign.dev/v1alpha1", "kind": "CredentialWaiver", "metadata": metadata, "spec": spec})
        .to_string()
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.file("deploy.yaml", deployment(&password(30)));
    folder
}

const FIELD: &str = "/spec/template/spec/containers/*/env/*/value";

#[test]
fn what_is_waived_is_not_denied() {
    let folder = folder();
    folder.file("waiver.yaml", waiver(&folder, &json!({"fields": [FIELD]})));
    let run = folder.run(&["scan", "deploy.yaml", "waiver.yaml"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert_eq!(run.out, "2 files read, 1 finding: 0 to deny, 0 to warn of, 1 waived\n");
    assert_eq!(folder.findings(&["deploy.yaml", "waiver.yaml"]), (0, Vec::new()));
    assert_eq!(
        folder.findings(&["--waivers", "waiver.yaml", "deploy.yaml"]),
        (0, Vec::new())
    );
}

#[test]
fn what_is_waived_can_be_shown() {
    let folder = folder();
    folder.file("waiver.yaml", waiver(&folder, &json!({"fields": [FIELD]})));
    let (code, findings) = folder.findings(&["--show-waived", "--waivers", "waiver.yaml", "deploy.yaml"]);
    assert_eq!((code, &findings[0]["action"]), (0, &json!("warn")));
    assert_eq!(
        findings[0]["waiver"],
        json!({"namespace": "shop", "name": "old-database", "reason": "the database is replaced next month",
            "expires": "2999-01-01T00:00:00Z"})
    );
    let run = folder.run(&["scan", "--show-waived", "--waivers", "waiver.yaml", "deploy.yaml"]);
    assert!(run.out.contains("deploy.yaml:12:42  waived  "), "{}", run.out);
    let sarif = folder.run(&[
        "scan",
        "-o",
        "sarif",
        "--show-waived",
        "--waivers",
        "waiver.yaml",
        "deploy.yaml",
    ]);
    let log: Value = serde_json::from_str(&sarif.out).unwrap();
    assert_eq!(log["runs"][0]["results"][0]["suppressions"][0]["kind"], "external");
}

#[test]
fn what_has_ended_counts_no_more() {
    let folder = folder();
    let ended = json!({"fields": [FIELD], "expires": "2020-01-01T00:00:00Z"});
    folder.file("waiver.yaml", waiver(&folder, &ended));
    let run = folder.run(&["scan", "deploy.yaml", "waiver.yaml"]);
    assert_eq!(run.code, 1);
    assert_eq!(run.err, "note: the waiver old-database ended at 2020-01-01T00:00:00Z\n");
}

#[test]
fn a_waiver_is_for_its_object_only() {
    let folder = folder();
    let other = json!({"fields": [FIELD], "object": {"group": "apps", "kind": "Deployment", "name": "catalogue"}});
    folder.file("waiver.yaml", waiver(&folder, &other));
    assert_eq!(folder.findings(&["deploy.yaml", "waiver.yaml"]).0, 1);
}

#[test]
fn a_waiver_that_is_not_understood_covers_nothing() {
    let folder = folder();
    folder.file(
        "waiver.yaml",
        waiver(&folder, &json!({"fields": [FIELD], "rule": "no-such-rule"})),
    );
    let run = folder.run(&["scan", "deploy.yaml", "waiver.yaml"]);
    assert_eq!(run.code, 1);
    assert!(
        run.err
            .contains("waiver.yaml: a CredentialWaiver covers nothing: spec.rule"),
        "{}",
        run.err
    );
}

#[test]
fn objects_without_a_namespace_are_in_the_one_that_is_named() {
    let folder = Folder::new();
    let text = deployment(&password(30));
    folder.file("deploy.yaml", &text);
    folder.file("waiver.yaml", waiver(&folder, &json!({"fields": [FIELD]})));
    folder.file("deploy.yaml", text.replace(", namespace: shop", ""));
    let scan = |namespace: &[&str]| {
        folder
            .findings(&[namespace, &["deploy.yaml", "waiver.yaml"]].concat())
            .0
    };
    assert_eq!((scan(&[]), scan(&["-n", "shop"]), scan(&["-n", "other"])), (1, 0, 1));
}

#[test]
fn a_fingerprint_needs_the_key() {
    let folder = folder();
    folder.file("key", password(31) + &password(32));
    let key = ["--fingerprint-key-file", "key", "deploy.yaml"];
    let fingerprint = folder.findings(&key).1[0]["fingerprint"].clone();
    folder.file("waiver.yaml", waiver(&folder, &json!({"fingerprint": fingerprint})));
    assert_eq!(folder.findings(&[&key[..], &["waiver.yaml"]].concat()).0, 0);
    let run = folder.run(&["scan", "deploy.yaml", "waiver.yaml"]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("--fingerprint-key-file"), "{}", run.err);
}
