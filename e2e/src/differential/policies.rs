//! Policies by chance: mostly such as are accepted, and use all of the language.

use rand::RngExt as Rng;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};

use super::place::Target;
use super::world::WORKLOADS;

pub(super) const AUDIENCES: [&str; 4] = ["api", "batch-api", "https://api.example/v1", "urn:x:y"];
pub(super) const SCOPES: [&str; 4] = ["read", "write", "admin:all", "a/b.c"];
pub(super) const CLIENTS: [&str; 3] = ["office", "mobile-app", "https://client.example"];
pub(super) const GROUPS: [&str; 3] = ["finance", "on call", "dev"];
pub(super) const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "OPTIONS"];
const SEGMENTS: [&str; 7] = ["v1", "refunds", "a", "A", "x.y", "user@host", "~me"];
const ISSUERS: [&str; 2] = ["corp", "partner"];

fn one<'a>(random: &mut impl Rng, from: &[&'a str]) -> &'a str {
    from.choose(random).copied().unwrap_or_default()
}

fn some(random: &mut impl Rng, from: &[&str], most: usize) -> Vec<String> {
    let count = random.random_range(1..=most);
    from.sample(random, count).map(|text| (*text).to_owned()).collect()
}

pub(super) fn generate(random: &mut impl Rng, target: &Target) -> Value {
    let sensitivity = if target.is_gateway() {
        one(random, &["Public", "Internal", "Sensitive", "Sensitive"])
    } else {
        one(random, &["Public", "Internal", "Sensitive", "Sensitive", "Critical"])
    };
    // Critical takes no tokens yet.
    let sources = if sensitivity == "Critical" {
        0
    } else {
        random.random_range(0..=2)
    };
    let jwt: Vec<Value> = (0..sources).map(|_| source(random)).collect();
    let issuers: Vec<&str> = jwt.iter().filter_map(|source| source["issuer"].as_str()).collect();
    let mutual_tls = !target.is_gateway() && (issuers.is_empty() || random.random_ratio(3, 4));
    let count = random.random_range(0..=4);
    let rules: Vec<Value> = (0..count)
        .filter_map(|at| rule(random, at, sensitivity, &issuers, mutual_tls))
        .collect();
    let mut spec = json!({ "sensitivity": sensitivity, "credentials": { "jwt": jwt }, "rules": rules });
    if mutual_tls {
        spec["credentials"]["mutualTls"] = json!({});
    }
    spec["targetRefs"] = if target.is_gateway() {
        json!([{ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": target.name() }])
    } else {
        json!([{ "kind": "Service", "name": target.name() }])
    };
    if random.random_ratio(1, 20) {
        spec["mode"] = json!("DryRun");
    }
    if random.random_ratio(1, 20) {
        spec["unknown"] = json!(true);
    }
    spec
}

fn source(random: &mut impl Rng) -> Value {
    let mut source = json!({ "issuer": one(random, &ISSUERS), "audiences": some(random, &AUDIENCES, 2) });
    match random.random_range(0..6) {
        0 => source["from"] = json!({ "header": { "name": "X-Token" } }),
        1 => source["from"] = json!({ "header": { "name": "x-prefixed", "prefix": "Tok " } }),
        _ => {}
    }
    source
}

fn rule(random: &mut impl Rng, at: usize, sensitivity: &str, issuers: &[&str], mutual_tls: bool) -> Option<Value> {
    let name = format!("rule-{at}");
    let count = random.random_range(0..=2);
    let operations: Vec<Value> = (0..count).map(|_| operation(random)).collect();
    if sensitivity == "Public" && !operations.is_empty() && random.random_ratio(1, 3) {
        return Some(json!({ "name": name, "operations": operations, "unauthenticated": true,
                            "rateLimit": { "requests": 1_000_000, "per": "1s" } }));
    }
    let count = random.random_range(1..=3);
    let callers: Vec<Value> = (0..count).filter_map(|_| caller(random, issuers, mutual_tls)).collect();
    if callers.is_empty() {
        return None;
    }
    let mut rule =
        json!({ "name": name, "operations": operations, "callers": callers, "waive": ["ProofOfPossession"] });
    let needed = matches!(sensitivity, "Sensitive") && !issuers.is_empty();
    if !issuers.is_empty() && (needed || random.random_bool(0.5)) {
        rule["scopes"] = json!(some(random, &SCOPES, 2));
    }
    Some(rule)
}

fn caller(random: &mut impl Rng, issuers: &[&str], mutual_tls: bool) -> Option<Value> {
    let mut caller = json!({});
    if mutual_tls && random.random_bool(0.6) {
        // Sometimes one that does not exist: it admits nobody.
        let name = if random.random_ratio(1, 10) {
            "nobody"
        } else {
            one(random, &WORKLOADS)
        };
        caller["serviceIdentity"] = json!({ "name": name });
    }
    if let Some(issuer) = issuers.choose(random).filter(|_| random.random_bool(0.6)) {
        let client = random.random_bool(0.6);
        if client {
            caller["client"] = json!({ "issuer": issuer, "id": one(random, &CLIENTS) });
        }
        if !client || random.random_bool(0.3) {
            let mut require = vec![json!({ "name": "groups", "values": some(random, &GROUPS, 2) })];
            if random.random_ratio(1, 4) {
                require.push(json!({ "name": "https://claims.example/role", "values": ["admin"] }));
            }
            caller["claims"] = json!({ "issuer": issuer, "require": require });
        }
    }
    if caller == json!({}) {
        return (mutual_tls || !issuers.is_empty()).then(|| json!({ "anyAuthenticated": true }));
    }
    Some(caller)
}

fn operation(random: &mut impl Rng) -> Value {
    let mut operation = json!({});
    if random.random_bool(0.5) {
        operation["methods"] = json!(some(random, &METHODS, 3));
    }
    if operation == json!({}) || random.random_bool(0.8) {
        let count = random.random_range(1..=2);
        operation["paths"] = json!((0..count).map(|_| path(random)).collect::<Vec<_>>());
    }
    operation
}

fn path(random: &mut impl Rng) -> Value {
    let count = random.random_range(1..=4);
    let segments: Vec<&str> = (0..count).map(|_| one(random, &SEGMENTS)).collect();
    let plain = format!("/{}", segments.join("/"));
    match random.random_range(0..8) {
        0 => json!({ "prefix": "/" }),
        1 | 2 => json!({ "prefix": plain }),
        3 => json!({ "prefix": format!("{plain}/") }),
        4 | 5 => {
            let variable = random.random_range(0..segments.len());
            let all = random.random_ratio(1, 4);
            let segments: Vec<String> = segments
                .iter()
                .enumerate()
                .map(|(at, text)| {
                    if at == variable || all {
                        format!("{{v{at}}}")
                    } else {
                        (*text).to_owned()
                    }
                })
                .collect();
            json!({ "template": format!("/{}", segments.join("/")) })
        }
        6 => json!({ "exact": format!("{plain}/") }),
        _ => json!({ "exact": plain }),
    }
}
