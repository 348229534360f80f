//! What the service fetches for others leads nowhere else (OWASP's server-side request forgery; RFC 8725 section 3.10).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use countersign_identity::testing::SigningKey;
use countersign_runtime::https::{Limits, PATIENCE, Server};
use countersign_runtime::tls;
use rstest::rstest;
use serde_json::json;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::flow::certificates;
use crate::flow::{ORDERS, key};
use crate::rig::{ASSERTION_TYPE, ISSUER, Rig, Setup, Told, token_client};

/// A server on 127.0.0.1, which ends when this is dropped.
pub struct Served {
    pub url: String,
    /// What is trusted for it, in PEM.
    pub ca: String,
    _stop: DropGuard,
}

/// Serves over TLS.
pub async fn serve(router: Router) -> Served {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (current, ca) = certificates::server(&["localhost", "127.0.0.1"]);
    let bears = Limits {
        connections: 64,
        streams: 16,
        head: PATIENCE,
        age: None,
    };
    let config = tls::server_config(&current).unwrap();
    let server = Server::bind_with(SocketAddr::from(([127, 0, 0, 1], 0)), config, bears)
        .await
        .unwrap();
    let port = server.address().unwrap().port();
    let stop = CancellationToken::new();
    tokio::spawn(server.run(router, stop.clone()));
    Served {
        url: format!("https://localhost:{port}"),
        ca,
        _stop: stop.drop_guard(),
    }
}

/// A server with keys, whose other pages are traps.
struct Keys {
    at: Served,
    asked: Arc<AtomicUsize>,
}

#[derive(Clone)]
struct Shared {
    jwks: String,
    asked: Arc<AtomicUsize>,
}

async fn page(State(shared): State<Shared>, uri: axum::http::Uri) -> Response {
    shared.asked.fetch_add(1, Ordering::SeqCst);
    let answer = |status: StatusCode, body: String| {
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response
    };
    match uri.path() {
        "/jwks" => answer(StatusCode::OK, shared.jwks),
        "/moved" => {
            let mut response = answer(StatusCode::FOUND, String::new());
            response.headers_mut().insert("location", "/jwks".parse().unwrap());
            response
        }
        "/large" => answer(StatusCode::OK, format!("{}{}", shared.jwks, " ".repeat(70 << 10))),
        "/slow" => {
            tokio::time::sleep(Duration::from_mins(1)).await;
            answer(StatusCode::OK, shared.jwks)
        }
        "/private" => answer(StatusCode::OK, r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#.to_owned()),
        "/page" => answer(StatusCode::OK, "<html>".to_owned()),
        _ => answer(StatusCode::INTERNAL_SERVER_ERROR, shared.jwks),
    }
}

async fn keys(key: &SigningKey) -> Keys {
    let asked = Arc::new(AtomicUsize::new(0));
    let shared = Shared {
        jwks: SigningKey::jwks(&[key]),
        asked: Arc::clone(&asked),
    };
    let at = serve(Router::new().fallback(get(page)).with_state(shared)).await;
    Keys { at, asked }
}

async fn rig(url: &str, ca: &str, private_networks: bool) -> Rig {
    let client = json!({
        "authentication": {"privateKeyJwt": {"jwksUri": url, "caBundle": ca}},
        "grants": ["ClientCredentials"], "audiences": [{"audience": ORDERS, "scopes": ["orders.read"]}],
    });
    Rig::start(Setup {
        manifests: format!("{ISSUER}{}", token_client("partner", &client)),
        private_networks,
        ..Setup::default()
    })
    .await
}

async fn ask(rig: &Rig, key: &SigningKey) -> Told {
    let assertion = rig.assertion(key, "shop/partner");
    let form = [
        ("grant_type", "client_credentials"),
        ASSERTION_TYPE,
        ("client_assertion", &*assertion),
    ];
    rig.post("/token", &form).await
}

#[tokio::test]
async fn keys_are_fetched_once_and_again_for_one_that_is_not_known() {
    let key = key();
    let published = keys(&key).await;
    let rig = rig(&format!("{}/jwks", published.at.url), &published.at.ca, true).await;
    for _ in 0..5 {
        ask(&rig, &key).await.token();
    }
    assert_eq!(published.asked.load(Ordering::SeqCst), 1);
    // Whoever makes up names of keys does not make the service ask each time.
    let made_up = SigningKey::generate("made up", jsonwebtoken::Algorithm::ES256);
    rig.pass(20);
    for _ in 0..5 {
        ask(&rig, &made_up).await.refused("invalid_client");
    }
    assert_eq!(published.asked.load(Ordering::SeqCst), 2);
}

#[rstest]
#[case::name("https://localhost:${PORT}/jwks")]
#[case::address("https://127.0.0.1:${PORT}/jwks")]
#[case::number("https://2130706433:${PORT}/jwks")]
#[case::hex("https://0x7f000001:${PORT}/jwks")]
#[case::short("https://127.1:${PORT}/jwks")]
#[case::six("https://[::1]:${PORT}/jwks")]
#[case::mapped("https://[::ffff:127.0.0.1]:${PORT}/jwks")]
#[case::any("https://0.0.0.0:${PORT}/jwks")]
#[case::metadata("https://169.254.169.254/latest/meta-data")]
#[tokio::test]
async fn private_places_are_not_asked(#[case] url: &str) {
    let key = key();
    let published = keys(&key).await;
    let port = published.at.url.rsplit_once(':').unwrap().1;
    let rig = rig(&url.replace("${PORT}", port), &published.at.ca, false).await;
    ask(&rig, &key).await.refused("invalid_client");
    assert_eq!(published.asked.load(Ordering::SeqCst), 0);
}

#[rstest]
#[case::redirect("/moved")]
#[case::too_large("/large")]
#[case::error("/error")]
#[case::private_key("/private")]
#[case::page("/page")]
#[tokio::test]
async fn answers_that_are_no_keys_give_none(#[case] path: &str) {
    let key = key();
    let published = keys(&key).await;
    let rig = rig(&format!("{}{path}", published.at.url), &published.at.ca, true).await;
    ask(&rig, &key).await.refused("invalid_client");
    assert_eq!(published.asked.load(Ordering::SeqCst), 1, "a redirect is not followed");
    ask(&rig, &key).await.refused("invalid_client");
    assert_eq!(
        published.asked.load(Ordering::SeqCst),
        1,
        "a failure is remembered for a moment"
    );
}

/// The answer is good, and comes after a minute.
#[tokio::test]
async fn slow_answers_are_not_waited_for() {
    let key = key();
    let published = keys(&key).await;
    let rig = rig(&format!("{}/slow", published.at.url), &published.at.ca, true).await;
    ask(&rig, &key).await.refused("invalid_client");
}

#[tokio::test]
async fn a_server_with_another_certificate_is_not_believed() {
    let key = key();
    let published = keys(&key).await;
    let other = certificates::server(&["localhost"]).1;
    let rig = rig(&format!("{}/jwks", published.at.url), &other, true).await;
    ask(&rig, &key).await.refused("invalid_client");
}
