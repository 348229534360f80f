//! Reading a `CredentialWaiver`, and whether a new one may be.

use std::fmt;

use countersign_crds::CredentialWaiverSpec;
use serde_json::Value;

use super::{NamePattern, Pattern, Waiver};
use crate::rule::{Rule, rules};

/// How alike two names are from which on one is taken for a mistyped other.
const ALIKE: f64 = 0.8;

/// What is wrong with a field of a waiver, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct WaiverProblem {
    /// The field's path, such as `spec.fields[0]`.
    pub field: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for WaiverProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl WaiverProblem {
    fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

impl Waiver {
    /// Reads a `CredentialWaiver`: the whole object, with its metadata. A waiver that is not understood covers nothing.
    ///
    /// # Errors
    ///
    /// All that is wrong with it.
    pub fn parse(object: &Value) -> Result<Self, Vec<WaiverProblem>> {
        Self::read(object, &rules())
    }

    /// The same, with the rules that there are.
    pub(super) fn read(object: &Value, rules: &[&'static Rule]) -> Result<Self, Vec<WaiverProblem>> {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let spec: CredentialWaiverSpec = serde_path_to_error::deserialize(&object["spec"]).map_err(|error| {
            let field = match error.path().to_string() {
                path if path == "." => "spec".to_owned(),
                path => format!("spec.{path}"),
            };
            vec![WaiverProblem::new(field, error.into_inner().to_string())]
        })?;
        let mut problems = Vec::new();
        let mut note = |field: &str, message: String| problems.push(WaiverProblem::new(field, message));
        let fields = spec.fields.iter().enumerate().filter_map(|(at, field)| {
            Pattern::parse(field)
                .map_err(|message| note(&format!("spec.fields[{at}]"), message))
                .ok()
        });
        let fields: Vec<Pattern> = fields.collect();
        if spec.fingerprint.as_deref().is_some_and(|text| !is_fingerprint(text)) {
            note(
                "spec.fingerprint",
                "is not 32 hexadecimal digits in lower case".to_owned(),
            );
        }
        if spec.fields.is_empty() && spec.fingerprint.is_none() {
            note(
                "spec",
                "say which finding is meant: by fields, by fingerprint, or by both".to_owned(),
            );
        }
        let object_name = object_name(&spec.object.name);
        if object_name.is_none() {
            note(
                "spec.object.name",
                "name an object; `*` may stand at the end of a name only".to_owned(),
            );
        }
        let known = rules.iter().copied().find(|rule| rule.id == spec.rule);
        if known.is_none() {
            note("spec.rule", unknown_rule(&spec.rule, rules));
        }
        match (known, object_name) {
            (Some(rule), Some(name)) if problems.is_empty() => Ok(Self {
                namespace: text("/metadata/namespace").to_owned(),
                name: text("/metadata/name").to_owned(),
                rule,
                reason: spec.reason,
                expires: spec.expires.0.as_second(),
                group: spec.object.group,
                kind: spec.object.kind,
                object: name,
                fields,
                fingerprint: spec.fingerprint,
            }),
            _ => Err(problems),
        }
    }

    /// What keeps the waiver from being created, or given another end, at `now`, with at most `longest` seconds to live.
    pub fn too_late_or_too_long(&self, now: i64, longest: i64) -> Option<WaiverProblem> {
        if self.is_expired(now) {
            let message = "is over already; give a time that is still to come";
            return Some(WaiverProblem::new("spec.expires", message));
        }
        if self.expires > now.saturating_add(longest) {
            let message = format!(
                "is more than {} from now, which is the most that is allowed here; give an earlier end, and renew the waiver when \
                 it is still needed then",
                days_or_hours(longest)
            );
            return Some(WaiverProblem::new("spec.expires", message));
        }
        None
    }
}

fn days_or_hours(seconds: i64) -> String {
    match seconds {
        172_800.. => format!("{} days", seconds / 86_400),
        _ => format!("{} hours", seconds / 3600),
    }
}

fn object_name(text: &str) -> Option<NamePattern> {
    let (name, pattern) = match text.strip_suffix('*') {
        Some(prefix) => (prefix, NamePattern::Prefix(prefix.to_owned())),
        None => (text, NamePattern::Exact(text.to_owned())),
    };
    (!name.is_empty() && !name.contains('*')).then_some(pattern)
}

fn unknown_rule(id: &str, rules: &[&'static Rule]) -> String {
    let near: Vec<String> = alike(id, rules)
        .into_iter()
        .map(|rule| format!("`{}`", rule.id))
        .collect();
    if near.is_empty() {
        return format!("no rule is called `{id}`; each finding names its rule");
    }
    format!("no rule is called `{id}`; did you mean {}?", near.join(" or "))
}

/// The rules whose names are most like one that is not a rule's: three at most, the likest first.
pub fn near(id: &str) -> Vec<&'static Rule> {
    alike(id, &rules())
}

fn alike(id: &str, rules: &[&'static Rule]) -> Vec<&'static Rule> {
    let mut alike: Vec<(f64, &'static Rule)> = rules
        .iter()
        .map(|rule| (strsim::jaro_winkler(id, rule.id), *rule))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    alike.sort_by(|(one, _), (two, _)| two.total_cmp(one));
    alike.into_iter().take(3).map(|(_, rule)| rule).collect()
}

fn is_fingerprint(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
