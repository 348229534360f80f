//! For programs: one object with all findings.

use std::io::{self, Write};

use countersign_scan::{Action, Lifetime, Mitigation, Tier};
use serde::Serialize;

use super::{Judged, Report};
use crate::object::Object;
use crate::waivers::time;

#[derive(Serialize)]
struct Findings<'a> {
    findings: Vec<Finding<'a>>,
}

/// The names of these members are an interface: more may come, none may go.
#[derive(Serialize)]
struct Finding<'a> {
    file: &'a str,
    /// The index of the document in the file, from 0.
    document: usize,
    line: Option<usize>,
    column: Option<usize>,
    pointer: String,
    /// What had to be decoded or read within the field.
    path: Vec<String>,
    rule: &'a str,
    tier: Tier,
    action: Action,
    remedy: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'a Object>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifetime: Option<Life>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mitigation: Option<Mitigation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiver: Option<Waived<'a>>,
}

#[derive(Serialize)]
struct Waived<'a> {
    namespace: &'a str,
    name: &'a str,
    reason: &'a str,
    expires: String,
}

/// Seconds, or `"endless"`.
#[derive(Serialize)]
#[serde(untagged)]
enum Life {
    Seconds(i64),
    Endless(&'static str),
}

/// Prints a report.
pub fn print(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let findings = report.shown().map(|judged| finding(judged, report.has_key)).collect();
    serde_json::to_writer_pretty(&mut *out, &Findings { findings })?;
    writeln!(out)
}

fn finding(judged: &Judged, has_key: bool) -> Finding<'_> {
    let found = &judged.found;
    let finding = &found.finding;
    let location = found.location();
    Finding {
        file: &judged.file,
        document: found.document,
        line: found.position.map(|at| at.line),
        column: found.position.map(|at| at.column),
        message: found.message(),
        path: location.steps.iter().map(ToString::to_string).collect(),
        pointer: location.pointer,
        rule: finding.rule.id,
        tier: finding.tier,
        // What is waived is not to be denied, also for programs that do not know of waivers.
        action: judged.waiver.as_ref().map_or(judged.action, |_| Action::Warn),
        remedy: finding.rule.remedy.to_string(),
        object: Some(&found.object).filter(|object| object.is_known()),
        lifetime: finding.lifetime.map(|lifetime| match lifetime {
            Lifetime::Seconds(seconds) => Life::Seconds(seconds),
            Lifetime::Endless => Life::Endless("endless"),
        }),
        mitigation: finding.mitigation,
        fingerprint: has_key.then(|| finding.fingerprint.to_string()),
        waiver: judged.waiver.as_ref().map(|waiver| Waived {
            namespace: &waiver.namespace,
            name: &waiver.name,
            reason: &waiver.reason,
            expires: time(waiver.expires),
        }),
    }
}
