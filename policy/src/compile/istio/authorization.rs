//! `AuthorizationPolicy`: who is admitted to what.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::attach;
use crate::model::{Operation, PathPattern};
use crate::resolve::{Grant, PeerDemand, Point, Resolved, ResolvedRule, TokenGrant};

/// `None` if nobody is admitted.
pub(super) fn spec(resolved: &Resolved, point: &Point, rules: &[&ResolvedRule]) -> Option<Value> {
    // A workload of a tier above Public admits nobody without a certificate, also where another object lets plain text in.
    let certificate_needed = !point.faces_outside() && resolved.requires_mutual_tls();
    let rules: Vec<Value> = rules
        .iter()
        .flat_map(|rule| istio_rules(rule, certificate_needed))
        .collect();
    (!rules.is_empty()).then(|| attach(point, json!({ "action": "ALLOW", "rules": rules })))
}

/// One rule of Istio's for each demand on the token: the principals that go with it stand together.
fn istio_rules(rule: &ResolvedRule, certificate_needed: bool) -> Vec<Value> {
    let mut groups: Vec<(Option<&TokenGrant>, BTreeSet<PeerDemand>)> = Vec::new();
    for Grant { peer, token } in &rule.grants {
        let peer = if certificate_needed && *peer == PeerDemand::None {
            PeerDemand::Any
        } else {
            peer.clone()
        };
        match groups.iter_mut().find(|(other, _)| *other == token.as_ref()) {
            Some((_, peers)) => drop(peers.insert(peer)),
            None => groups.push((token.as_ref(), BTreeSet::from([peer]))),
        }
    }
    groups
        .iter()
        .map(|(token, peers)| istio_rule(rule, *token, peers))
        .collect()
}

fn istio_rule(rule: &ResolvedRule, token: Option<&TokenGrant>, peers: &BTreeSet<PeerDemand>) -> Value {
    let mut istio = Map::new();
    if !peers.contains(&PeerDemand::None) {
        let principals: Vec<String> = peers.iter().filter_map(principal).collect();
        istio.insert("from".to_owned(), json!([{ "source": { "principals": principals } }]));
    }
    if !rule.operations.is_empty() {
        let to: Vec<Value> = rule
            .operations
            .iter()
            .map(|operation| json!({ "operation": istio_operation(operation) }))
            .collect();
        istio.insert("to".to_owned(), Value::Array(to));
    }
    if let Some(token) = token {
        istio.insert("when".to_owned(), Value::Array(conditions(token)));
    }
    Value::Object(istio)
}

fn principal(peer: &PeerDemand) -> Option<String> {
    match peer {
        PeerDemand::None => None,
        PeerDemand::Any => Some("*".to_owned()),
        PeerDemand::Is(id) => Some(id.principal()),
    }
}

fn conditions(token: &TokenGrant) -> Vec<Value> {
    let claim = |name: &str, values: Value| json!({ "key": format!("request.auth.claims[{name}]"), "values": values });
    let mut conditions = vec![
        claim("iss", json!([token.issuer])),
        claim("aud", json!(token.audiences)),
    ];
    conditions.extend(token.claims.iter().map(|(name, values)| claim(name, json!(values))));
    conditions
}

fn istio_operation(operation: &Operation) -> Value {
    let mut istio = Map::new();
    if !operation.methods.is_empty() {
        istio.insert("methods".to_owned(), json!(operation.methods));
    }
    if !operation.paths.is_empty() {
        let paths: Vec<String> = operation.paths.iter().flat_map(istio_paths).collect();
        istio.insert("paths".to_owned(), json!(paths));
    }
    Value::Object(istio)
}

fn istio_paths(pattern: &PathPattern) -> Vec<String> {
    match pattern {
        PathPattern::Exact(path) => vec![path.clone()],
        PathPattern::Prefix(prefix) if prefix.is_empty() => vec!["/*".to_owned()],
        PathPattern::Prefix(prefix) => vec![prefix.clone(), format!("{prefix}/*")],
        PathPattern::Template(segments) => {
            let segments = segments.iter().map(|segment| segment.as_deref().unwrap_or("{*}"));
            vec![segments.fold(String::new(), |path, segment| path + "/" + segment)]
        }
    }
}
