//! What `decide` says, case by case, on one policy that uses most of the language.
#![allow(clippy::unwrap_used, reason = "tests want to fail at once")]

use countersign_identity::SpiffeId;
use countersign_identity::testing::SigningKey;
use countersign_policy::decide::{Decision, Place, Refusal, Request, decide, explain};
use countersign_policy::resolve::Resolved;
use countersign_policy::world::{GatewayFacts, ServiceFacts};
use countersign_policy::{MapWorld, MeshSettings, ObjectName, parse, resolve_policy};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;

struct Shop {
    key: SigningKey,
    resolved: Resolved,
}

fn shop(spec: &Value) -> Shop {
    let key = SigningKey::generate("k1", Algorithm::ES256);
    let mut world = MapWorld::default();
    let payments = ObjectName::new("shop", "payments");
    let issuer = json!({ "external": {
        "issuer": "https://idp.example", "jwks": SigningKey::jwks(&[&key]), "maxTokenLifetime": "10m" } });
    world.services.insert(
        payments.clone(),
        ServiceFacts {
            selector: [("app".to_owned(), "payments".to_owned())].into(),
            waypoint: None,
        },
    );
    world.gateways.insert(
        payments.clone(),
        GatewayFacts {
            class: "istio".to_owned(),
        },
    );
    world
        .token_issuers
        .insert("corp".to_owned(), parse::token_issuer("corp", &issuer, &Value::Null));
    let web = ObjectName::new("shop", "web");
    world.service_identities.insert(
        web.clone(),
        parse::service_identity(
            web,
            &json!({ "serviceAccountName": "web" }),
            jiff::Timestamp::UNIX_EPOCH,
        ),
    );
    world
        .policies
        .insert(payments.clone(), parse::policy(payments.clone(), spec));
    let mesh = MeshSettings {
        trust_domain: "cluster.local".parse().unwrap(),
        root_namespace: "istio-system".to_owned(),
    };
    let resolved = resolve_policy(&payments, &world, &mesh).unwrap().unwrap();
    Shop { key, resolved }
}

fn full() -> Value {
    json!({
        "targetRefs": [{ "kind": "Service", "name": "payments" }],
        "credentials": { "mutualTls": {}, "jwt": [
            { "issuer": "corp", "audiences": ["payments"] },
            { "issuer": "corp", "audiences": ["payments"], "from": { "header": { "name": "X-Token" } } },
        ] },
        "rules": [
            { "name": "charge",
              "operations": [{ "methods": ["POST"], "paths": [{ "exact": "/v1/charges" }] }],
              "callers": [{ "serviceIdentity": { "name": "web" } }] },
            { "name": "refund",
              "operations": [{ "paths": [{ "template": "/v1/refunds/{id}" }] }],
              "callers": [{ "client": { "issuer": "corp", "id": "office" } }],
              "scopes": ["refund", "read"] },
        ],
    })
}

impl Shop {
    fn ask(&self, peer: Option<&str>, method: &str, target: &str, headers: &[(&str, String)]) -> Decision {
        let peer: Option<SpiffeId> = peer.map(|id| id.parse().unwrap());
        let headers: Vec<(String, String)> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let request = Request {
            peer: peer.as_ref(),
            method,
            target,
            headers: &headers,
        };
        decide(&[&self.resolved], Place::Workload, &request, NOW)
    }

    fn bearer(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({
            "iss": "https://idp.example", "sub": "x", "aud": "payments", "client_id": "office",
            "scope": "read refund", "iat": NOW, "exp": NOW + 300 });
        change(&mut claims);
        format!("Bearer {}", self.key.token(&claims))
    }
}

const WEB: Option<&str> = Some("spiffe://cluster.local/ns/shop/sa/web");
const OTHER: Option<&str> = Some("spiffe://cluster.local/ns/shop/sa/other");

fn admitted(rule: &str) -> Decision {
    Decision::Admitted {
        policy: "payments".to_owned(),
        rule: rule.to_owned(),
    }
}

#[test]
fn a_workload_is_known_by_its_certificate_alone() {
    let shop = shop(&full());
    assert_eq!(shop.ask(WEB, "POST", "/v1/charges?x=1", &[]), admitted("charge"));
    for (peer, method, target) in [
        (OTHER, "POST", "/v1/charges"),
        (Some("spiffe://other.example/ns/shop/sa/web"), "POST", "/v1/charges"),
        (WEB, "GET", "/v1/charges"),
        (WEB, "POST", "/v1/charges/"),
        (WEB, "POST", "/v1/Charges"),
    ] {
        let decision = shop.ask(peer, method, target, &[]);
        assert_eq!(
            decision,
            Decision::Refused(Refusal::NoRule),
            "{peer:?} {method} {target}"
        );
    }
    assert_eq!(
        shop.ask(None, "POST", "/v1/charges", &[]),
        Decision::Refused(Refusal::NoCertificate)
    );
    assert_eq!(
        shop.ask(WEB, "POST", "/v1//charges", &[]),
        Decision::Refused(Refusal::AmbiguousPath)
    );
}

#[test]
fn a_token_must_hold_all_that_is_asked_for() {
    let shop = shop(&full());
    let refund = |token: String| shop.ask(OTHER, "POST", "/v1/refunds/7", &[("Authorization", token)]);
    assert_eq!(refund(shop.bearer(|_| {})), admitted("refund"));
    assert_eq!(
        refund(shop.bearer(|claims| claims["aud"] = json!(["x", "payments"]))),
        admitted("refund")
    );
    assert_eq!(
        refund(shop.bearer(|claims| claims["scope"] = json!("refund"))),
        Decision::Refused(Refusal::NoRule)
    );
    assert_eq!(
        refund(shop.bearer(|claims| claims["client_id"] = json!("x"))),
        Decision::Refused(Refusal::NoRule)
    );
    assert!(matches!(
        refund(shop.bearer(|claims| claims["aud"] = json!("x"))),
        Decision::Refused(Refusal::Token(_))
    ));
    assert!(matches!(
        refund("Bearer x".to_owned()),
        Decision::Refused(Refusal::Token(_))
    ));
    assert_eq!(refund("Basic abc".to_owned()), Decision::Refused(Refusal::NoRule));
}

#[test]
fn a_bad_token_is_refused_also_where_none_is_asked_for() {
    let shop = shop(&full());
    let bad = shop.bearer(|claims| claims["exp"] = json!(NOW - 1000));
    let decision = shop.ask(WEB, "POST", "/v1/charges", &[("authorization", bad)]);
    assert!(matches!(decision, Decision::Refused(Refusal::Token(_))), "{decision}");
    let good = shop.bearer(|_| {});
    let two = [("authorization", good.clone()), ("x-token", good)];
    assert_eq!(
        shop.ask(WEB, "POST", "/v1/charges", &two),
        Decision::Refused(Refusal::TwoTokens)
    );
}

#[test]
fn dry_run_admits_nothing_of_its_own() {
    let mut spec = full();
    spec["mode"] = json!("DryRun");
    assert_eq!(
        shop(&spec).ask(WEB, "POST", "/v1/charges", &[]),
        Decision::Refused(Refusal::NoRule)
    );
}

#[test]
fn an_explanation_names_every_rule() {
    let shop = shop(&full());
    let peer: SpiffeId = WEB.unwrap().parse().unwrap();
    let request = Request {
        peer: Some(&peer),
        method: "POST",
        target: "/v1/charges",
        headers: &[],
    };
    let lines = explain(&[&shop.resolved], Place::Workload, &request, NOW);
    assert_eq!(
        lines,
        [
            "path /v1/charges; token: none",
            "payments/charge: admits",
            "payments/refund: no: another operation"
        ]
    );
}
