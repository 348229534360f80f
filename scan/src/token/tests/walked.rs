//! The same, in whole objects.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::super::testing::positives;
use super::NOW;
use crate::{FingerprintKey, Scanner, Settings};

/// Objects that carry a value: as a variable, in a config file, as a flag, in a Secret.
fn objects(name: &str, value: &str) -> [(&'static str, Value); 4] {
    let pod = |container: Value| json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [container]}});
    let file = format!("# Settings\nfirst = 1\n{name} = {value}\nlast = 2\n");
    [
        (
            "variable",
            pod(json!({"name": "a", "env": [{"name": name, "value": value}]})),
        ),
        (
            "flag",
            pod(json!({"name": "a", "args": ["serve", format!("--{name}={value}")]})),
        ),
        (
            "file",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"app.properties": file}}),
        ),
        (
            "secret",
            json!({"apiVersion": "v1", "kind": "Secret", "data": {name: STANDARD.encode(value)}}),
        ),
    ]
}

#[test]
fn finds_every_form_in_an_object() {
    let scanner = Scanner::new(Settings::default(), FingerprintKey::new([1; 32]));
    let mut missed = Vec::new();
    for (rule, tier, token, name) in positives(&mut StdRng::seed_from_u64(11)) {
        for (carrier, object) in objects(name.unwrap_or("PLAIN"), &token) {
            let found = scanner.scan_json(object.to_string().as_bytes(), NOW).unwrap();
            let fits = found
                .iter()
                .any(|finding| finding.rule.id == rule && finding.tier == tier && finding.mitigation.is_none());
            if !fits {
                let found: Vec<_> = found.iter().map(|finding| finding.rule.id).collect();
                missed.push(format!("{rule} under {name:?} in a {carrier}: {found:?}"));
            }
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
