//! A value that was found, or a part of it, is never shown: not in messages, places, reports or errors.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

use crate::{NOW, Positive, carriers, found, positives, scanner};
use countersign_scan::{Finding, rules};
use serde_json::{Value, json};

/// The longest part of a value that may be shown: less than anybody can use.
const SHOWN: usize = 5;

#[test]
fn no_value_is_shown_from_any_carrier() {
    let scanner = scanner();
    let mut shown = BTreeSet::new();
    for (id, _, text, name) in few(positives(0)) {
        for carried in carriers::all(name, &text) {
            if leaks(&text, name, &found(&scanner, &carried.object)) {
                shown.insert(format!("{id} in {}", carried.carrier));
            }
        }
    }
    assert!(shown.is_empty(), "shown: {shown:#?}");
}

#[test]
fn a_key_of_a_map_that_is_a_credential_is_not_shown() {
    let scanner = scanner();
    let mut shown = BTreeSet::new();
    for (id, _, text, _) in few(positives(1)).into_iter().filter(|(_, _, _, name)| name.is_none()) {
        for (number, object) in with_key(&text).iter().enumerate() {
            if leaks(&text, None, &found(&scanner, object)) {
                shown.insert(format!("{id} in object {number}"));
            }
        }
    }
    assert!(shown.is_empty(), "shown: {shown:#?}");
}

/// The first ones of each rule.
fn few(all: Vec<Positive>) -> Vec<Positive> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    all.into_iter()
        .filter(|(id, _, text, _)| {
            let count = seen.entry(id).or_default();
            *count += 1;
            *count == 1 || text.len() < 500 && *count == 2
        })
        .collect()
}

/// Objects in which a text is a key, above something that is found.
fn with_key(text: &str) -> Vec<Value> {
    let below = json!({"password": "hunter2hunter2"});
    let yaml = format!("users:\n  ? {}\n  : password: hunter2hunter2\n", json!(text));
    vec![
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {text: "password=hunter2hunter2\n"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "stringData": {text: "{\"password\": \"hunter2hunter2\"}"}}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"annotations": {text: below.to_string()}}}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {text: "true"}}}),
        json!({"apiVersion": "example.com/v1", "kind": "Thing", "spec": {text: below, "other": {text: [{"password": "hunter2hunter2"}]}}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"users.json": json!({text: below}).to_string(), "users.yaml": yaml}}),
        json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson", "stringData": {
            ".dockerconfigjson": json!({"auths": {text: {"username": "a", "password": "hunter2hunter2"}}}).to_string()}}),
    ]
}

#[test]
fn no_text_is_shown_by_an_error() {
    let scanner = scanner();
    for (id, _, text, _) in positives(2) {
        let quoted = json!(text).to_string();
        for broken in [
            text.clone(),
            quoted[..quoted.len() - 1].to_owned(),
            format!("{{{quoted}}}"),
            format!("[{quoted}"),
            format!("{{{quoted}: tru}}"),
        ] {
            let Err(error) = scanner.scan_json(broken.as_bytes(), NOW) else {
                continue;
            };
            let shown = format!("{error} {error:?}");
            let shown: HashSet<&[u8]> = windows(&shown).collect();
            assert!(!windows(&text).any(|part| shown.contains(part)), "{id}");
        }
    }
}

#[test]
fn a_scanner_does_not_show_its_key() {
    let shown = format!("{:?}", scanner());
    assert!(!shown.contains("7, 7"), "{shown}");
}

/// All that a finding can say, but for its fingerprint, in which any digits may stand.
fn shown(findings: &[Finding]) -> String {
    let texts = findings.iter().map(|finding| {
        let debugged = format!("{finding:?}").replace(&finding.fingerprint.to_string(), "");
        format!(
            "{finding}\n{debugged}\n{} {}\n",
            finding.location, finding.location.pointer
        )
    });
    texts.collect()
}

/// Whether any part of a text is shown that is longer than nothing. What the rules say of themselves is no part of it.
fn leaks(text: &str, name: Option<&str>, findings: &[Finding]) -> bool {
    if findings.is_empty() {
        return false;
    }
    let shown = shown(findings);
    let name = name.unwrap_or_default();
    let told: HashSet<&[u8]> = windows(&TOLD).chain(windows(name)).collect();
    let shown: HashSet<&[u8]> = windows(&shown).filter(|part| !told.contains(part)).collect();
    windows(text).any(|part| shown.contains(part))
}

/// The parts of a text of one byte more than may be shown. Small letters are words; digits alone are how long something
/// lives.
fn windows(text: &str) -> impl Iterator<Item = &[u8]> {
    text.as_bytes().windows(SHOWN + 1).filter(|part| {
        let any = |class: fn(&u8) -> bool| part.iter().any(class);
        part.iter().all(u8::is_ascii_graphic)
            && (any(u8::is_ascii_uppercase) || any(u8::is_ascii_digit))
            && !part.iter().all(u8::is_ascii_digit)
    })
}

/// What every message may say.
static TOLD: LazyLock<String> = LazyLock::new(|| {
    let rules = rules();
    let rules = rules
        .iter()
        .map(|rule| format!("{} {} {}", rule.id, rule.title, rule.remedy));
    rules
        .chain([
            "base64 PRIVATE KEY ConfigMap Secret AccountKey SharedAccessKey Authorization X-Amz-Credential X-Amz-SignedHeaders X-Amz-Signature X-Goog-Credential Header".to_owned(),
        ])
        .collect::<Vec<_>>()
        .join("\n")
});
