//! What many tests begin with: an issuer with clients of each kind, users who sign in at an identity provider of the test's own,
//! and what browsers and clients send.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unused_self, reason = "what a client sends reads as the world's")]

pub mod certificates;
pub mod upstream;

use countersign_identity::testing::SigningKey;
use countersign_tokens::directory::IssuerObject;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use url::Url;

use crate::rig::{ASSERTION_TYPE, ISSUER, Rig, Setup, Told, token_client, unique};
pub use upstream::Upstream;

pub const ORDERS: &str = "https://orders.example";
pub const STOCK: &str = "https://stock.example";
pub const PAYMENTS: &str = "https://payments.example";
pub const CATALOG: &str = "https://catalog.example";
pub const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// Where the confidential application is.
pub const APP: &str = "https://app.example/signed-in";
/// Where the application on a device is.
pub const PHONE: &str = "http://127.0.0.1/signed-in";
/// A verifier (RFC 7636 section 4.1): tests need no secret one.
pub const VERIFIER: &str = "a-verifier-of-the-test-which-is-long-enough-for-RFC-7636";

/// A workload that is one of the orders' API.
pub const CART: &str = "spiffe://cluster.local/ns/shop/sa/cart";

/// A workload that may have tokens for the orders, and for the payments.
pub const WORKLOADS: &str = r#"
---
apiVersion: countersign.dev/v1alpha1
kind: ServiceIdentity
metadata: {name: web, namespace: shop}
spec:
  serviceAccountName: web
  tokens:
  - tokenIssuer: shop
    audiences:
    - {audience: "https://orders.example", scopes: [orders.read]}
    - {audience: "https://payments.example", scopes: [pay]}
---
apiVersion: countersign.dev/v1alpha1
kind: ServiceIdentity
metadata: {name: cart, namespace: shop}
spec:
  serviceAccountName: cart
  tokens:
  - tokenIssuer: shop
    audiences:
    - {audience: "https://orders.example", scopes: [orders.read, orders.write]}
    - {audience: "https://stock.example", scopes: [stock.read]}
"#;

pub fn key() -> SigningKey {
    SigningKey::generate("one", Algorithm::ES256)
}

/// The issuer, with a place where users sign in.
pub struct World {
    pub rig: Rig,
    pub upstream: Upstream,
    /// The key of the clients `app` and `partner`.
    pub key: SigningKey,
    /// The key of the client `other`.
    pub other: SigningKey,
}

fn app(key: &SigningKey, redirect: &str) -> Value {
    json!({
        "authentication": {"privateKeyJwt": {"jwks": SigningKey::jwks(&[key])}},
        "grants": ["AuthorizationCode", "RefreshToken"],
        "redirectUris": [redirect],
        "audiences": [
            {"audience": ORDERS, "scopes": ["orders.read", "orders.write"]},
            {"audience": STOCK, "scopes": ["stock.read"]},
            {"audience": PAYMENTS, "scopes": ["pay"]},
        ],
    })
}

/// The clients.
fn clients(key: &SigningKey, other: &SigningKey) -> String {
    let audiences = json!([
        {"audience": ORDERS, "scopes": ["orders.read", "orders.write"]}, {"audience": STOCK, "scopes": ["stock.read"]},
    ]);
    let machine = |key: &SigningKey, grants: &[&str]| {
        json!({
            "authentication": {"privateKeyJwt": {"jwks": SigningKey::jwks(&[key])}},
            "grants": grants, "audiences": audiences,
        })
    };
    let phone = json!({
        "authentication": {"public": {}}, "grants": ["AuthorizationCode", "RefreshToken"],
        "redirectUris": [PHONE, "com.example.phone:/signed-in"], "audiences": audiences,
    });
    let mut pushing = app(key, APP);
    pushing["requirePushedAuthorizationRequests"] = true.into();
    [
        token_client("app", &app(key, APP)),
        token_client("other", &app(other, "https://other.example/signed-in")),
        token_client("pushing", &pushing),
        token_client("phone", &phone),
        token_client("partner", &machine(key, &["ClientCredentials", "JWTBearer"])),
        token_client("back", &machine(other, &["ClientCredentials", "TokenExchange"])),
    ]
    .concat()
}

impl World {
    pub async fn start() -> Self {
        Self::start_with("", Setup::default()).await
    }

    /// With more manifests, and a setup whose manifests come last.
    pub async fn start_with(managed: &str, setup: Setup) -> Self {
        let upstream = Upstream::start().await;
        let (key, other) = (key(), key());
        let sign_in = json!({
            "issuer": upstream.issuer, "clientId": "countersign", "clientSecretName": "upstream", "caBundle": upstream.ca,
        });
        // Of the orders, `back` and the cart are the API: they pass on what they are called with.
        let scopes = "scopes: [orders.read, orders.write]";
        let api = format!("{scopes}, introspectedBy: [shop/back, \"{CART}\"]");
        let manifests = format!(
            "{}    upstream: {sign_in}\n{managed}{}{WORKLOADS}{}",
            ISSUER.replace(scopes, &api),
            clients(&key, &other),
            setup.manifests
        );
        let secrets = vec![("upstream".to_owned(), upstream::SECRET.to_owned())];
        let rig = Rig::start(Setup {
            manifests,
            secrets,
            ..setup
        })
        .await;
        Self {
            rig,
            upstream,
            key,
            other,
        }
    }

    /// An assertion of a client, with the type that goes with it.
    pub fn proves(&self, client: &str) -> Vec<(&'static str, String)> {
        let key = if matches!(client, "shop/other" | "shop/back") {
            &self.other
        } else {
            &self.key
        };
        vec![
            (ASSERTION_TYPE.0, ASSERTION_TYPE.1.to_owned()),
            ("client_assertion", self.rig.assertion(key, client)),
        ]
    }

    /// Sends a form as a client, which proves itself unless it is public.
    pub async fn post_as(&self, client: &str, path: &str, form: &[(&str, &str)]) -> Told {
        let proof = if client == "shop/phone" {
            vec![("client_id", client.to_owned())]
        } else {
            self.proves(client)
        };
        let mut all: Vec<(&str, &str)> = proof.iter().map(|(name, value)| (*name, value.as_str())).collect();
        all.extend_from_slice(form);
        self.rig.post(path, &all).await
    }

    /// The same with a proof of possession, with the nonce that it needs.
    pub async fn post_bound(&self, client: &str, path: &str, form: &[(&str, &str)], key: &SigningKey) -> Told {
        let proof = if client == "shop/phone" {
            vec![("client_id", client.to_owned())]
        } else {
            self.proves(client)
        };
        let mut all: Vec<(&str, &str)> = proof.iter().map(|(name, value)| (*name, value.as_str())).collect();
        all.extend_from_slice(form);
        let nonce = self.rig.nonce(key).await;
        let dpop = self.rig.proof(key, path, Some(&nonce));
        self.rig.send(&self.rig.http, path, &all, &[("dpop", &dpop)]).await
    }

    /// A token by `client_credentials`.
    pub async fn token(&self, client: &str, audience: &str) -> Told {
        let form = [("grant_type", "client_credentials"), ("resource", audience)];
        self.post_as(client, "/token", &form).await
    }

    /// What an authorization request of a client has. Later pairs take the place of earlier ones; an empty value leaves one out.
    pub fn request(&self, client: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let redirect = if client == "shop/phone" { PHONE } else { APP };
        let challenge = countersign_identity::pkce::challenge(VERIFIER).unwrap();
        let mut all: Vec<(String, String)> = [
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", redirect),
            ("state", "the client's state"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("resource", ORDERS),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        for (name, value) in more {
            all.retain(|(one, _)| one != name);
            if !value.is_empty() {
                all.push(((*name).to_owned(), (*value).to_owned()));
            }
        }
        all
    }

    /// A browser at the authorization endpoint.
    pub async fn authorize(&self, client: &str, more: &[(&str, &str)]) -> Visit {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(self.request(client, more))
            .finish();
        self.visit(&format!("/authorize?{query}"), None).await
    }

    /// A browser at any page of the issuer's.
    pub async fn visit(&self, path: &str, cookie: Option<&str>) -> Visit {
        let mut request = self.rig.http.get(self.rig.url(path));
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        Visit::of(request.send().await.unwrap()).await
    }

    /// A user signs in and the browser comes back, to end at the client.
    pub async fn sign_in(&self, begun: &Visit, user: &str) -> Visit {
        let query = self.upstream.signs_in(begun.to(), user);
        let cookie = begun.cookie.as_deref();
        self.visit(&format!("/callback?{query}"), cookie).await
    }

    /// A code for a client.
    pub async fn code(&self, client: &str, more: &[(&str, &str)]) -> String {
        let begun = self.authorize(client, more).await;
        let ended = self.sign_in(&begun, "alice").await;
        ended.parameter("code").unwrap_or_else(|| panic!("no code: {ended:?}"))
    }

    /// What a code is worth to a client.
    pub async fn redeem(&self, client: &str, code: &str, more: &[(&str, &str)]) -> Told {
        let form = redemption(client, code);
        let mut form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for (name, value) in more {
            form.retain(|(one, _)| one != name);
            if !value.is_empty() {
                form.push((name, value));
            }
        }
        self.post_as(client, "/token", &form).await
    }

    /// The tokens that a client gets for a user.
    pub async fn tokens(&self, client: &str) -> Told {
        let code = self.code(client, &[]).await;
        self.redeem(client, &code, &[]).await
    }

    pub async fn refresh(&self, client: &str, token: &str, more: &[(&str, &str)]) -> Told {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
        form.extend_from_slice(more);
        self.post_as(client, "/token", &form).await
    }

    /// Whether a token is worth anything, to the client that has it.
    pub async fn is_live(&self, client: &str, token: &str) -> bool {
        let told = self.post_as(client, "/introspect", &[("token", token)]).await;
        assert_eq!(told.status, 200, "{told:?}");
        told.body["active"] == true
    }

    /// An exchange by a client.
    pub async fn exchange_as(&self, client: &str, subject: &str, more: &[(&str, &str)]) -> Told {
        let mut form = exchange(subject);
        form.extend_from_slice(more);
        self.post_as(client, "/token", &form).await
    }
}

/// An exchange of a token.
pub fn exchange(subject: &str) -> Vec<(&str, &str)> {
    vec![
        ("grant_type", EXCHANGE),
        ("subject_token", subject),
        ("subject_token_type", JWT),
    ]
}

/// The form by which a code is redeemed.
pub fn redemption(client: &str, code: &str) -> Vec<(&'static str, String)> {
    let redirect = if client == "shop/phone" { PHONE } else { APP };
    vec![
        ("grant_type", "authorization_code".to_owned()),
        ("code", code.to_owned()),
        ("code_verifier", VERIFIER.to_owned()),
        ("redirect_uri", redirect.to_owned()),
    ]
}

/// An outside issuer, `ci`, whose tokens with these claims are a client's.
pub struct Outside {
    pub key: SigningKey,
}

impl Outside {
    pub fn new() -> Self {
        Self {
            key: SigningKey::generate("ci", Algorithm::RS256),
        }
    }

    pub fn manifests(&self) -> String {
        let issuer = json!({
            "apiVersion": "countersign.dev/v1alpha1", "kind": "TokenIssuer", "metadata": {"name": "ci"},
            "spec": {"external": {
                "issuer": "https://ci.example", "jwks": SigningKey::jwks(&[&self.key]), "maxTokenLifetime": "10m",
            }},
        });
        let client = json!({
            "authentication": {"federated": [
                {"tokenIssuer": "ci", "audience": "countersign", "claims": {"sub": "repo:acme/shop", "ref": "main"}},
            ]},
            "grants": ["TokenExchange"],
            "audiences": [{"audience": ORDERS, "scopes": ["orders.read"]}],
        });
        format!("\n---\n{issuer}{}", token_client("deploys", &client))
    }

    pub fn claims(&self, rig: &Rig) -> Value {
        let now = rig.now();
        json!({
            "iss": "https://ci.example", "sub": "repo:acme/shop", "ref": "main", "aud": "countersign",
            "iat": now, "exp": now + 300, "jti": unique(),
        })
    }

    /// A token as CI systems make it.
    pub fn token(&self, claims: &Value) -> String {
        self.key.assertion(claims)
    }
}

/// Adds an issuer to what users wrote.
pub fn issuer_object(name: &str, spec: Value) -> IssuerObject {
    IssuerObject {
        name: name.to_owned(),
        spec,
        status: Value::Null,
    }
}

/// What a browser was told.
#[derive(Debug)]
pub struct Visit {
    pub status: reqwest::StatusCode,
    pub location: Option<Url>,
    pub cookie: Option<String>,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Visit {
    /// Of an answer.
    pub async fn of(response: reqwest::Response) -> Self {
        let headers = response.headers().clone();
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let cookie = text("set-cookie").map(|cookie| cookie.split(';').next().unwrap().to_owned());
        Self {
            status: response.status(),
            location: text("location").map(|to| to.parse().unwrap()),
            cookie,
            body: response.text().await.unwrap(),
            headers,
        }
    }

    /// Where it was sent to.
    pub fn to(&self) -> &Url {
        self.location.as_ref().unwrap_or_else(|| panic!("nowhere: {self:?}"))
    }

    /// A parameter of where it was sent to.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let found = self.location.as_ref()?.query_pairs().find(|(one, _)| one == name);
        found.map(|(_, value)| value.into_owned())
    }

    /// Panics unless the client is told so, by way of the browser.
    pub fn tells_the_client(&self, error: &str) {
        assert_eq!(self.status, 303, "{self:?}");
        assert_eq!(self.parameter("error").as_deref(), Some(error), "{self:?}");
        assert_eq!(self.parameter("code"), None);
    }

    /// Panics unless it was sent nowhere.
    pub fn stays(&self) {
        assert!(self.location.is_none(), "{self:?}");
        assert_eq!(self.status, 400, "{self:?}");
    }
}
