//! Reading the rules of an `ApiAuthPolicy`.

use std::collections::BTreeSet;

use countersign_crds::api_auth_policy::{Caller as WireCaller, Operation as WireOperation, PathMatch, PolicyRule};

use super::{Field, Problem, fields};
use crate::model::{Caller, Callers, Operation, PathPattern, RateLimit, Rule, Sensitivity, TokenDemand};
use crate::world::ObjectName;

/// The most segments of a path template that may stand for any segment: Envoy's limit.
const MAX_TEMPLATE_VARIABLES: usize = 5;

/// What the policy accepts as credentials: rules can ask for nothing else.
pub(super) struct Accepted<'a> {
    pub(super) mutual_tls: bool,
    pub(super) issuers: BTreeSet<&'a str>,
    pub(super) sensitivity: Sensitivity,
}

pub(super) fn read(
    namespace: &str,
    rules: &[PolicyRule],
    accepted: &Accepted<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<Rule> {
    let mut names = BTreeSet::new();
    let mut read = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let mut field = Field::new(format!("spec.rules[{at}]"), problems);
        if !names.insert(rule.name.as_str()) {
            field.problem(
                ".name",
                format!(
                    "`{}` is the name of an earlier rule; give each a name of its own",
                    rule.name
                ),
            );
        }
        let operations = rule
            .operations
            .iter()
            .enumerate()
            .map(|(index, operation)| read_operation(operation, &mut field.below(&format!(".operations[{index}]"))))
            .collect();
        let callers = read_callers(namespace, rule, accepted, &mut field);
        let rate_limit = read_rate_limit(rule, &mut field);
        read.push(Rule {
            name: rule.name.clone(),
            operations,
            callers,
            rate_limit,
        });
    }
    read
}

fn read_rate_limit(rule: &PolicyRule, field: &mut Field<'_>) -> Option<RateLimit> {
    let Some(limit) = &rule.rate_limit else {
        if rule.unauthenticated {
            field.problem(
                ".rateLimit",
                "an unauthenticated rule needs one: there is no caller to hold to account",
            );
        }
        return None;
    };
    let requests = u32::try_from(limit.requests).unwrap_or_default();
    if requests == 0 {
        field.problem(".rateLimit.requests", "must be at least 1");
    }
    match fields::seconds(&limit.per) {
        Ok(seconds) if seconds <= 3600 => {
            return Some(RateLimit { requests, seconds });
        }
        Ok(_) => field.problem(".rateLimit.per", "must be an hour at most"),
        Err(message) => field.problem(".rateLimit.per", message),
    }
    None
}

fn read_callers(namespace: &str, rule: &PolicyRule, accepted: &Accepted<'_>, field: &mut Field<'_>) -> Callers {
    if rule.unauthenticated {
        if accepted.sensitivity != Sensitivity::Public {
            field.problem(
                ".unauthenticated",
                "is for APIs of sensitivity Public only; name the callers instead",
            );
        }
        if !rule.callers.is_empty() || !rule.scopes.is_empty() || !rule.waive.is_empty() {
            field.problem(
                ".unauthenticated",
                "stands alone: a rule without credentials has no callers, scopes or waivers",
            );
        }
        if rule.operations.is_empty() {
            field.problem(".operations", "an unauthenticated rule must name its operations");
        }
        return Callers::Unauthenticated;
    }
    if rule.callers.is_empty() {
        field.problem(
            ".callers",
            "say who may call: give callers, or, for a Public API, unauthenticated: true",
        );
    }
    for (at, scope) in rule.scopes.iter().enumerate() {
        field.check(&format!(".scopes[{at}]"), fields::scope(scope));
    }
    if !rule.scopes.is_empty() && accepted.issuers.is_empty() {
        field.problem(
            ".scopes",
            "scopes are held by tokens; accept an issuer's tokens in spec.credentials.jwt",
        );
    }
    let callers = rule
        .callers
        .iter()
        .enumerate()
        .filter_map(|(at, caller)| {
            read_caller(
                namespace,
                caller,
                accepted,
                &mut field.below(&format!(".callers[{at}]")),
            )
        })
        .collect();
    Callers::AnyOf {
        callers,
        scopes: rule.scopes.iter().cloned().collect(),
        waived: rule.waive.iter().copied().collect(),
    }
}

fn read_caller(namespace: &str, caller: &WireCaller, accepted: &Accepted<'_>, field: &mut Field<'_>) -> Option<Caller> {
    let token = read_demand(caller, accepted, field);
    if let Some(reference) = &caller.service_identity {
        if !accepted.mutual_tls {
            field.problem(
                ".serviceIdentity",
                "a workload is known by its certificate; accept it with spec.credentials.mutualTls: {}",
            );
        }
        if caller.any_authenticated {
            field.problem(
                ".anyAuthenticated",
                "stands alone: it already admits every caller with a valid credential",
            );
        }
        let namespace = reference.namespace.as_deref().unwrap_or(namespace);
        return Some(Caller::Workload {
            identity: ObjectName::new(namespace, &reference.name),
            token,
        });
    }
    match (token, caller.any_authenticated) {
        (Some(token), false) => Some(Caller::Token(token)),
        (None, true) => {
            if !accepted.mutual_tls && accepted.issuers.is_empty() {
                field.problem(
                    ".anyAuthenticated",
                    "the policy accepts no credential; say which in spec.credentials",
                );
            }
            Some(Caller::AnyAuthenticated)
        }
        (Some(_), true) => {
            field.problem(
                ".anyAuthenticated",
                "stands alone: it already admits every caller with a valid credential",
            );
            None
        }
        (None, false) => {
            field.problem(
                "",
                "a caller needs serviceIdentity, client, claims or anyAuthenticated: true",
            );
            None
        }
    }
}

fn read_demand(caller: &WireCaller, accepted: &Accepted<'_>, field: &mut Field<'_>) -> Option<TokenDemand> {
    let issuers: Vec<(&str, &str)> = [
        caller
            .client
            .as_ref()
            .map(|client| (".client.issuer", client.issuer.as_str())),
        caller
            .claims
            .as_ref()
            .map(|claims| (".claims.issuer", claims.issuer.as_str())),
    ]
    .into_iter()
    .flatten()
    .collect();
    let (_, issuer) = *issuers.first()?;
    for (name, named) in &issuers {
        if !accepted.issuers.contains(named) {
            let message = format!(
                "`{named}` is not in spec.credentials.jwt; a rule can only name issuers that the policy accepts"
            );
            field.problem(name, message);
        }
        if *named != issuer {
            field.problem(
                name,
                "client and claims of one caller are of one token, so of one issuer",
            );
        }
    }
    if let Some(client) = &caller.client {
        field.check(".client.id", fields::literal(&client.id));
    }
    let mut claims = Vec::new();
    for (at, requirement) in caller.claims.iter().flat_map(|claims| &claims.require).enumerate() {
        field.check(
            &format!(".claims.require[{at}].name"),
            fields::claim_name(&requirement.name),
        );
        for (index, value) in requirement.values.iter().enumerate() {
            field.check(
                &format!(".claims.require[{at}].values[{index}]"),
                fields::literal(value),
            );
        }
        if requirement.values.is_empty() {
            field.problem(&format!(".claims.require[{at}].values"), "name at least one value");
        }
        claims.push((requirement.name.clone(), requirement.values.clone()));
    }
    if caller.claims.is_some() && claims.is_empty() {
        field.problem(".claims.require", "name at least one claim");
    }
    let client = caller.client.as_ref().map(|client| client.id.clone());
    Some(TokenDemand {
        issuer: issuer.to_owned(),
        client,
        claims,
    })
}

fn read_operation(operation: &WireOperation, field: &mut Field<'_>) -> Operation {
    if operation.methods.is_empty() && operation.paths.is_empty() {
        field.problem("", "an operation needs methods, paths or both");
    }
    for (at, method) in operation.methods.iter().enumerate() {
        if method.is_empty() || !method.chars().all(|c| c.is_ascii_uppercase() || c == '-') {
            field.problem(
                &format!(".methods[{at}]"),
                format!("`{method}` is not an HTTP method in capitals, such as GET"),
            );
        }
    }
    let paths = operation
        .paths
        .iter()
        .enumerate()
        .filter_map(|(at, path)| match read_path(path) {
            Ok(pattern) => Some(pattern),
            Err((name, message)) => {
                field.problem(&format!(".paths[{at}]{name}"), message);
                None
            }
        })
        .collect();
    Operation {
        methods: operation.methods.clone(),
        paths,
    }
}

fn read_path(path: &PathMatch) -> Result<PathPattern, (&'static str, String)> {
    match (&path.exact, &path.prefix, &path.template) {
        (Some(exact), None, None) => {
            check_path(exact, false).map_err(|message| (".exact", message))?;
            Ok(PathPattern::Exact(exact.clone()))
        }
        (None, Some(prefix), None) => {
            check_path(prefix, false).map_err(|message| (".prefix", message))?;
            Ok(PathPattern::Prefix(
                prefix.strip_suffix('/').unwrap_or(prefix).to_owned(),
            ))
        }
        (None, None, Some(template)) => read_template(template).map_err(|message| (".template", message)),
        _ => Err(("", "a path has exactly one of exact, prefix and template".to_owned())),
    }
}

fn read_template(template: &str) -> Result<PathPattern, String> {
    check_path(template, true)?;
    let mut segments = Vec::new();
    for segment in template[1..].split('/') {
        let variable = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match variable {
            Some(name)
                if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') =>
            {
                segments.push(None);
            }
            None if !segment.contains(['{', '}']) => segments.push(Some(segment.to_owned())),
            _ => {
                return Err(format!(
                    "`{segment}` is not a segment of a template; braces stand around a whole segment, as in /v1/{{id}}"
                ));
            }
        }
    }
    if template.ends_with('/') {
        return Err("must not end with a slash".to_owned());
    }
    match segments.iter().filter(|segment| segment.is_none()).count() {
        0 => Err("has no segment in braces; write it as exact".to_owned()),
        1..=MAX_TEMPLATE_VARIABLES => Ok(PathPattern::Template(segments)),
        many => Err(format!(
            "has {many} segments in braces; at most {MAX_TEMPLATE_VARIABLES} can be compared"
        )),
    }
}

/// A path as it is after normalisation: anything else could never match.
fn check_path(path: &str, braces: bool) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()+,=:@/".contains(c) || (braces && "{}".contains(c));
    if !path.starts_with('/') {
        return Err(format!("`{path}` must begin with a slash"));
    }
    if let Some(wrong) = path.chars().find(|c| !allowed(*c)) {
        return Err(format!(
            "`{path}` holds `{wrong}`; paths are written decoded, and hold only characters that need no escape"
        ));
    }
    let inner = path[1..].strip_suffix('/').unwrap_or(&path[1..]);
    if !inner.is_empty() && inner.split('/').any(|segment| matches!(segment, "" | "." | "..")) || path == "//" {
        return Err(format!(
            "`{path}` has an empty or dot segment; no request has such a path after normalisation"
        ));
    }
    Ok(())
}
