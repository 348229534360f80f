//! The requests of the demo, each with what is to come of it.

use serde_json::{Value, json};

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A Pod of this service, in the namespace of the same name.
    Pod(&'static str),
    /// Somebody on the node, without a certificate.
    Node,
    /// Somebody outside, through the gateway.
    Outside,
}

impl Caller {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pod(service) => service,
            Self::Node => "the node",
            Self::Outside => "outside",
        }
    }
}

/// What token a request carries.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// None.
    None,
    /// A good one, with these claims beside the usual ones; a claim that is null is left out.
    Good(Value),
    /// One that another key signed.
    Forged(Value),
    /// One without a signature.
    Unsigned(Value),
    /// One with the public key for a shared secret.
    PublicKeyAsSecret(Value),
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) caller: Caller,
    pub(crate) service: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) token: Token,
    pub(crate) note: &'static str,
    pub(crate) admitted: bool,
}

impl Case {
    /// The credential, for people.
    pub(crate) fn credential(&self) -> String {
        let certificate = matches!(self.caller, Caller::Pod(_)).then_some("certificate");
        let token = (self.token != Token::None).then_some("token");
        let kinds: Vec<&str> = certificate.into_iter().chain(token).collect();
        let kinds = if kinds.is_empty() {
            "none".to_owned()
        } else {
            kinds.join(" + ")
        };
        if self.note.is_empty() {
            kinds
        } else {
            format!("{kinds}, {}", self.note)
        }
    }

    pub(crate) fn host_name(&self) -> &'static str {
        if self.caller == Caller::Outside {
            "api.shop.example"
        } else {
            self.service
        }
    }
}

fn pod(from: &'static str, service: &'static str, method: &'static str, path: &'static str, admitted: bool) -> Case {
    Case {
        caller: Caller::Pod(from),
        service,
        method,
        path,
        token: Token::None,
        note: "",
        admitted,
    }
}

fn with(mut case: Case, token: Token, note: &'static str) -> Case {
    (case.token, case.note) = (token, note);
    case
}

fn outside(service: &'static str, method: &'static str, path: &'static str, admitted: bool) -> Case {
    Case {
        caller: Caller::Outside,
        service,
        method,
        path,
        token: Token::None,
        note: "",
        admitted,
    }
}

fn node(service: &'static str, method: &'static str, path: &'static str, admitted: bool) -> Case {
    Case {
        caller: Caller::Node,
        service,
        method,
        path,
        token: Token::None,
        note: "plain text",
        admitted,
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    [east_west(), refunds(), open_and_dry(), north_south()].concat()
}

fn east_west() -> Vec<Case> {
    vec![
        pod("fraud-detection", "payments", "POST", "/v1/charges/7/hold", true),
        pod("fraud-detection", "payments", "GET", "/v1/charges/7", true),
        pod("fraud-detection", "payments", "DELETE", "/v1/charges/7", false),
        pod("fraud-detection", "payments", "POST", "/v1/charges/7/delete", false),
        with(
            pod("fraud-detection", "payments", "GET", "/v1/charges%2F7", false),
            Token::None,
            "ambiguous path",
        ),
        pod("user-profile", "payments", "POST", "/v1/charges/7/hold", false),
        node("payments", "GET", "/v1/charges/7", false),
        pod("payments", "user-profile", "GET", "/v1/profiles/7", true),
        pod("catalogue", "user-profile", "GET", "/v1/profiles/7", false),
    ]
}

fn refunds() -> Vec<Case> {
    let refund = |from, admitted| pod(from, "payments", "POST", "/v1/refunds", admitted);
    let office = |scope: &str, audience: &str| {
        Token::Good(json!({ "client_id": "back-office", "scope": scope, "aud": audience }))
    };
    let here = "https://payments.shop.example";
    vec![
        with(
            refund("user-profile", true),
            office("payments.refund", here),
            "back office",
        ),
        refund("user-profile", false),
        with(
            refund("user-profile", false),
            office("payments.read", here),
            "without the scope",
        ),
        with(
            refund("user-profile", false),
            office("payments.refund", "https://other.example"),
            "other audience",
        ),
        with(
            refund("fraud-detection", false),
            office("payments.refund", here),
            "another workload",
        ),
    ]
}

fn open_and_dry() -> Vec<Case> {
    vec![
        pod("payments", "catalogue", "GET", "/v1/products", true),
        node("catalogue", "GET", "/v1/products/7", true),
        node("catalogue", "DELETE", "/v1/products/7", false),
        pod("user-profile", "catalogue", "POST", "/v1/products/7/ratings", true),
        pod("payments", "catalogue", "POST", "/v1/products/7/ratings", false),
        pod("payments", "fraud-detection", "POST", "/v1/scores", true),
        with(
            pod("catalogue", "fraud-detection", "GET", "/v1/scores", true),
            Token::None,
            "dry run",
        ),
    ]
}

fn north_south() -> Vec<Case> {
    let pay = |admitted| outside("payments", "POST", "/v1/charges", admitted);
    let claims = json!({ "client_id": "shop-app", "scope": "charges.write", "aud": "https://api.shop.example" });
    let changed = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        Token::Good(claims)
    };
    let profile = |admitted| outside("user-profile", "GET", "/v1/profiles/7", admitted);
    let reader = json!({ "role": "customer", "scope": "profiles.read", "aud": "https://api.shop.example" });
    vec![
        with(pay(true), Token::Good(claims.clone()), "of the shop's app"),
        pay(false),
        with(pay(false), changed("client_id", json!("other-app")), "of another app"),
        with(pay(false), changed("scope", json!("charges.read")), "without the scope"),
        with(
            pay(false),
            changed("aud", json!("https://other.example")),
            "other audience",
        ),
        with(
            pay(false),
            changed("iss", json!("https://idp.evil.example")),
            "other issuer",
        ),
        with(pay(false), changed("exp", json!(1)), "expired"),
        with(pay(false), changed("exp", Value::Null), "without expiry"),
        with(pay(false), Token::Forged(claims.clone()), "signed with another key"),
        with(pay(false), Token::Unsigned(claims.clone()), "alg none"),
        with(
            pay(false),
            Token::PublicKeyAsSecret(claims),
            "HS256 with the public key",
        ),
        with(profile(true), Token::Good(reader.clone()), "of a customer"),
        with(
            outside("payments", "DELETE", "/v1/charges", false),
            Token::Good(reader),
            "other operation",
        ),
        profile(false),
    ]
}
