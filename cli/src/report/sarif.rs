//! For code hosts: SARIF 2.1.0 (OASIS Standard, 27 March 2020).

use std::collections::BTreeSet;
use std::io::{self, Write};

use countersign_scan::{Action, rules};
use serde_json::{Value, json};

use super::{Judged, Report};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The name of our fingerprints; another way to make them gets another number.
const FINGERPRINT: &str = "countersignHmac/v1";

/// Prints a report.
pub fn print(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let used: BTreeSet<&str> = report.shown().map(|judged| judged.found.finding.rule.id).collect();
    let rules: Vec<Value> = rules()
        .into_iter()
        .filter(|rule| used.contains(rule.id))
        .map(|rule| {
            json!({
                "id": rule.id,
                "shortDescription": { "text": capital(rule.title) },
                "fullDescription": { "text": format!("{} in a manifest.", capital(rule.title)) },
                "help": { "text": format!("{}.", capital(&rule.remedy.to_string())) },
                "properties": { "tags": ["security"] },
            })
        })
        .collect();
    let ids: Vec<&str> = used.into_iter().collect();
    let results: Vec<Value> = report
        .shown()
        .map(|judged| result(judged, &ids, report.has_key))
        .collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "countersign", "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": report.failures.is_empty(),
                "toolExecutionNotifications": report.failures.iter().map(|failure| notification(failure)).collect::<Vec<_>>(),
            }],
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &log)?;
    writeln!(out)
}

fn notification(failure: &str) -> Value {
    json!({ "level": "error", "message": { "text": failure } })
}

fn result(judged: &Judged, ids: &[&str], has_key: bool) -> Value {
    let found = &judged.found;
    let finding = &found.finding;
    let mut physical = json!({ "artifactLocation": { "uri": uri(&judged.file) } });
    if let Some(at) = found.position {
        physical["region"] = json!({ "startLine": at.line, "startColumn": at.column });
    }
    let mut result = json!({
        "ruleId": finding.rule.id,
        "ruleIndex": ids.binary_search(&finding.rule.id).unwrap_or_default(),
        "level": if judged.action == Action::Deny { "error" } else { "warning" },
        "message": { "text": found.message() },
        "locations": [{
            "physicalLocation": physical,
            "logicalLocations": [{ "fullyQualifiedName": found.location().pointer, "kind": "member" }],
        }],
        "properties": { "tier": finding.tier, "document": found.document },
    });
    if has_key {
        result["partialFingerprints"] = json!({ FINGERPRINT: finding.fingerprint.to_string() });
    }
    if let Some(waiver) = &judged.waiver {
        result["suppressions"] = json!([{ "kind": "external", "status": "accepted", "justification": waiver.reason }]);
    }
    result
}

/// A path as a URI reference (RFC 3986): what is no part of one is percent-encoded, and no part is taken for a scheme.
fn uri(path: &str) -> String {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    path.bytes()
        .flat_map(|byte| {
            let encoded = if part(byte) {
                vec![byte]
            } else {
                format!("%{byte:02X}").into_bytes()
            };
            encoded.into_iter().map(char::from)
        })
        .collect()
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().collect::<String>());
    first.unwrap_or_default() + characters.as_str()
}
