//! An OpenID provider, as far as a relying party sees it, over HTTPS on loopback.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_identity::{pkce, testing::SigningKey};
use countersign_runtime::https::{Limits, PATIENCE, Server};
use countersign_runtime::tls::{self, Current};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::sync::DropGuard;
use url::Url;

use super::certificates;
use crate::rig::unique;

/// What the token service proves itself with. Made for the test, and worth nothing.
pub const SECRET: &str = "the secret of the test at its upstream";

/// What it remembers, and how it lies.
pub struct Provider {
    issuer: String,
    pub key: SigningKey,
    codes: Mutex<BTreeMap<String, SignedIn>>,
    /// Claims that take the place of true ones in ID tokens; null takes one away.
    pub lies: Mutex<Value>,
    /// What ID tokens are signed with, if not with the key that is published.
    pub other_key: Mutex<Option<SigningKey>>,
    /// What its metadata says instead.
    pub metadata: Mutex<Value>,
    /// The codes that were redeemed.
    pub redeemed: Mutex<Vec<String>>,
}

struct SignedIn {
    user: String,
    nonce: String,
    challenge: String,
    redirect: String,
}

/// A running provider.
pub struct Upstream {
    pub issuer: String,
    pub ca: String,
    pub provider: Arc<Provider>,
    _stop: DropGuard,
}

impl Upstream {
    pub async fn start() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let (current, ca): (Current, String) = certificates::server(&["localhost"]);
        let bears = Limits {
            connections: 256,
            streams: 64,
            head: PATIENCE,
            age: None,
        };
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = tls::server_config(&current).unwrap();
        let server = Server::bind_with(address, config, bears).await.unwrap();
        let issuer = format!("https://localhost:{}", server.address().unwrap().port());
        let provider = Arc::new(Provider {
            issuer: issuer.clone(),
            key: SigningKey::generate("upstream", jsonwebtoken::Algorithm::ES256),
            codes: Mutex::default(),
            lies: Mutex::new(json!({})),
            other_key: Mutex::default(),
            metadata: Mutex::new(json!({})),
            redeemed: Mutex::default(),
        });
        let stop = CancellationToken::new();
        tokio::spawn(server.run(router(Arc::clone(&provider)), stop.clone()));
        Self {
            issuer,
            ca,
            provider,
            _stop: stop.drop_guard(),
        }
    }

    /// A user signs in where the browser was sent: what the browser comes back with.
    pub fn signs_in(&self, sent_to: &Url, user: &str) -> String {
        let (code, state) = self.code(sent_to, user);
        url::form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &code)
            .append_pair("state", &state)
            .append_pair("iss", &self.issuer)
            .finish()
    }

    /// The same, as code and state.
    pub fn code(&self, sent_to: &Url, user: &str) -> (String, String) {
        let pairs: BTreeMap<String, String> = sent_to.query_pairs().into_owned().collect();
        assert!(sent_to.as_str().starts_with(&format!("{}/authorize?", self.issuer)));
        assert_eq!(pairs["response_type"], "code");
        assert_eq!(pairs["code_challenge_method"], "S256");
        assert!(pairs["scope"].split(' ').any(|scope| scope == "openid"));
        let code = unique();
        let signed_in = SignedIn {
            user: user.to_owned(),
            nonce: pairs["nonce"].clone(),
            challenge: pairs["code_challenge"].clone(),
            redirect: pairs["redirect_uri"].clone(),
        };
        self.provider.codes.lock().unwrap().insert(code.clone(), signed_in);
        (code, pairs["state"].clone())
    }
}

fn merge(value: &mut Value, over: &Value) {
    for (name, one) in over.as_object().unwrap() {
        if one.is_null() {
            value.as_object_mut().unwrap().remove(name);
        } else {
            value[name] = one.clone();
        }
    }
}

fn router(provider: Arc<Provider>) -> Router {
    let metadata = |State(provider): State<Arc<Provider>>| async move {
        let issuer = &provider.issuer;
        let mut document = json!({
            "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/jwks"),
            "authorization_response_iss_parameter_supported": true,
        });
        merge(&mut document, &provider.metadata.lock().unwrap());
        document.to_string()
    };
    let jwks = |State(provider): State<Arc<Provider>>| async move { SigningKey::jwks(&[&provider.key]) };
    Router::new()
        .route("/.well-known/openid-configuration", get(metadata))
        .route("/jwks", get(jwks))
        .route("/token", post(token))
        .with_state(provider)
}

async fn token(State(provider): State<Arc<Provider>>, headers: HeaderMap, body: String) -> (StatusCode, String) {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let refused = |error: &str| (StatusCode::BAD_REQUEST, json!({"error": error}).to_string());
    let secret: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let basic = format!("Basic {}", STANDARD.encode(format!("countersign:{secret}")));
    if headers.get("authorization").and_then(|value| value.to_str().ok()) != Some(&basic) {
        return refused("invalid_client");
    }
    let Some(signed_in) = provider.codes.lock().unwrap().remove(&form["code"]) else {
        return refused("invalid_grant");
    };
    provider.redeemed.lock().unwrap().push(form["code"].clone());
    let fits = pkce::verify(&form["code_verifier"], &signed_in.challenge).is_ok();
    if !fits || form["redirect_uri"] != signed_in.redirect {
        return refused("invalid_grant");
    }
    let now = countersign_runtime::clock::now().as_second();
    let mut claims = json!({
        "iss": provider.issuer, "sub": signed_in.user, "aud": "countersign", "iat": now, "exp": now + 3600,
        "auth_time": now, "nonce": signed_in.nonce,
    });
    merge(&mut claims, &provider.lies.lock().unwrap());
    let other = provider.other_key.lock().unwrap().clone();
    let id_token = other.as_ref().unwrap_or(&provider.key).assertion(&claims);
    let answer = json!({"access_token": unique(), "token_type": "Bearer", "id_token": id_token});
    (StatusCode::OK, answer.to_string())
}
