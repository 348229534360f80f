//! Requests by chance: half of them aim at a rule, and many are hostile.

use countersign_identity::testing::{SigningKey, hmac_token, unsigned_token};
use rand::RngExt as Rng;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};

use super::judge::{Case, now};
use super::place::{Peer, Place};
use super::policies::{AUDIENCES, CLIENTS, GROUPS, METHODS, SCOPES};
use super::world::{Scenario, TokenMaker, WORKLOADS};

pub(super) fn generate(random: &mut impl Rng, place: &Place, scenario: &Scenario, target: usize) -> Case {
    let specs = &scenario.specs[target];
    let spec = specs.choose(random).unwrap_or(&Value::Null);
    let rules = spec["rules"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rule = rules
        .choose(random)
        .filter(|_| random.random_bool(0.85))
        .unwrap_or(&Value::Null);
    let caller = rule["callers"]
        .as_array()
        .and_then(|callers| callers.choose(random))
        .unwrap_or(&Value::Null);
    let (method, mut path) = operation(random, rule);
    let mut note = Vec::new();
    if random.random_bool(0.35) {
        let (hostile, what) = disturb(random, &path);
        path = hostile;
        note.push(what.to_owned());
    }
    let mut headers = Vec::new();
    if let Some(source) = spec["credentials"]["jwt"].as_array().and_then(|jwt| jwt.choose(random))
        && random.random_bool(0.85)
    {
        let wanted = caller["client"]["issuer"]
            .as_str()
            .or(caller["claims"]["issuer"].as_str());
        let sources = spec["credentials"]["jwt"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let source = sources
            .iter()
            .find(|source| source["issuer"].as_str() == wanted)
            .unwrap_or(source);
        tokens(random, place, source, rule, caller, &mut headers, &mut note);
    }
    if random.random_ratio(1, 15) {
        note.push("preflight".to_owned());
        headers.push(("Origin".to_owned(), "https://shop.example".to_owned()));
        headers.push(("Access-Control-Request-Method".to_owned(), "GET".to_owned()));
    }
    let peer = if place.targets[target].is_gateway() {
        Peer::PlainText
    } else {
        peer(random, caller)
    };
    Case {
        target,
        peer,
        method,
        path,
        headers,
        note: note.join(", "),
    }
}

fn peer(random: &mut impl Rng, caller: &Value) -> Peer {
    let named = WORKLOADS
        .iter()
        .find(|name| caller["serviceIdentity"]["name"] == **name);
    let workload = named.or_else(|| WORKLOADS.choose(random)).copied().unwrap_or("web");
    match random.random_range(0..20) {
        0 => Peer::PlainText,
        1 => Peer::Foreign(workload),
        2 => Peer::Expired(workload),
        3 | 4 => Peer::Workload("stranger"),
        5 => Peer::Workload(WORKLOADS.choose(random).copied().unwrap_or("web")),
        _ => Peer::Workload(workload),
    }
}

fn operation(random: &mut impl Rng, rule: &Value) -> (String, String) {
    let operation = rule["operations"]
        .as_array()
        .and_then(|list| list.choose(random))
        .unwrap_or(&Value::Null);
    let method = operation["methods"]
        .as_array()
        .and_then(|list| list.choose(random))
        .and_then(Value::as_str);
    let method = method
        .filter(|_| random.random_bool(0.85))
        .or_else(|| METHODS.choose(random).copied());
    let pattern = operation["paths"]
        .as_array()
        .and_then(|list| list.choose(random))
        .unwrap_or(&Value::Null);
    let path = if let Some(exact) = pattern["exact"].as_str() {
        exact.to_owned()
    } else if let Some(prefix) = pattern["prefix"].as_str() {
        let tails = ["", "/", "/x", "/x/y", "x"];
        let prefix = if random.random_bool(0.5) {
            prefix.trim_end_matches('/')
        } else {
            prefix
        };
        format!("{prefix}{}", tails.choose(random).unwrap_or(&""))
    } else if let Some(template) = pattern["template"].as_str() {
        let values = [
            "7",
            "a-b",
            "user@host",
            "a%20b",
            "a,b",
            "a*b",
            "[x]",
            "it's",
            "a|b",
            "%C3%A9",
            "",
        ];
        let fill = |segment: &str| {
            if segment.starts_with('{') {
                values.choose(random).unwrap_or(&"7")
            } else {
                segment
            }
            .to_owned()
        };
        template.split('/').map(fill).collect::<Vec<_>>().join("/")
    } else {
        ["/", "/v1", "/v1/refunds/7", "/other"]
            .choose(random)
            .copied()
            .unwrap_or("/")
            .to_owned()
    };
    let path = if path.starts_with('/') {
        path
    } else {
        format!("/{path}")
    };
    (method.unwrap_or("GET").to_owned(), path)
}

/// Ways to write a path so that servers disagree on it.
fn disturb(random: &mut impl Rng, path: &str) -> (String, &'static str) {
    let insert = |random: &mut dyn FnMut(usize) -> usize, text: &str| {
        let slashes: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
        let at = slashes[random(slashes.len())];
        format!("{}{text}{}", &path[..at], &path[at..])
    };
    let mut below = |limit: usize| random.random_range(0..limit);
    match below(25) {
        0 => (insert(&mut below, "/."), "dot segment"),
        1 => (insert(&mut below, "/x/.."), "dot-dot segment"),
        2 => (insert(&mut below, "/x/%2e%2E"), "escaped dot-dot segment"),
        3 => (insert(&mut below, "/"), "doubled slash"),
        4 => (insert(&mut below, "/x%2F.."), "escaped slash and dot-dot"),
        5 => (insert(&mut below, ";a=b"), "semicolon"),
        6 => (insert(&mut below, "\\x\\.."), "backslashes"),
        7 => (path.replacen('/', "%2f", 2).replacen("%2f", "/", 1), "escaped slash"),
        8 => (
            path.replacen('/', "%2F", 2).replacen("%2F", "/", 1),
            "escaped slash, capitals",
        ),
        9 => (path.replace('v', "%76").replace('a', "%61"), "escaped letters"),
        10 => (path.replace('v', "%56"), "escaped capital"),
        11 => (format!("{path}%c0%af.."), "overlong slash"),
        12 => (format!("{path}%E0%80%AF"), "overlong slash of three bytes"),
        13 => (format!("{path}%00"), "escaped zero"),
        14 => (format!("{path}%"), "half an escape"),
        15 => (format!("{path}%zz"), "no escape"),
        16 => (format!("{path}%252e%252e"), "escaped percent"),
        17 => (format!("{path}?x=/../%2F;//"), "query"),
        18 => (format!("{path}/"), "slash at the end"),
        19 => (format!("{path}/{}", "a".repeat(4000)), "long"),
        20 => (path.to_ascii_uppercase(), "capitals"),
        21 => (format!("{path}\"<>^`{{|}}"), "characters that need an escape"),
        22 => (format!("{path}#fragment"), "fragment"),
        23 => (format!("http://elsewhere{path}"), "absolute form"),
        _ => (format!("{path}/../../../v1"), "up to the root"),
    }
}

/// Adds one token, or sometimes two, good or bad.
fn tokens(
    random: &mut impl Rng,
    place: &Place,
    source: &Value,
    rule: &Value,
    caller: &Value,
    headers: &mut Vec<(String, String)>,
    note: &mut Vec<String>,
) {
    let Some(maker) = place.issuers.iter().find(|maker| source["issuer"] == maker.name) else {
        return;
    };
    let claims = claims(random, maker, source, rule, caller);
    let (token, what) = token(random, maker, claims);
    note.push(what.to_owned());
    let header = &source["from"]["header"];
    let name = header["name"].as_str().unwrap_or("Authorization");
    let prefix = if header.is_null() {
        "Bearer "
    } else {
        header["prefix"].as_str().unwrap_or_default()
    };
    match random.random_range(0..20) {
        0 => {
            note.push("twice".to_owned());
            headers.push((name.to_owned(), format!("{prefix}{token}")));
            headers.push((name.to_owned(), format!("{prefix}{token}")));
        }
        1 => {
            note.push("in two headers".to_owned());
            headers.push(("X-Token".to_owned(), token.clone()));
            headers.push(("Authorization".to_owned(), format!("Bearer {token}")));
        }
        2 => {
            note.push("prefix in small letters".to_owned());
            headers.push((name.to_owned(), format!("{}{token}", prefix.to_ascii_lowercase())));
        }
        3 => {
            note.push("something before the prefix".to_owned());
            headers.push((name.to_owned(), format!("Basic YQ==, {prefix}{token}")));
        }
        4 => {
            note.push("something after the token".to_owned());
            headers.push((name.to_owned(), format!("{prefix}{token}, x")));
        }
        _ => headers.push((name.to_ascii_lowercase(), format!("{prefix}{token}"))),
    }
}

fn claims(random: &mut impl Rng, maker: &TokenMaker, source: &Value, rule: &Value, caller: &Value) -> Value {
    let now = now();
    let audience = source["audiences"]
        .as_array()
        .and_then(|list| list.choose(random))
        .cloned();
    let mut claims = json!({
        "iss": maker.id, "sub": "subject", "iat": now, "exp": now + 600,
        "aud": audience.unwrap_or_else(|| json!(AUDIENCES[0])),
    });
    let scopes: Vec<&str> = rule["scopes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut held = scopes.clone();
    held.extend(SCOPES.choose(random));
    claims["scope"] = json!(held.join(" "));
    let client = caller["client"]["id"]
        .as_str()
        .or_else(|| CLIENTS.choose(random).copied());
    claims[maker.client_claim] = json!(client);
    for requirement in caller["claims"]["require"].as_array().into_iter().flatten() {
        if let (Some(name), Some(value)) = (
            requirement["name"].as_str(),
            requirement["values"].as_array().and_then(|v| v.choose(random)),
        ) {
            claims[name] = if random.random_bool(0.5) {
                json!([value, "other"])
            } else {
                value.clone()
            };
        }
    }
    // Small changes, which often take away what the rule asks for.
    match random.random_range(0..16) {
        0 => claims["scope"] = json!(scopes),
        1 => claims["scope"] = json!(scopes.first()),
        2 => claims["scope"] = Value::Null,
        3 => claims["aud"] = json!(["other", claims["aud"]]),
        4 => claims["groups"] = json!(GROUPS.choose(random)),
        5 => claims["groups"] = json!({ "finance": true }),
        6 => claims["sub"] = Value::Null,
        7 => claims["nbf"] = json!(now - 10),
        8 => claims[maker.client_claim] = json!([CLIENTS[0]]),
        _ => {}
    }
    if let Some(map) = claims.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
    claims
}

fn token(random: &mut impl Rng, maker: &TokenMaker, mut claims: Value) -> (String, &'static str) {
    let now = now();
    let key = &maker.key;
    let sign = |claims: &Value| key.token(claims);
    let algorithm = format!("{:?}", key.algorithm);
    match random.random_range(0..44) {
        0 => (maker.stranger.token(&claims), "token of another key"),
        1 => (unsigned_token(&claims), "alg none"),
        2 => (
            hmac_token(SigningKey::jwks(&[key]).as_bytes(), "k1", &claims),
            "HS256 with the public key",
        ),
        3 => with(&mut claims, "aud", json!("other"), sign, "another audience"),
        4 => with(&mut claims, "aud", Value::Null, sign, "no audience"),
        5 => with(
            &mut claims,
            "iss",
            json!("https://evil.example"),
            sign,
            "another issuer",
        ),
        6 => with(&mut claims, "iss", Value::Null, sign, "no issuer"),
        7 => with(&mut claims, "exp", Value::Null, sign, "no expiry"),
        8 => with(&mut claims, "exp", json!(0), sign, "expiry zero"),
        9 => with(
            &mut claims,
            "exp",
            json!((now + 600).to_string()),
            sign,
            "expiry as text",
        ),
        10 => with(
            &mut claims,
            "exp",
            json!((now + 600) * 1000),
            sign,
            "expiry in milliseconds",
        ),
        11 => with(&mut claims, "exp", json!(now - 200), sign, "expired"),
        12 => with(&mut claims, "nbf", json!(now + 200), sign, "not yet valid"),
        13 => (
            key.token_with_header(&json!({ "alg": algorithm, "kid": "other" }), &claims),
            "unknown kid",
        ),
        14 => (key.token_with_header(&json!({ "alg": algorithm }), &claims), "no kid"),
        15 => (
            key.token_with_header(&json!({ "alg": "RS512", "kid": "k1" }), &claims),
            "another alg",
        ),
        16 => ("garbage".to_owned(), "garbage"),
        17 => (format!("{}x", sign(&claims)), "a character too many"),
        18 => with(&mut claims, "exp", json!(-5), sign, "expiry below zero"),
        19 => {
            let now = f64::from(u32::try_from(now + 600).unwrap_or(u32::MAX));
            with(&mut claims, "exp", json!(now + 0.5), sign, "expiry with a fraction")
        }
        20 => (with_unused_bits(&sign(&claims)), "signature with unused bits set"),
        _ => (sign(&claims), "good token"),
    }
}

/// The same bytes, written with another last character where its last bits are not used.
fn with_unused_bits(token: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (start, last) = token.split_at(token.len() - 1);
    let at = ALPHABET.find(last).unwrap_or_default() | 1;
    format!("{start}{}", &ALPHABET[at..=at])
}

fn with(
    claims: &mut Value,
    name: &str,
    value: Value,
    sign: impl Fn(&Value) -> String,
    what: &'static str,
) -> (String, &'static str) {
    claims[name] = value;
    if let Some(map) = claims.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
    (sign(claims), what)
}
