//! Bundles of foreign trust domains from real HTTPS endpoints.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code: a panic is how a test fails"
)]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use countersign_identity::Bundle;
use countersign_runtime::https::{Limits, PATIENCE, Server};
use countersign_runtime::tls::Current;
use countersign_signer::endpoint::Endpoint;
use countersign_signer::federation::{Answer, FetchError, Fetcher, Request, Stored, Wanted, accept};
use countersign_signer::problem::Problem;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

/// What a fetch gets in these tests.
const LIMIT: Duration = Duration::from_secs(5);

struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(rcgen::DnType::CommonName, "test");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a server, and its key, in PEM.
    fn server(&self, name: &str) -> (String, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.use_authority_key_identifier_extension = true;
        (params.signed_by(&key, &self.0).unwrap().pem(), key)
    }
}

/// An HTTPS server at 127.0.0.1. It ends with the test.
struct Peer {
    url: String,
    _stop: DropGuard,
}

impl Peer {
    async fn start(ca: &Ca, name: &str, router: Router) -> Self {
        let (certificate, key) = ca.server(name);
        let chain = countersign_identity::pem::certificates(certificate.as_bytes());
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let current = Current::default();
        let certified = CertifiedKey::new(chain.map(Result::unwrap).collect(), any_ecdsa_type(&key).unwrap());
        current.set(Arc::new(certified));
        let limits = Limits {
            connections: 16,
            streams: 16,
            head: PATIENCE,
            age: None,
        };
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), &current, limits)
            .await
            .unwrap();
        let url = format!("https://{}", server.address().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(server.run(router, stop.clone()));
        Self {
            url,
            _stop: stop.drop_guard(),
        }
    }

    /// One that answers `/` with this.
    async fn with(ca: &Ca, answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> Self {
        let router = Router::new().route("/", get(move || std::future::ready(answer())));
        Self::start(ca, "127.0.0.1", router).await
    }

    async fn fetch(&self, ca: &Ca) -> Result<Answer, FetchError> {
        self.fetch_known(ca, None).await
    }

    async fn fetch_known(&self, ca: &Ca, etag: Option<&str>) -> Result<Answer, FetchError> {
        let request = Request {
            url: self.url.clone(),
            ca_bundle: Some(ca.pem()),
            etag: etag.map(str::to_owned),
        };
        Fetcher::new(LIMIT).fetch(&request).await
    }

    /// What the signer does with an answer.
    async fn take(&self, ca: &Ca, before: Option<&Stored>) -> Result<Stored, Problem> {
        let answer = self.fetch(ca).await.map_err(Problem::from)?;
        accept(before, &wanted(&self.url), answer).map(|taken| taken.unwrap().0)
    }
}

fn wanted(url: &str) -> Wanted {
    Wanted {
        domain: "example.com".parse().unwrap(),
        url: url.to_owned(),
        ca_bundle: None,
        refresh: None,
    }
}

/// A bundle with one root.
fn document(root: &Ca, sequence: u64) -> Value {
    let mut bundle = Bundle::new("example.com".parse().unwrap());
    bundle.add_pem(root.pem().as_bytes()).unwrap();
    bundle.sequence = Some(sequence);
    serde_json::from_str(&bundle.to_jwks()).unwrap()
}

fn json_answer(document: &Value) -> impl Fn() -> Response + Clone + Send + Sync + 'static {
    let text = document.to_string();
    move || ([(header::CONTENT_TYPE, "application/json")], text.clone()).into_response()
}

#[tokio::test]
async fn a_good_bundle_is_taken() {
    let (ca, root) = (Ca::new(), Ca::new());
    let peer = Peer::with(&ca, json_answer(&document(&root, 7))).await;
    let stored = peer.take(&ca, None).await.unwrap();
    assert_eq!(stored.bundle.to_pem(), root.pem());
    assert_eq!(
        (stored.bundle.sequence, stored.url.as_str()),
        (Some(7), peer.url.as_str())
    );
}

#[tokio::test]
async fn an_endpoint_that_is_not_trusted_is_not_believed() {
    let (ca, other) = (Ca::new(), Ca::new());
    let peer = Peer::with(&ca, json_answer(&document(&ca, 1))).await;
    let untrusted = FetchError::Untrusted(peer.url.clone());
    assert_eq!(peer.fetch(&other).await, Err(untrusted.clone()), "another authority");
    // Nor by the public ones.
    let request = Request {
        url: peer.url.clone(),
        ca_bundle: None,
        etag: None,
    };
    let public = Fetcher::new(LIMIT).fetch(&request).await;
    assert!(
        public == Err(untrusted) || public == Err(FetchError::Client),
        "{public:?}"
    );
    let elsewhere = Peer::start(&ca, "bundle.example.com", Router::new()).await;
    let error = elsewhere.fetch(&ca).await;
    assert_eq!(error, Err(FetchError::Untrusted(elsewhere.url.clone())), "another name");
    assert_eq!(Problem::from(error.unwrap_err()).reason, "EndpointNotTrusted");
    let request = Request {
        url: peer.url.clone(),
        ca_bundle: Some("no certificate".to_owned()),
        etag: None,
    };
    assert_eq!(Fetcher::new(LIMIT).fetch(&request).await, Err(FetchError::CaBundle));
}

#[tokio::test]
async fn a_redirect_is_followed_on_its_host_only() {
    let ca = Ca::new();
    let good = json_answer(&document(&ca, 1));
    let target = Peer::with(&ca, good.clone()).await;
    let away = target.url.clone();
    let peer = Peer::with(&ca, move || Redirect::temporary(&away).into_response()).await;
    assert_eq!(peer.fetch(&ca).await, Err(FetchError::Redirect(peer.url.clone())));

    let plain = Peer::with(&ca, || Redirect::temporary("http://127.0.0.1:1/").into_response()).await;
    assert_eq!(plain.fetch(&ca).await, Err(FetchError::Redirect(plain.url.clone())));

    let router = Router::new()
        .route("/", get(|| async { Redirect::permanent("/bundle") }))
        .route("/bundle", get(move || std::future::ready(good())));
    let moved = Peer::start(&ca, "127.0.0.1", router).await;
    assert!(moved.fetch(&ca).await.is_ok());
    let round = Peer::with(&ca, || Redirect::temporary("/").into_response()).await;
    assert_eq!(round.fetch(&ca).await, Err(FetchError::Redirect(round.url.clone())));
}

#[tokio::test]
async fn an_answer_has_bounds() {
    let ca = Ca::new();
    let large = Peer::with(&ca, || " ".repeat(2 * 1024 * 1024).into_response()).await;
    assert_eq!(large.fetch(&ca).await, Err(FetchError::TooLarge(large.url.clone())));
    let router = Router::new().route("/", get(|| sleep(LIMIT * 5)));
    let slow = Peer::start(&ca, "127.0.0.1", router).await;
    assert_eq!(slow.fetch(&ca).await, Err(FetchError::Timeout(slow.url.clone())));
    let broken = Peer::with(&ca, || StatusCode::INTERNAL_SERVER_ERROR.into_response()).await;
    let status = FetchError::Status {
        url: broken.url.clone(),
        status: 500,
    };
    assert_eq!(broken.fetch(&ca).await, Err(status));
    let binary = Peer::with(&ca, || vec![0xff, 0xfe].into_response()).await;
    assert_eq!(binary.fetch(&ca).await, Err(FetchError::NotText(binary.url.clone())));
    // Whoever did not ask what is new is not told that nothing is.
    let unasked = Peer::with(&ca, || StatusCode::NOT_MODIFIED.into_response()).await;
    assert!(matches!(
        unasked.fetch(&ca).await,
        Err(FetchError::Status { status: 304, .. })
    ));
}

#[tokio::test]
async fn nobody_listens() {
    let request = Request {
        url: "https://127.0.0.1:1/".to_owned(),
        ca_bundle: Some(Ca::new().pem()),
        etag: None,
    };
    let error = Fetcher::new(LIMIT).fetch(&request).await.unwrap_err();
    assert_eq!(error, FetchError::Connect(request.url));
}

#[tokio::test]
async fn what_is_no_bundle_or_an_older_one_is_refused() {
    let ca = Ca::new();
    let peer = Peer::with(&ca, json_answer(&json!({"bundle": []}))).await;
    assert_eq!(peer.take(&ca, None).await.unwrap_err().reason, "BundleRefused");
    let newer = Peer::with(&ca, json_answer(&document(&ca, 9))).await;
    let stored = newer.take(&ca, None).await.unwrap();
    let older = Peer::with(&ca, json_answer(&document(&ca, 8))).await;
    let before = Stored {
        url: older.url.clone(),
        ..stored
    };
    assert_eq!(
        older.take(&ca, Some(&before)).await.unwrap_err().reason,
        "SequenceWentBack"
    );
}

#[tokio::test]
async fn an_empty_bundle_is_taken_and_trusts_nothing() {
    let ca = Ca::new();
    let peer = Peer::with(&ca, json_answer(&json!({"keys": [], "spiffe_sequence": 3}))).await;
    let stored = peer.take(&ca, None).await.unwrap();
    assert_eq!((stored.bundle.roots().count(), stored.bundle.sequence), (0, Some(3)));
}

#[tokio::test]
async fn what_is_there_already_is_not_sent_again() {
    let ca = Ca::new();
    let answer = document(&ca, 1).to_string();
    let router = Router::new().route(
        "/",
        get(move |asked: HeaderMap| {
            let known = asked.get(header::IF_NONE_MATCH).is_some_and(|tag| tag == "\"v1\"");
            let answer = if known {
                StatusCode::NOT_MODIFIED.into_response()
            } else {
                ([(header::ETAG, "\"v1\"")], answer.clone()).into_response()
            };
            std::future::ready(answer)
        }),
    );
    let peer = Peer::start(&ca, "127.0.0.1", router).await;
    let Answer::Body { etag, .. } = peer.fetch(&ca).await.unwrap() else {
        panic!("it was not asked for what is new");
    };
    assert_eq!(etag.as_deref(), Some("\"v1\""));
    assert_eq!(peer.fetch_known(&ca, etag.as_deref()).await, Ok(Answer::Unchanged));
    assert!(matches!(
        peer.fetch_known(&ca, Some("\"v0\"")).await,
        Ok(Answer::Body { .. })
    ));
}

#[tokio::test]
async fn one_signer_fetches_what_another_publishes() {
    let (ca, root) = (Ca::new(), Ca::new());
    let mut own = Bundle::new("example.com".parse().unwrap());
    own.add_pem(root.pem().as_bytes()).unwrap();
    own.sequence = Some(1);
    let (bundles, known) = watch::channel(None);
    let directory = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::bind("127.0.0.1:0".parse().unwrap(), directory.path(), known)
        .await
        .unwrap();
    let stop = CancellationToken::new();
    let peer = Peer {
        url: format!("https://{}", endpoint.address().unwrap()),
        _stop: stop.clone().drop_guard(),
    };
    // Without a certificate that fits there is no connection.
    let (certificate, key) = ca.server("127.0.0.1");
    let (_, another) = ca.server("127.0.0.1");
    std::fs::write(directory.path().join("tls.crt"), certificate).unwrap();
    std::fs::write(directory.path().join("tls.key"), another.serialize_pem()).unwrap();
    let mut running = tokio::spawn(endpoint.run(stop));
    assert_eq!(peer.fetch(&ca).await, Err(FetchError::Connect(peer.url.clone())));
    std::fs::write(directory.path().join("tls.key"), key.serialize_pem()).unwrap();
    let fetched = async {
        loop {
            match peer.fetch(&ca).await {
                Err(FetchError::Connect(_)) => sleep(Duration::from_millis(200)).await,
                other => return other,
            }
        }
    };
    let before = tokio::time::timeout(Duration::from_secs(20), fetched).await.unwrap();
    assert!(
        matches!(before, Err(FetchError::Status { status: 503, .. })),
        "{before:?}"
    );
    bundles.send_replace(Some(Arc::new(own.clone())));
    let stored = peer.take(&ca, None).await.unwrap();
    assert_eq!(stored.bundle, own);
    let unchanged = peer.fetch_known(&ca, stored.etag.as_deref()).await;
    assert_eq!(unchanged, Ok(Answer::Unchanged));
    drop(peer);
    tokio::time::timeout(Duration::from_secs(10), &mut running)
        .await
        .unwrap()
        .unwrap();
}
