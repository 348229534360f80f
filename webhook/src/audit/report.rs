//! What the audit writes: a `Report` of openreports.io for each namespace, and a `ClusterReport` for what has none.

use std::cmp::Reverse;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use countersign_scan::{Action, Finding, Tier};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::book::{Known, Mark};
use super::follow::Name;
use super::kinds::Kind;
use crate::judge::action_name;

/// The group of reports.
pub(super) const GROUP: &str = "openreports.io";
/// Group and version of reports.
pub(super) const API_VERSION: &str = "openreports.io/v1alpha1";
/// The name of every report of the audit.
pub(super) const NAME: &str = "countersign";
/// Who reports.
const SOURCE: &str = "countersign";
/// What marks a report as the audit's, with its value.
pub(super) const LABEL: (&str, &str) = ("countersign.dev/report", "credentials");
/// Tells how many results are not in the report.
const LEFT_OUT: &str = "countersign.dev/results-left-out";
/// How many results a report has at most.
const MOST: usize = 1000;
/// How many bytes they have at most: etcd takes 1.5 MiB.
const MOST_BYTES: usize = 900_000;
/// How long a text of a result is at most, in bytes.
const LONGEST: usize = 1024;

/// What became of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Outcome {
    /// It would not get in today.
    Fail,
    /// It would get in with a warning.
    Warn,
    /// A waiver lets it stand.
    Skip,
}

impl Outcome {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Skip => "skip",
        }
    }
}

/// A finding with all that is said of it.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) kind: &'a Kind,
    pub(super) object: &'a Name,
    pub(super) uid: &'a str,
    pub(super) known: &'a Known,
    /// What would become of it if its namespace asked for no less.
    pub(super) action: Action,
    /// What becomes of it in its namespace.
    pub(super) in_force: Action,
    /// The waiver that lets it stand.
    pub(super) waiver: Option<String>,
}

impl Line<'_> {
    pub(super) fn outcome(&self) -> Outcome {
        match (&self.waiver, self.action) {
            (Some(_), _) => Outcome::Skip,
            (None, Action::Deny) => Outcome::Fail,
            (None, Action::Warn | Action::Audit) => Outcome::Warn,
        }
    }

    fn finding(&self) -> &Finding {
        &self.known.finding
    }

    fn severity(&self) -> &'static str {
        match (self.outcome(), self.finding().tier) {
            (Outcome::Fail, Tier::Proven | Tier::Shaped) => "high",
            (Outcome::Fail, _) => "medium",
            (Outcome::Warn, _) => "low",
            (Outcome::Skip, _) => "info",
        }
    }

    fn result(&self) -> Value {
        let finding = self.finding();
        let mut properties = json!({
            "field": shortened(&finding.location.pointer),
            "location": shortened(&finding.location.to_string()),
            "tier": finding.tier.to_string(),
            "fingerprint": finding.fingerprint.to_string(),
            "action": action_name(self.in_force),
        });
        if let Some(waiver) = &self.waiver {
            properties["waiver"] = json!(waiver);
        }
        let mut resource = json!({
            "apiVersion": self.kind.resource.api_version,
            "kind": self.kind.resource.kind,
            "name": self.object.name,
            "uid": self.uid,
        });
        if !self.object.namespace.is_empty() {
            resource["namespace"] = json!(self.object.namespace);
        }
        json!({
            "policy": finding.rule.id,
            "category": "Credentials",
            "severity": self.severity(),
            "result": self.outcome().name(),
            "scored": true,
            "timestamp": {"seconds": self.known.since, "nanos": 0},
            "resources": [resource],
            "message": shortened(&finding.to_string()),
            "properties": properties,
        })
    }
}

/// The report on a namespace, or on what has none if that is empty. `None` if there is nothing to report.
pub(super) fn render(namespace: &str, mut lines: Vec<Line<'_>>) -> Option<Value> {
    if lines.is_empty() {
        return None;
    }
    let count = |outcome| lines.iter().filter(|line| line.outcome() == outcome).count();
    let [fail, warn, skip] = [Outcome::Fail, Outcome::Warn, Outcome::Skip].map(count);
    // The gravest come first, so that they are not what is left out. The order of the book breaks ties.
    lines.sort_by_key(|line| (line.outcome(), Reverse(line.action), line.finding().tier));
    let mut results = Vec::new();
    let mut bytes = 0;
    for line in lines.iter().take(MOST) {
        let result = line.result();
        bytes += result.to_string().len();
        if bytes > MOST_BYTES {
            break;
        }
        results.push(result);
    }
    let left_out = lines.len() - results.len();
    let mut report = json!({
        "apiVersion": API_VERSION,
        "kind": if namespace.is_empty() { "ClusterReport" } else { "Report" },
        "metadata": {
            "name": NAME,
            "labels": {"app.kubernetes.io/managed-by": "countersign", LABEL.0: LABEL.1},
        },
        "source": SOURCE,
        "summary": {"pass": 0, "fail": fail, "warn": warn, "error": 0, "skip": skip},
        "results": results,
    });
    if !namespace.is_empty() {
        report["metadata"]["namespace"] = json!(namespace);
    }
    if left_out > 0 {
        report["metadata"]["annotations"] = json!({ LEFT_OUT: left_out.to_string() });
        report["configuration"] = json!({"limits": {"maxResults": MOST}});
    }
    Some(report)
}

/// Recognises what a report says, whoever read or wrote it.
pub(super) fn digest(report: &Value) -> u64 {
    let said = json!([
        report["source"],
        report["summary"],
        report["results"],
        report["configuration"],
        report["metadata"]["annotations"][LEFT_OUT],
        report["metadata"]["labels"][LABEL.0],
    ]);
    let mut hasher = DefaultHasher::new();
    said.hash(&mut hasher);
    hasher.finish()
}

/// What an earlier report says was found, and since when.
pub(super) fn marks(report: &Value) -> Vec<(Mark, i64)> {
    let results = report["results"].as_array().into_iter().flatten();
    let read = |result: &Value| {
        let text = |path: &str| {
            result
                .pointer(path)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let api_version = text("/resources/0/apiVersion");
        let mark = Mark {
            kind: text("/resources/0/kind"),
            group: api_version.split_once('/').map_or("", |(group, _)| group).to_owned(),
            object: Name {
                namespace: text("/resources/0/namespace"),
                name: text("/resources/0/name"),
            },
            rule: text("/policy"),
            fingerprint: text("/properties/fingerprint"),
            location: text("/properties/location"),
        };
        (mark, result["timestamp"]["seconds"].as_i64().unwrap_or_default())
    };
    results.map(read).collect()
}

/// A time, as people write it.
pub(super) fn time(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

/// A text that fits into a result.
pub(super) fn shortened(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(LONGEST - 3)])
}

#[cfg(test)]
mod tests;
