//! What is sent: whole requests, as they go over the wire.

use countersign_identity::testing::SigningKey;
use countersign_runtime::clock;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::rig::{self, token_client};

/// An API whose tokens are JWTs, and one whose tokens are opaque.
pub const ORDERS: &str = "https://orders.example";
pub const STOCK: &str = "https://stock.example";
/// The client.
pub const CLIENT: &str = "shop/partner";
/// An issuer outside.
const OUTSIDE: &str = "https://ci.example";

/// An issuer where users sign in, too, so that it gives refresh tokens.
const ISSUER: &str = r#"
apiVersion: countersign.dev/v1alpha1
kind: TokenIssuer
metadata: {name: shop}
spec:
  managed:
    issuer: ${ISSUER}
    upstream: {issuer: "https://login.example", clientId: countersign}
    audiences:
    - {audience: "https://stock.example", sensitivity: Internal, scopes: [stock.read], tokenFormat: Opaque}
    - {audience: "https://orders.example", sensitivity: Sensitive, scopes: [orders.read]}
"#;

/// Kinds of requests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Credentials,
    Exchange,
    Refresh,
    IntrospectJwt,
    IntrospectOpaque,
    Jwks,
}

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::Credentials,
        Self::Exchange,
        Self::Refresh,
        Self::IntrospectJwt,
        Self::IntrospectOpaque,
        Self::Jwks,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Credentials => "client_credentials, private_key_jwt",
            Self::Exchange => "token exchange, a JWT from outside",
            Self::Refresh => "refresh, private_key_jwt",
            Self::IntrospectJwt => "introspection of a JWT, private_key_jwt",
            Self::IntrospectOpaque => "introspection, opaque, private_key_jwt",
            Self::Jwks => "jwks",
        }
    }

    /// How many times as many are sent: what takes so little that the system's clock of it is too coarse.
    pub fn times(self) -> usize {
        if self == Self::Jwks { 10 } else { 1 }
    }

    /// What a right answer holds.
    pub fn answer(self) -> &'static str {
        match self {
            Self::Credentials => r#"{"access_token":"eyJ"#,
            Self::Exchange => r#""issued_token_type":"urn:ietf:params:oauth:token-type:access_token""#,
            Self::Refresh => r#""refresh_token":"csr_"#,
            Self::IntrospectJwt | Self::IntrospectOpaque => r#""active":true"#,
            Self::Jwks => r#""alg":"ES256""#,
        }
    }
}

/// A partner with its key, and one whose tokens come from an issuer outside, with the key of that.
pub struct Partner {
    pub key: SigningKey,
    outside: SigningKey,
}

impl Default for Partner {
    fn default() -> Self {
        Self {
            key: SigningKey::generate("one", Algorithm::ES256),
            outside: SigningKey::generate("outside", Algorithm::ES256),
        }
    }
}

impl Partner {
    /// What users wrote about them.
    pub fn manifests(&self) -> String {
        let audiences = json!([
            {"audience": ORDERS, "scopes": ["orders.read"]}, {"audience": STOCK, "scopes": ["stock.read"]},
        ]);
        let partner = json!({
            "authentication": {"privateKeyJwt": {"jwks": SigningKey::jwks(&[&self.key])}},
            "grants": ["ClientCredentials", "AuthorizationCode", "RefreshToken"],
            "redirectUris": ["https://partner.example/callback"],
            "audiences": audiences,
        });
        let pipeline = json!({
            "authentication": {"federated": [
                {"tokenIssuer": "ci", "audience": "https://tokens.example", "claims": {"sub": "repo:shop/web"}},
            ]},
            "grants": ["TokenExchange"],
            "audiences": audiences,
        });
        let outside = json!({
            "apiVersion": "countersign.dev/v1alpha1", "kind": "TokenIssuer", "metadata": {"name": "ci"},
            "spec": {"external": {
                "issuer": OUTSIDE, "jwks": SigningKey::jwks(&[&self.outside]), "maxTokenLifetime": "10m",
            }},
        });
        format!(
            "{ISSUER}\n---\n{outside}{}{}",
            token_client("partner", &partner),
            token_client("pipeline", &pipeline)
        )
    }

    /// So many requests of a kind, about these tokens in turn.
    pub fn prepared(&self, kind: Kind, issuer: &str, number: usize, about: &[String]) -> Vec<Vec<u8>> {
        let about = |at: usize| {
            about
                .get(at % about.len().max(1))
                .map(String::as_str)
                .unwrap_or_default()
        };
        let one = |at: usize| match kind {
            Kind::Credentials => self.credentials(issuer, ORDERS),
            Kind::Exchange => self.exchange(issuer),
            Kind::Refresh => {
                let form = [("grant_type", "refresh_token"), ("refresh_token", about(at))];
                self.proven(issuer, "/token", issuer, &form)
            }
            Kind::IntrospectJwt | Kind::IntrospectOpaque => {
                self.proven(issuer, "/introspect", issuer, &[("token", about(at))])
            }
            Kind::Jwks => format!("GET /jwks HTTP/1.1\r\nhost: {}\r\n\r\n", host(issuer)).into_bytes(),
        };
        (0..number).map(one).collect()
    }

    /// A request for a token.
    pub fn credentials(&self, issuer: &str, audience: &str) -> Vec<u8> {
        let form = [("grant_type", "client_credentials"), ("resource", audience)];
        self.proven(issuer, "/token", issuer, &form)
    }

    fn exchange(&self, issuer: &str) -> Vec<u8> {
        let now = clock::now().as_second();
        let token = self.outside.assertion(&json!({
            "iss": OUTSIDE, "aud": "https://tokens.example", "sub": "repo:shop/web", "iat": now, "exp": now + 600,
            "jti": rig::unique(),
        }));
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", token.as_str()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("resource", ORDERS),
        ];
        post(issuer, "/token", &form)
    }

    /// A request with an assertion of the partner's own, for an audience.
    pub fn proven(&self, issuer: &str, path: &str, audience: &str, form: &[(&str, &str)]) -> Vec<u8> {
        let now = clock::now().as_second();
        let claims: Value = json!({
            "iss": CLIENT, "sub": CLIENT, "aud": audience, "iat": now, "exp": now + 500, "jti": rig::unique(),
        });
        let assertion = self.key.assertion(&claims);
        let mut all = form.to_vec();
        all.extend([rig::ASSERTION_TYPE, ("client_assertion", assertion.as_str())]);
        post(issuer, path, &all)
    }
}

fn host(issuer: &str) -> &str {
    issuer.trim_start_matches("https://")
}

fn post(issuer: &str, path: &str, form: &[(&str, &str)]) -> Vec<u8> {
    let body = Serializer::new(String::new()).extend_pairs(form).finish();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        host(issuer),
        body.len()
    );
    [head, body].concat().into_bytes()
}
