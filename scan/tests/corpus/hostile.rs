//! Objects that are made to be slow, large or deep: a scan ends, does not panic, and does not let through what it could
//! not look into. A scan that does not end is ended by the harness.

use std::fmt::Write as _;
use std::io::Write as _;

use crate::{NOW, found, scanner};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use countersign_scan::{Action, Finding};
use flate2::Compression;
use flate2::write::GzEncoder;
use rand::RngExt;
use rstest::rstest;
use serde_json::{Value, json};

/// The API server takes bodies up to 3 MiB.
const LARGEST: usize = 3 << 20;

fn config_map(text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"file": text}})
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn password() -> String {
    let mut rng = crate::rng(0);
    let characters = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    (0..14)
        .map(|_| char::from(characters[rng.random_range(0..characters.len())]))
        .collect()
}

fn is_denied(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.action() == Action::Deny)
}

/// Literals that detectors look for, in a row: each starts a look around, none may look far.
#[rstest]
#[case::jwt("eyJ")]
#[case::jwt_dots("eyJ.")]
#[case::url("://")]
#[case::url_user("a://b:")]
#[case::at("@")]
#[case::armour("-----BEGIN ")]
#[case::armour_key("-----BEGIN PRIVATE KEY-----")]
#[case::armour_end("-----BEGIN RSA PRIVATE KEY-----\nMII\n")]
#[case::quotes("\"'")]
#[case::variable("$(")]
#[case::variable_curly("${")]
#[case::template("{{")]
#[case::heredoc("<<EOF\n")]
#[case::assign("password=")]
#[case::assign_lines("password=\n")]
#[case::pairs("password=a;")]
#[case::base64_armour("LS0tLS1CRUdJTi")]
#[case::gzip_marker("H4sI")]
#[case::der("MII")]
#[case::hash("$2y$10$")]
#[case::percent("%25")]
#[case::escapes("\\n")]
#[case::brackets("[")]
#[case::braces("{\"a\":")]
#[case::tags("<a>")]
#[case::blocks("a {\n")]
#[case::sections("[a]\n")]
#[case::header("Authorization: Bearer ")]
#[case::flags("--password ")]
#[case::github("ghp_")]
#[case::openai("T3BlbkFJ")]
#[case::azure("+ASt")]
#[case::bot(":A")]
#[case::slack("xoxb-1-")]
#[case::signed("?sig=a&se=2099-01-01&")]
fn a_row_of_literals_is_looked_at_in_linear_time(#[case] literal: &str) {
    let scanner = scanner();
    let once = literal.repeat(40_000 / literal.len());
    for text in [
        once.clone(),
        format!("#!/bin/sh\n{once}"),
        format!("a: b\nc: {once}"),
        BASE64_STANDARD.encode(&once),
    ] {
        found(&scanner, &config_map(&text));
        scanner.scan_text(&text, Some("app.properties"), NOW);
    }
    found(
        &scanner,
        &json!({"kind": "Pod", "apiVersion": "v1", "spec": {"containers": [{"args": ["sh", "-c", once]}]}}),
    );
}

#[test]
fn what_is_encoded_too_often_is_not_let_in() {
    let scanner = scanner();
    let token = format!("nothing but text {}", "and more text ".repeat(20));
    let nested = |times: usize| {
        (0..times).fold(token.clone(), |text, turn| {
            let bytes = if turn % 2 == 0 {
                gzip(text.as_bytes())
            } else {
                text.into_bytes()
            };
            BASE64_STANDARD.encode(bytes)
        })
    };
    assert!(!is_denied(&found(&scanner, &config_map(&nested(2)))));
    assert!(
        is_denied(&found(&scanner, &config_map(&nested(20)))),
        "nobody knows what is in it"
    );
}

#[test]
fn a_bomb_is_refused() {
    let bomb = gzip(&gzip(&vec![b'a'; 200 << 20]));
    assert!(bomb.len() < 1 << 20);
    let scanner = scanner();
    assert!(is_denied(&found(&scanner, &config_map(&BASE64_STANDARD.encode(&bomb)))));
    let object = json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "data": {"release": BASE64_STANDARD.encode(BASE64_STANDARD.encode(&bomb))}});
    assert!(is_denied(&found(&scanner, &object)));
}

/// Many small bombs: each is within its own cap, all together are not.
#[test]
fn many_bombs_are_refused() {
    let bomb = BASE64_STANDARD.encode(gzip(&vec![b'a'; 4 << 20]));
    let data: serde_json::Map<String, Value> = (0..40).map(|number| (format!("file{number}"), json!(bomb))).collect();
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "binaryData": data});
    assert!(is_denied(&found(&scanner(), &object)));
}

#[test]
fn aliases_of_yaml_do_not_multiply() {
    let mut yaml = "a0: &a0 [password, password]\n".to_owned();
    for level in 1..40 {
        let before = level - 1;
        writeln!(
            yaml,
            "a{level}: &a{level} [*a{before}, *a{before}, *a{before}, *a{before}]"
        )
        .unwrap();
    }
    found(&scanner(), &config_map(&yaml));
    scanner().scan_text(&yaml, Some("values.yaml"), NOW);
}

#[rstest]
#[case(100)]
#[case(10_000)]
#[case(250_000)]
fn depth_ends(#[case] levels: usize) {
    let scanner = scanner();
    for (open, close) in [("[", "]"), ("{\"password\":", "}")] {
        let deep = format!("{}1{}", open.repeat(levels), close.repeat(levels));
        let object = format!("{{\"apiVersion\":\"v1\",\"kind\":\"Thing\",\"spec\":{deep}}}");
        assert_eq!(scanner.scan_json(object.as_bytes(), NOW).is_ok(), levels < 120);
        // As a file in an object, in a file of YAML, and as what was applied last.
        found(&scanner, &config_map(&deep));
        found(&scanner, &config_map(&format!("a: b\nc: {deep}\n")));
        scanner.scan_text(&deep, Some("a.json"), NOW);
    }
    for block in ["a {\n", "<a>", "  a:\n", "- "] {
        scanner.scan_text(&block.repeat(levels), Some("main.hcl"), NOW);
        scanner.scan_text(&block.repeat(levels), Some("a.xml"), NOW);
        scanner.scan_text(&block.repeat(levels), Some("a.yaml"), NOW);
    }
}

#[test]
fn the_largest_object_is_scanned() {
    let scanner = scanner();
    let strings: Vec<String> = (0..LARGEST / 8)
        .map(|number| format!("{:x}", number & 0xffff))
        .collect();
    assert!(!is_denied(&found(
        &scanner,
        &json!({"apiVersion": "x/v1", "kind": "Thing", "spec": strings})
    )));
    let lines = "a line of a file that says nothing\n".repeat(LARGEST / 35);
    assert!(!is_denied(&found(&scanner, &config_map(&lines))));
    // What is looked for is found at the end of it too.
    let object = config_map(&format!("{lines}\nurl=postgres://app:{}@db:5432/app\n", password()));
    assert!(is_denied(&found(&scanner, &object)));
}

/// What is only worth a warning must not use up what may be found.
#[test]
fn a_credential_does_not_hide_behind_warnings() {
    let scanner = scanner();
    let password = password();
    let placeholder = "postgres://app:CHANGEME@db:5432/app\n";
    let text = format!("{}postgres://app:{password}@db:5432/app\n", placeholder.repeat(3000));
    assert!(is_denied(&found(&scanner, &config_map(&text))), "in one text");
    let mut env: Vec<Value> = (0..3000)
        .map(|number| json!({"name": format!("A{number}_PASSWORD"), "value": "CHANGEME"}))
        .collect();
    env.push(json!({"name": "DB_PASSWORD", "value": password}));
    let object = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "a", "env": env}]}});
    assert!(is_denied(&found(&scanner, &object)), "in one object");
}
