//! The judgement of one request: what its object holds that must not be in it. Nothing here waits, reads a clock or writes.

pub mod message;
mod scope;
mod writer;

use std::collections::BTreeSet;

use countersign_scan::{
    Action, Actions, Finding, FingerprintKey, Node, ObjectId, ScanError, Scanner, Settings as ScanSettings, Waivers,
    read_json,
};
use serde_json::value::RawValue;

use crate::cluster::{Caps, Cluster};
use crate::review::{Operation, Reason, Request, Verdict};
use crate::settings::Settings;
pub use writer::Exemption;
use writer::{Writers, is_secret};

/// Judges requests. It is made once and used from many threads.
#[derive(Debug)]
pub struct Judge {
    scanner: Scanner,
    actions: Actions,
    writers: Writers,
}

/// A finding, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighed {
    /// What was found.
    pub finding: Finding,
    /// What becomes of it.
    pub action: Action,
    /// The waiver that lets it stand, as `namespace/name`.
    pub waiver: Option<String>,
}

/// What was decided of a request, and why.
#[derive(Debug, Default)]
pub struct Judgement {
    /// What the API server is told.
    pub verdict: Verdict,
    /// All that was found.
    pub findings: Vec<Weighed>,
    /// Why the object was not looked at.
    pub exemption: Option<Exemption>,
}

impl Judge {
    /// Makes a judge. `namespace` is the webhook's own.
    pub fn new(settings: &Settings, key: FingerprintKey, namespace: &str) -> Self {
        let scan = ScanSettings {
            limits: settings.limits.clone(),
            forbid_literal_secrets: settings.forbid_literal_secrets,
        };
        Self {
            scanner: Scanner::new(scan, key),
            actions: settings.actions.clone(),
            writers: Writers::new(&settings.controllers, namespace),
        }
    }

    /// The scanner, with the limits and the key of fingerprints that requests are judged by.
    pub fn scanner(&self) -> &Scanner {
        &self.scanner
    }

    /// Whether an object that is there need not be looked into: it is a controller's own, or the copy of one that is looked
    /// into.
    pub fn is_owned(&self, group: &str, resource: &str, object: &Node<'_>) -> bool {
        self.writers.is_owned_at_rest(group, resource, object)
    }

    /// Judges a request. `now` is in seconds since 1970.
    pub fn judge(&self, request: &Request<'_>, cluster: &Cluster, now: i64) -> Judgement {
        if scope::is_left_alone(request) {
            return Judgement::default();
        }
        let object = match node(request.object, "object") {
            Ok(object) => object,
            Err(problem) => return Judgement::refused(problem),
        };
        if let Some(exemption) = self.writers.exemption(request, &object) {
            return Judgement::exempt(exemption);
        }
        let findings = match request.operation {
            Operation::Update => match node(request.old_object, "oldObject") {
                Ok(old) => self.scanner.scan_update(&old, &object, now),
                Err(problem) => return Judgement::refused(problem),
            },
            _ => self.scanner.scan(&object, now),
        };
        if findings.is_empty() {
            return Judgement::default();
        }
        let id = id(request, &object);
        let caps = cluster.caps(&request.namespace);
        let findings = self.weigh(&id, is_secret(request), findings, caps, &cluster.waivers(), now);
        Judgement::of(&id, findings)
    }

    /// What becomes of findings in an object. `now` is in seconds since 1970.
    pub fn weigh(
        &self,
        object: &ObjectId<'_>,
        is_secret: bool,
        findings: Vec<Finding>,
        caps: Caps,
        waivers: &Waivers,
        now: i64,
    ) -> Vec<Weighed> {
        let weigh = |finding: Finding| {
            let waiver = waivers.covers(object, &finding, now);
            let waiver = waiver.map(|waiver| format!("{}/{}", waiver.namespace, waiver.name));
            // The type of a Secret is no literal value of it.
            let literal = is_secret && finding.location.pointer != "/type";
            let most = if literal {
                caps.all.min(caps.literal_secrets)
            } else {
                caps.all
            };
            let most = if waiver.is_some() { Action::Audit } else { most };
            let action = self.actions.of(&finding, object.namespace).min(most);
            Weighed {
                finding,
                action,
                waiver,
            }
        };
        findings.into_iter().map(weigh).collect()
    }
}

/// Reads an object of a request.
fn node<'a>(object: Option<&'a RawValue>, field: &str) -> Result<Node<'a>, String> {
    let object = object.ok_or_else(|| format!("request.{field} is missing"))?;
    match read_json(object.get().as_bytes()) {
        Ok(node @ Node::Object(_)) => Ok(node),
        Ok(_) => Err(format!("request.{field} is no object")),
        Err(ScanError::Unreadable { line, column }) => Err(format!(
            "request.{field} cannot be looked into (nested too deep, or not JSON, at line {line} column {column}); what \
             cannot be looked into is not let in"
        )),
    }
}

fn id<'r>(request: &'r Request<'_>, object: &'r Node<'r>) -> ObjectId<'r> {
    let generated = || object.at(&["metadata", "generateName"]).and_then(Node::as_str);
    let name = match &*request.name {
        "" => generated().unwrap_or_default(),
        name => name,
    };
    ObjectId {
        group: &request.kind.group,
        kind: &request.kind.kind,
        namespace: &request.namespace,
        name,
    }
}

impl Judgement {
    /// A verdict that does not come from findings.
    pub fn of_verdict(verdict: Verdict) -> Self {
        Self {
            verdict,
            ..Self::default()
        }
    }

    /// An object that cannot be judged does not get in.
    fn refused(problem: String) -> Self {
        Self::of_verdict(Verdict::denied(Reason::BadRequest, problem))
    }

    fn exempt(exemption: Exemption) -> Self {
        Self {
            verdict: Verdict {
                audit: [("exemption", exemption.name().to_owned())].into(),
                ..Verdict::allowed()
            },
            exemption: Some(exemption),
            ..Self::default()
        }
    }

    fn of(object: &ObjectId<'_>, findings: Vec<Weighed>) -> Self {
        let with = |action: Action| -> Vec<&Finding> {
            let those = findings.iter().filter(|weighed| weighed.action == action);
            those.map(|weighed| &weighed.finding).collect()
        };
        let denied = with(Action::Deny);
        let mut verdict = if denied.is_empty() {
            Verdict::allowed()
        } else {
            Verdict::denied(Reason::Forbidden, message::refusal(object, denied.into_iter()))
        };
        verdict.warnings = message::warnings(with(Action::Warn).into_iter());
        let rules: BTreeSet<&str> = findings.iter().map(|weighed| weighed.finding.rule.id).collect();
        let waivers: BTreeSet<&str> = findings
            .iter()
            .filter_map(|weighed| weighed.waiver.as_deref())
            .collect();
        verdict.audit.insert("rules", joined(rules));
        if !waivers.is_empty() {
            verdict.audit.insert("waivers", joined(waivers));
        }
        let most = findings.iter().map(|weighed| weighed.action).max();
        verdict
            .audit
            .insert("action", most.map_or("none", action_name).to_owned());
        Self {
            verdict,
            findings,
            exemption: None,
        }
    }
}

/// As settings and metrics write it.
pub fn action_name(action: Action) -> &'static str {
    match action {
        Action::Audit => "audit",
        Action::Warn => "warn",
        Action::Deny => "deny",
    }
}

fn joined(names: BTreeSet<&str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests;
