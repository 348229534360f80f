//! `EnvoyFilter`: refuses what Istio's own rules would let through, and limits rates.
//!
//! Istio has no words for three things: a token needs an expiry, a path must be unambiguous, and a request has one token.
//! Envoy has, in the filter that Istio's rules are made of (`envoy.filters.http.rbac`).

use serde_json::{Map, Value, json};

use super::target_refs;
use crate::decide::{path, tokens};
use crate::model::{Header, Operation, PathPattern, RateLimit};
use crate::resolve::{Point, Resolved, ResolvedRule};
use countersign_identity::token::LATEST_EXPIRY;

const CONNECTION_MANAGER: &str = "envoy.filters.network.http_connection_manager";
const JWT_FILTER: &str = "envoy.filters.http.jwt_authn";
const ROUTER_FILTER: &str = "envoy.filters.http.router";
const RBAC_TYPE: &str = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";
const RATE_LIMIT_TYPE: &str = "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit";
const HEADER_MUTATION_TYPE: &str =
    "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation";
/// The default bucket, for requests that no limit is meant for: Envoy asks for one, and it is never empty.
const UNLIMITED: u32 = 1_000_000_000;

pub(super) fn spec(resolved: &Resolved, point: &Point, rules: &[&ResolvedRule]) -> Value {
    let context = if point.faces_outside() {
        "GATEWAY"
    } else {
        "SIDECAR_INBOUND"
    };
    let mut patches = vec![patch(
        context,
        None,
        "INSERT_FIRST",
        &rbac("countersign.request-guard", &request_guard(resolved)),
    )];
    if let Some(first) = first_values(resolved) {
        patches.push(patch(context, None, "INSERT_FIRST", &first));
    }
    if !resolved.sources.is_empty() {
        let guard = rbac("countersign.token-guard", &json!({ "no-expiry": no_expiry() }));
        patches.push(patch(context, Some(JWT_FILTER), "INSERT_AFTER", &guard));
    }
    let limited: Vec<_> = rules
        .iter()
        .filter_map(|rule| Some((*rule, rule.rate_limit?)))
        .collect();
    if !limited.is_empty() {
        patches.push(patch(
            context,
            Some(ROUTER_FILTER),
            "INSERT_BEFORE",
            &rate_limits(&limited),
        ));
    }
    let mut spec = json!({ "configPatches": patches });
    match point.pods() {
        Some(labels) => spec["workloadSelector"] = json!({ "labels": labels }),
        None => spec["targetRefs"] = target_refs(point),
    }
    spec
}

fn patch(context: &str, beside: Option<&str>, operation: &str, value: &Value) -> Value {
    let mut filter = json!({ "name": CONNECTION_MANAGER });
    if let Some(name) = beside {
        filter["subFilter"] = json!({ "name": name });
    }
    json!({
        "applyTo": "HTTP_FILTER",
        "match": { "context": context, "listener": { "filterChain": { "filter": filter } } },
        "patch": { "operation": operation, "value": value },
    })
}

fn rbac(name: &str, policies: &Value) -> Value {
    json!({
        "name": name,
        "typed_config": { "@type": RBAC_TYPE, "rules": { "action": "DENY", "policies": policies } },
    })
}

/// Refuses ambiguous paths, what is not one token where a token is to be, and more than one token.
fn request_guard(resolved: &Resolved) -> Value {
    let mut policies = Map::new();
    let refuse = |permission: Value| json!({ "permissions": [permission], "principals": [{ "any": true }] });
    let ambiguous = json!({ "url_path": { "path": { "safe_regex": { "regex": path::AMBIGUOUS } } } });
    policies.insert("ambiguous-path".to_owned(), refuse(ambiguous));
    for header in resolved.sources.iter().flat_map(|source| &source.headers) {
        policies.insert(
            format!("malformed-token-{}", header.name),
            refuse(malformed_token(header)),
        );
    }
    let headers: Vec<&String> = resolved.token_headers.iter().collect();
    for (at, one) in headers.iter().enumerate() {
        for two in &headers[at + 1..] {
            let present = |name: &str| json!({ "header": { "name": name, "present_match": true } });
            let both = json!({ "and_rules": { "rules": [present(one), present(two)] } });
            policies.insert(format!("two-tokens-{one}-{two}"), refuse(both));
        }
    }
    Value::Object(policies)
}

/// Keeps the first value of each header that holds a token. Envoy's matchers look for one value that fits, and a second
/// one would pass unseen. It comes to stand before the request guard, since what is inserted first last is first. Envoy
/// itself makes one value of repeated `Authorization` headers.
fn first_values(resolved: &Resolved) -> Option<Value> {
    let headers = resolved
        .sources
        .iter()
        .flat_map(|source| &source.headers)
        .filter(|header| header.name != "authorization");
    let mutations: Vec<Value> = headers
        .map(|Header { name, .. }| {
            let first = json!({ "key": name, "value": format!("%REQ({name})%") });
            json!({ "append": { "append_action": "OVERWRITE_IF_EXISTS", "header": first } })
        })
        .collect();
    (!mutations.is_empty()).then(|| {
        json!({
            "name": "countersign.first-values",
            "typed_config": { "@type": HEADER_MUTATION_TYPE, "mutations": { "request_mutations": mutations } },
        })
    })
}

/// A header that is to hold a token, and holds something else.
fn malformed_token(header: &Header) -> Value {
    let value = |matcher: Value| json!({ "header": { "name": header.name, "string_match": matcher } });
    let holds_one = if header.prefix.is_empty() {
        json!({ "header": { "name": header.name, "present_match": true } })
    } else {
        value(json!({ "contains": header.prefix }))
    };
    let regex = format!("{}{}", regex::escape(&header.prefix), tokens::TOKEN_PATTERN);
    let well_formed = value(json!({ "safe_regex": { "regex": regex } }));
    json!({ "and_rules": { "rules": [holds_one, { "not_rule": well_formed }] } })
}

/// A verified token whose `exp` is not a time in seconds: Envoy takes a missing one, and zero, for no limit.
fn no_expiry() -> Value {
    let claim = |name: &str, value: Value| json!({ "metadata": { "filter": JWT_FILTER, "path": [{ "key": "payload" }, { "key": name }], "value": value } });
    #[expect(
        clippy::cast_precision_loss,
        reason = "the bound is a power of ten that a double holds exactly"
    )]
    let range = json!({ "double_match": { "range": { "start": 1.0, "end": LATEST_EXPIRY as f64 } } });
    let verified = claim("iss", json!({ "present_match": true }));
    let without = json!({ "not_id": claim("exp", range) });
    json!({
        "permissions": [{ "any": true }],
        "principals": [{ "and_ids": { "ids": [verified, without] } }],
    })
}

/// Counts the requests that were admitted, since it stands just before the router.
fn rate_limits(rules: &[(&ResolvedRule, RateLimit)]) -> Value {
    let all = json!({ "numerator": 100, "denominator": "HUNDRED" });
    let mut limits = Vec::new();
    let mut buckets = Vec::new();
    for (rule, limit) in rules {
        buckets.push(json!({
            "entries": [{ "key": "header_match", "value": rule.name }],
            "token_bucket": bucket(limit.requests, limit.seconds),
        }));
        // One entry for each operation, or one for all requests.
        let all_operations = [Operation::default()];
        let operations = if rule.operations.is_empty() {
            &all_operations[..]
        } else {
            &rule.operations
        };
        limits.extend(operations.iter().map(|operation| {
            json!({ "actions": [{ "header_value_match": { "descriptor_value": rule.name, "headers": headers(operation) } }] })
        }));
    }
    json!({
        "name": "countersign.rate-limit",
        "typed_config": {
            "@type": RATE_LIMIT_TYPE,
            "stat_prefix": "countersign",
            "token_bucket": bucket(UNLIMITED, 1),
            "filter_enabled": { "default_value": all },
            "filter_enforced": { "default_value": all },
            "rate_limits": limits,
            "descriptors": buckets,
        },
    })
}

fn bucket(requests: u32, seconds: i64) -> Value {
    json!({ "max_tokens": requests, "tokens_per_fill": requests, "fill_interval": format!("{seconds}s") })
}

fn headers(operation: &Operation) -> Vec<Value> {
    let pattern = |name: &str, alternatives: Vec<String>, tail: &str| {
        let regex = format!("(?:{}){tail}", alternatives.join("|"));
        json!({ "name": name, "string_match": { "safe_regex": { "regex": regex } } })
    };
    let mut headers = Vec::new();
    if !operation.methods.is_empty() {
        headers.push(pattern(":method", operation.methods.clone(), ""));
    }
    let paths = if operation.paths.is_empty() {
        vec!["/.*".to_owned()]
    } else {
        operation.paths.iter().map(path_regex).collect()
    };
    headers.push(pattern(":path", paths, r"(?:\?.*)?"));
    headers
}

fn path_regex(pattern: &PathPattern) -> String {
    match pattern {
        PathPattern::Exact(path) => regex::escape(path),
        PathPattern::Prefix(prefix) => format!("{}(?:/[^?]*)?", regex::escape(prefix)),
        PathPattern::Template(segments) => segments
            .iter()
            .map(|segment| {
                segment
                    .as_deref()
                    .map_or_else(|| "/[^/?]+".to_owned(), |text| format!("/{}", regex::escape(text)))
            })
            .collect(),
    }
}
