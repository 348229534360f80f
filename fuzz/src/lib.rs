//! What fuzz targets share: one scanner, and what must hold of each of its answers; a chain of certificates; a key and what it
//! signs; and a workload.

pub mod chain;
pub mod signed;
pub mod workload;

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use countersign_scan::{Finding, FingerprintKey, Scanner, Settings, read_json};
use serde_json::{Value, json};

/// The time of every scan.
pub const NOW: i64 = 1_800_000_000;

/// The scanner of every target.
pub static SCANNER: LazyLock<Scanner> =
    LazyLock::new(|| Scanner::new(Settings::default(), FingerprintKey::new([7; 32])));

/// Scans an object, and holds the answer to what every answer must be.
pub fn scan(object: &Value) -> Vec<Finding> {
    let bytes = object.to_string().into_bytes();
    let Ok(findings) = SCANNER.scan_json(&bytes, NOW) else {
        return Vec::new();
    };
    check(&findings, Some(object));
    let node = read_json(&bytes).expect("it was read before");
    assert!(
        SCANNER.scan_update(&node, &node, NOW).is_empty(),
        "what did not change is no finding"
    );
    findings
}

/// What must hold of findings: they can be shown, and their pointers lead somewhere.
pub fn check(findings: &[Finding], object: Option<&Value>) {
    for finding in findings {
        let shown = finding.to_string();
        assert!(shown.contains(finding.rule.title), "a message says what was found");
        let pointer = &finding.location.pointer;
        // A field that is missing can be the finding, and a key that is a credential is not shown.
        let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
        if let Some(object) = object.filter(|_| !pointer.contains("(a key")) {
            assert!(object.pointer(parent).is_some(), "a pointer leads to nothing");
        }
    }
}

/// A ConfigMap with one file.
pub fn config_map(name: &str, text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "fuzz"}, "data": {name: text}})
}

/// A Secret with one value.
pub fn secret(name: &str, value: &[u8]) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "fuzz"}, "data": {name: BASE64_STANDARD.encode(value)}})
}

/// The first byte, to choose with, and the rest.
pub fn choice(data: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = data.split_first()?;
    Some((usize::from(*first), rest))
}
