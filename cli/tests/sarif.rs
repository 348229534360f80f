//! The report for code hosts.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: a panic is how a test fails"
)]

mod support;

use serde_json::{Value, json};
use serde_sarif::sarif::Sarif;
use support::{Folder, deployment, password};

fn sarif(folder: &Folder, arguments: &[&str]) -> (i32, Value) {
    let run = folder.run(&[&["scan", "-o", "sarif"], arguments].concat());
    (run.code, serde_json::from_str(&run.out).unwrap())
}

#[test]
fn it_holds_nothing_that_the_format_does_not_know() {
    let folder = Folder::new();
    folder
        .file("deploy.yaml", deployment(&password(40)))
        .file("key", password(41) + &password(42));
    let (code, log) = sarif(&folder, &["--fingerprint-key-file", "key", "deploy.yaml", "gone.yaml"]);
    assert_eq!(code, 2);
    // What the types of SARIF 2.1.0 do not have is lost on the way through them.
    let typed: Sarif = serde_json::from_value(log.clone()).unwrap();
    assert_eq!(serde_json::to_value(&typed).unwrap(), log);
}

#[test]
fn it_says_what_the_other_reports_say() {
    let folder = Folder::new();
    folder.file("a b/deploy.yaml", deployment(&password(40)));
    let (_, findings) = folder.findings(&["a b"]);
    let (code, log) = sarif(&folder, &["a b"]);
    let run = &log["runs"][0];
    let result = &run["results"][0];
    assert_eq!(code, 1);
    assert_eq!((&log["version"], &result["level"]), (&json!("2.1.0"), &json!("error")));
    assert_eq!(result["ruleId"], findings[0]["rule"]);
    assert_eq!(result["message"]["text"], findings[0]["message"]);
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "a%20b/deploy.yaml");
    assert_eq!(place["region"], json!({"startLine": 12, "startColumn": 42}));
    let rule = run
        .pointer(&format!("/tool/driver/rules/{}", result["ruleIndex"]))
        .unwrap();
    assert_eq!(rule["id"], findings[0]["rule"]);
    let help = rule["help"]["text"].as_str().unwrap().to_lowercase();
    assert_eq!(help, findings[0]["remedy"].as_str().unwrap().to_lowercase() + ".");
}

#[test]
fn without_a_key_there_is_no_fingerprint() {
    let folder = Folder::new();
    folder
        .file("deploy.yaml", deployment(&password(40)))
        .file("key", password(41) + &password(42));
    let fingerprints =
        |arguments: &[&str]| sarif(&folder, arguments).1["runs"][0]["results"][0]["partialFingerprints"].clone();
    assert_eq!(fingerprints(&["deploy.yaml"]), Value::Null);
    assert!(fingerprints(&["--fingerprint-key-file", "key", "deploy.yaml"])["countersignHmac/v1"].is_string());
}

#[test]
fn a_clean_run_is_a_report_too() {
    let folder = Folder::new();
    folder.file("service.yaml", support::CLEAN);
    let (code, log) = sarif(&folder, &["service.yaml"]);
    assert_eq!((code, &log["runs"][0]["results"]), (0, &json!([])));
    assert_eq!(log["runs"][0]["invocations"][0]["executionSuccessful"], true);
}
