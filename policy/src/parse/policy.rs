//! Reading an `ApiAuthPolicy`.

use std::collections::{BTreeMap, BTreeSet};

use countersign_crds::ApiAuthPolicySpec;
use countersign_crds::api_auth_policy::{JwtCredential, Selector, TargetRef};
use serde_json::Value;

use super::{Problem, fields, rules, wire};
use crate::model::{Header, Mode, Policy, Sensitivity, Target, TokenSource};
use crate::world::ObjectName;

/// The group of the Gateway API's kinds.
const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";

/// An `ApiAuthPolicy` as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedPolicy {
    /// Its name.
    pub name: ObjectName,
    /// What it protects, as far as that could be read: also a policy that is wrong elsewhere denies there.
    pub targets: Vec<Target>,
    /// Its mode. One that cannot be read enforces.
    pub mode: Mode,
    /// The sensitivity that it declares. One that cannot be read is the strictest: a policy that is wrong elsewhere still
    /// holds the others on its target to it.
    pub sensitivity: Sensitivity,
    /// The policy, or all that is wrong with it.
    pub policy: Result<Policy, Vec<Problem>>,
}

/// Reads an `ApiAuthPolicy`.
pub fn policy(name: ObjectName, spec: &Value) -> ParsedPolicy {
    let (targets, problems) = read_targets(spec);
    let mode = spec
        .get("mode")
        .and_then(|mode| serde_json::from_value(mode.clone()).ok())
        .unwrap_or_default();
    let sensitivity = match spec.get("sensitivity") {
        None => Sensitivity::default(),
        Some(text) => serde_json::from_value(text.clone()).unwrap_or(Sensitivity::Critical),
    };
    let policy = read(name.clone(), spec, targets.clone(), problems);
    ParsedPolicy {
        name,
        targets,
        mode,
        sensitivity,
        policy,
    }
}

fn read(
    name: ObjectName,
    spec: &Value,
    targets: Vec<Target>,
    mut problems: Vec<Problem>,
) -> Result<Policy, Vec<Problem>> {
    let spec: ApiAuthPolicySpec = match wire(spec) {
        Ok(spec) => spec,
        Err(problem) => {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
            return Err(problems);
        }
    };
    let jwt = read_sources(&spec.credentials.jwt, &mut problems);
    let accepted = rules::Accepted {
        mutual_tls: spec.credentials.mutual_tls.is_some(),
        issuers: spec.credentials.jwt.iter().map(|jwt| jwt.issuer.as_str()).collect(),
        sensitivity: spec.sensitivity,
    };
    let rules = rules::read(&name.namespace, &spec.rules, &accepted, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let ApiAuthPolicySpec {
        target_refs: _,
        selector: _,
        sensitivity,
        mode,
        credentials,
        rules: _,
    } = spec;
    Ok(Policy {
        name,
        targets,
        sensitivity,
        mode,
        mutual_tls: credentials.mutual_tls.is_some(),
        jwt,
        rules,
    })
}

/// The targets that can be read, and what is wrong with the others.
fn read_targets(spec: &Value) -> (Vec<Target>, Vec<Problem>) {
    let part = |name: &str| spec.get(name).filter(|value| !value.is_null());
    let none = |problem: Problem| (Vec::new(), vec![problem]);
    let only_one = || {
        Problem::new(
            "spec",
            "name what the policy protects with exactly one of targetRefs and selector",
        )
    };
    match (part("targetRefs"), part("selector")) {
        (Some(_), Some(_)) | (None, None) => none(only_one()),
        (Some(Value::Array(refs)), None) if refs.is_empty() => none(only_one()),
        (Some(Value::Array(refs)), None) => {
            let read = refs.iter().enumerate().map(|(at, target)| {
                within(&format!("targetRefs[{at}]"), target).and_then(|target| read_target(at, &target))
            });
            let (targets, problems): (Vec<_>, Vec<_>) = read.partition(Result::is_ok);
            let targets: BTreeSet<Target> = targets.into_iter().flatten().collect();
            (
                targets.into_iter().collect(),
                problems.into_iter().filter_map(Result::err).collect(),
            )
        }
        (Some(_), None) => none(Problem::new("spec.targetRefs", "must be a list")),
        (None, Some(selector)) => match within("selector", selector) {
            Ok(Selector { match_labels }) if match_labels.is_empty() => {
                let message = "must name at least one label; an empty selector would cover every Pod of the namespace";
                none(Problem::new("spec.selector.matchLabels", message))
            }
            Ok(Selector { match_labels }) => (vec![Target::Pods(match_labels)], Vec::new()),
            Err(problem) => none(problem),
        },
    }
}

/// Reads a part of the spec.
fn within<T: serde::de::DeserializeOwned>(name: &str, value: &Value) -> Result<T, Problem> {
    wire(value).map_err(|problem| {
        let below = problem.field.strip_prefix("spec").unwrap_or_default();
        Problem::new(format!("spec.{name}{below}"), problem.message)
    })
}

fn read_target(at: usize, target: &TargetRef) -> Result<Target, Problem> {
    match (target.group.as_str(), target.kind.as_str()) {
        ("", "Service") => Ok(Target::Service(target.name.clone())),
        (GATEWAY_GROUP, "Gateway") => Ok(Target::Gateway(target.name.clone())),
        (GATEWAY_GROUP, "HTTPRoute") => Ok(Target::HttpRoute(target.name.clone())),
        (group, kind) => Err(Problem::new(
            format!("spec.targetRefs[{at}]"),
            format!(
                "`{kind}` of group `{group}` cannot be a target; use a Service (group \"\"), or a Gateway or HTTPRoute \
                 (group {GATEWAY_GROUP})"
            ),
        )),
    }
}

fn read_sources(jwt: &[JwtCredential], problems: &mut Vec<Problem>) -> Vec<TokenSource> {
    let mut prefixes: BTreeMap<String, String> = BTreeMap::new();
    let mut sources = Vec::new();
    for (at, credential) in jwt.iter().enumerate() {
        let field = |name: &str| format!("spec.credentials.jwt[{at}]{name}");
        if credential.audiences.is_empty() {
            let message = "name at least one audience: a token for one API must be refused by another";
            problems.push(Problem::new(field(".audiences"), message));
        }
        for (index, audience) in credential.audiences.iter().enumerate() {
            if let Err(message) = fields::literal(audience) {
                problems.push(Problem::new(field(&format!(".audiences[{index}]")), message));
            }
        }
        let header = match &credential.from {
            None => Header::default(),
            Some(from) => match fields::header_name(&from.header.name) {
                Ok(name) => Header {
                    name,
                    prefix: from.header.prefix.clone(),
                },
                Err(message) => {
                    problems.push(Problem::new(field(".from.header.name"), message));
                    continue;
                }
            },
        };
        if let Err(message) = fields::prefix(&header.prefix) {
            problems.push(Problem::new(field(".from.header.prefix"), message));
        }
        let prefix = prefixes
            .entry(header.name.clone())
            .or_insert_with(|| header.prefix.clone());
        if *prefix != header.prefix {
            let message = format!("`{prefix}` already stands before tokens in this header; one header has one prefix");
            problems.push(Problem::new(field(".from.header.prefix"), message));
        }
        let audiences = credential.audiences.iter().cloned().collect::<BTreeSet<_>>();
        sources.push(TokenSource {
            issuer: credential.issuer.clone(),
            audiences,
            header,
        });
    }
    sources
}
