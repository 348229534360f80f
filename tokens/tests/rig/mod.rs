//! The token service in the test's own process, over real TLS, with a clock that the test holds. What it is to grant is written as
//! users write it.

#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]

mod manifests;
pub mod store;
mod told;

pub use manifests::{ISSUER, token_client};
pub use told::{Told, claims_of};

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use aws_lc_rs::rand::SystemRandom;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_identity::testing::SigningKey;
use countersign_identity::{Bundle, TrustDomain};
use countersign_policy::parse::service_identity;
use countersign_policy::tokens::SigningAlgorithm;
use countersign_policy::world::ObjectName;
use countersign_runtime::callers::Account;
use countersign_runtime::https::{Limits as Bears, PATIENCE, Server};
use countersign_runtime::tls::Current;
use countersign_tokens::callers::{CallerError, Workloads};
use countersign_tokens::directory::{ClientObject, IssuerObject, Sources, build};
use countersign_tokens::endpoints::{by_name, router};
use countersign_tokens::keys::document::{Document, KeptKey};
use countersign_tokens::keys::{Ring, signing};
use countersign_tokens::limits::{Limits, Rates};
use countersign_tokens::metrics::Metrics;
use countersign_tokens::record::Recorder;
use countersign_tokens::remote::{Guard, Networks, RemoteKeys};
use countersign_tokens::service::Service;
use countersign_tokens::store::Store;
use countersign_tokens::upstream::{Secrets, Upstreams};
use countersign_tokens::used::Used;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use reqwest::{Client, ClientBuilder, Method};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Service account tokens, as the API server of the test knows them: token → account.
#[derive(Default)]
pub struct Accounts(pub Mutex<BTreeMap<String, (Account, String)>>);

impl Workloads for Accounts {
    fn of<'a>(&'a self, token: &'a str, audience: &'a str) -> BoxFuture<'a, Result<Account, CallerError>> {
        let known = self.0.lock().unwrap().get(token).cloned();
        let account = known.filter(|(_, meant)| meant == audience).map(|(account, _)| account);
        futures::future::ready(account.ok_or(CallerError::Refused)).boxed()
    }
}

/// How a rig is started.
pub struct Setup {
    /// Manifests, several in one text, with `${ISSUER}` where the issuer's URL is to stand, and `${OTHER_HOST}` where another name of
    /// the same server is.
    pub manifests: String,
    /// Where things are remembered; in a new store if none is given.
    pub store: Option<Store>,
    /// The roots of the trust domain `cluster.local`.
    pub roots: Option<Bundle>,
    /// What the issuer signs by.
    pub algorithm: SigningAlgorithm,
    /// Requests a second, of one address and of one client.
    pub rates: (u32, u32),
    /// Whether private networks may be reached.
    pub private_networks: bool,
    /// The port to listen on; any if 0.
    pub port: u16,
    /// Secrets at upstreams, by the names of their Secrets.
    pub secrets: Vec<(String, String)>,
    /// Whether time goes on by itself too, for programs that have clocks of their own.
    pub live: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            manifests: String::new(),
            store: None,
            roots: None,
            algorithm: SigningAlgorithm::Es256,
            rates: (100_000, 100_000),
            private_networks: true,
            port: 0,
            secrets: Vec::new(),
            live: false,
        }
    }
}

/// The time, which the test holds.
struct Clock {
    start: i64,
    passed: AtomicI64,
    live: bool,
}

impl Clock {
    fn now(&self) -> i64 {
        let from = if self.live { now() } else { self.start };
        from + self.passed.load(Ordering::SeqCst)
    }
}

/// A running service.
pub struct Rig {
    /// The issuer.
    pub issuer: String,
    /// The service behind it.
    pub service: Arc<Service>,
    /// The accounts whose tokens count.
    pub accounts: Arc<Accounts>,
    /// A client that trusts it.
    pub http: Client,
    /// The certificate that it shows, as a file in PEM.
    pub ca: PathBuf,
    /// The same as a text.
    pub ca_pem: String,
    clock: Arc<Clock>,
    sources: Mutex<Sources>,
    stop: CancellationToken,
    _folder: TempDir,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn now() -> i64 {
    countersign_runtime::clock::now().as_second()
}

/// A key set with a key that signs now.
pub fn ring(algorithm: SigningAlgorithm, made: i64) -> Ring {
    let key = KeptKey {
        algorithm: algorithm.into(),
        private: STANDARD.encode(&signing::generate(algorithm).unwrap()[..]),
        made,
        signs_from: made,
        retired: None,
    };
    let nonce_key = STANDARD.encode(signing::random::<32>(&SystemRandom::new()).unwrap());
    Ring::read(Document {
        keys: vec![key],
        nonce_key,
        rotated_for: None,
    })
    .unwrap()
}

/// Reads manifests, as the API server would hand them out.
pub fn sources(manifests: &str, roots: Option<Bundle>) -> Sources {
    let mut sources = Sources {
        trust_domain: TrustDomain::default_for_tests(),
        issuers: Vec::new(),
        clients: Vec::new(),
        identities: Vec::new(),
        roots: roots.map(Arc::new),
        withdrawn: Arc::default(),
    };
    for text in manifests.split("\n---\n").filter(|text| !text.trim().is_empty()) {
        let object: Value = serde_saphyr::from_str(text).unwrap();
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        let (spec, status) = (object["spec"].clone(), object["status"].clone());
        match object["kind"].as_str().unwrap() {
            "TokenIssuer" => sources.issuers.push(IssuerObject { name, spec, status }),
            "TokenClient" => sources.clients.push(ClientObject {
                name: ObjectName::new(namespace, name),
                spec,
            }),
            "ServiceIdentity" => {
                let parsed = service_identity(ObjectName::new(namespace, name), &spec, Timestamp::UNIX_EPOCH);
                sources.identities.push(parsed);
            }
            other => panic!("no kind of the token service: {other}"),
        }
    }
    sources
}

trait DefaultForTests {
    fn default_for_tests() -> Self;
}

impl DefaultForTests for TrustDomain {
    fn default_for_tests() -> Self {
        "cluster.local".parse().unwrap()
    }
}

impl Rig {
    /// Starts a service on loopback.
    pub async fn start(setup: Setup) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = TempDir::new().unwrap();
        let (current, ca_pem) = certificate();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, &ca_pem).unwrap();
        let bears = Bears {
            connections: 1024,
            streams: 256,
            head: PATIENCE,
            age: None,
        };
        let address = SocketAddr::from(([127, 0, 0, 1], setup.port));
        let directory = Arc::new(ArcSwap::default());
        let choose = by_name(&current, Arc::clone(&directory)).unwrap();
        let server = Server::bind_by_name(address, choose, bears).await.unwrap();
        let port = server.address().unwrap().port();
        let issuer = format!("https://localhost:{port}");
        // The same server by another name.
        let other_host = format!("127.0.0.1:{port}");
        let clock = Arc::new(Clock {
            start: now(),
            passed: AtomicI64::new(0),
            live: setup.live,
        });
        let accounts = Arc::new(Accounts::default());
        let store = match setup.store.clone() {
            Some(store) => store,
            None => store::open().await,
        };
        let manifests = setup.manifests.replace("${ISSUER}", &issuer);
        let sources = sources(&manifests.replace("${OTHER_HOST}", &other_host), setup.roots.clone());
        let service = Arc::new(Service {
            directory,
            ..service(&setup, store, &accounts, &clock)
        });
        let stop = CancellationToken::new();
        tokio::spawn(server.run(router(Arc::clone(&service)), stop.clone()));
        let rig = Self {
            http: client(&ca_pem, None),
            issuer,
            service,
            accounts,
            ca,
            ca_pem,
            clock,
            sources: Mutex::new(sources),
            stop,
            _folder: folder,
        };
        rig.rebuild(setup.algorithm);
        rig
    }

    fn rebuild(&self, algorithm: SigningAlgorithm) {
        let built = build(&self.sources.lock().unwrap(), self.now());
        let problems: Vec<_> = built.issuers.values().chain(built.clients.values()).flatten().collect();
        assert!(problems.is_empty(), "the manifests have problems: {problems:?}");
        let rings = built.directory.issuers.keys();
        let rings = rings.map(|name| (name.clone(), Arc::new(ring(algorithm, self.now()))));
        self.service.rings.store(Arc::new(rings.collect()));
        self.service.directory.store(Arc::new(built.directory));
    }

    /// Changes what users wrote, keeping the keys.
    pub fn change(&self, change: impl FnOnce(&mut Sources)) {
        let mut sources = self.sources.lock().unwrap();
        change(&mut sources);
        self.service
            .directory
            .store(Arc::new(build(&sources, self.now()).directory));
    }

    /// What time it is.
    pub fn now(&self) -> i64 {
        self.clock.now()
    }

    /// Lets time pass.
    pub fn pass(&self, seconds: i64) {
        self.clock.passed.fetch_add(seconds, Ordering::SeqCst);
    }

    /// A client that shows a certificate.
    pub fn with_certificate(&self, chain_and_key: &str) -> Client {
        client(&self.ca_pem, Some(chain_and_key))
    }

    /// A client at another address of this machine.
    pub fn at(&self, address: IpAddr) -> Client {
        trusting(&self.ca_pem).local_address(address).build().unwrap()
    }

    /// Lets an account's token count, for the issuer.
    pub fn knows(&self, token: &str, namespace: &str, name: &str) {
        let account = Account {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        self.accounts
            .0
            .lock()
            .unwrap()
            .insert(token.to_owned(), (account, self.issuer.clone()));
    }

    /// The URL of an endpoint.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// Sends a form.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Told {
        self.send(&self.http, path, form, &[]).await
    }

    /// Sends a form with headers, by a client of one's own.
    pub async fn send(&self, http: &Client, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Told {
        self.send_to(http, &self.url(path), form, headers).await
    }

    /// The same to a URL.
    pub async fn send_to(&self, http: &Client, url: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Told {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let mut request = http
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Told::of(request.body(body).send().await.unwrap()).await
    }

    /// Calls an endpoint that is a protected resource, by a client of one's own.
    pub async fn call(&self, http: &Client, method: Method, path: &str, headers: &[(&str, &str)]) -> Told {
        let mut request = http.request(method, self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Told::of(request.send().await.unwrap()).await
    }

    /// Sends a form with a proof of possession; again with the nonce that it is told, as clients do.
    pub async fn post_with_proof(&self, path: &str, form: &[(&str, &str)], key: &SigningKey) -> Told {
        let first = self
            .send(&self.http, path, form, &[("dpop", &self.proof(key, path, None))])
            .await;
        let Some(nonce) = first.nonce.clone().filter(|_| first.error() == "use_dpop_nonce") else {
            return first;
        };
        self.send(
            &self.http,
            path,
            form,
            &[("dpop", &self.proof(key, path, Some(&nonce)))],
        )
        .await
    }

    /// A nonce of the issuer.
    pub async fn nonce(&self, key: &SigningKey) -> String {
        let form = [("grant_type", "client_credentials")];
        let told = self
            .send(
                &self.http,
                "/token",
                &form,
                &[("dpop", &self.proof(key, "/token", None))],
            )
            .await;
        told.nonce.unwrap()
    }

    /// A proof of possession (RFC 9449) for an endpoint.
    pub fn proof(&self, key: &SigningKey, path: &str, nonce: Option<&str>) -> String {
        let mut claims = json!({"htm": "POST", "htu": self.url(path), "iat": self.now(), "jti": unique()});
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        key.dpop_proof(&claims)
    }

    /// An assertion by which a client proves itself (RFC 7523).
    pub fn assertion(&self, key: &SigningKey, client: &str) -> String {
        key.assertion(&self.assertion_claims(client))
    }

    /// What it says.
    pub fn assertion_claims(&self, client: &str) -> Value {
        let now = self.now();
        json!({"iss": client, "sub": client, "aud": self.issuer, "iat": now, "exp": now + 60, "jti": unique()})
    }
}

/// An identifier that is used once.
pub fn unique() -> String {
    STANDARD.encode(signing::random::<16>(&SystemRandom::new()).unwrap())
}

/// The type of assertions of clients.
pub const ASSERTION_TYPE: (&str, &str) = (
    "client_assertion_type",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
);

fn service(setup: &Setup, store: Store, accounts: &Arc<Accounts>, clock: &Arc<Clock>) -> Service {
    let everywhere = || vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()];
    let guard = Guard::new(if setup.private_networks {
        Networks::new(everywhere())
    } else {
        Networks::default()
    });
    let clock = Arc::clone(clock);
    let secrets: Secrets = setup
        .secrets
        .iter()
        .map(|(name, secret)| (name.clone(), secret.clone().into()))
        .collect();
    Service {
        directory: Arc::default(),
        rings: Arc::default(),
        store,
        workloads: Arc::clone(accounts) as Arc<dyn Workloads>,
        remote: RemoteKeys::new(guard.clone()),
        upstreams: Upstreams::new(guard, Arc::new(ArcSwap::from_pointee(secrets))),
        limits: Limits::new(Rates {
            address: NonZeroU32::new(setup.rates.0).unwrap(),
            client: NonZeroU32::new(setup.rates.1).unwrap(),
        }),
        recorder: Recorder::default(),
        metrics: Metrics::default(),
        used: Used::default(),
        clock: Arc::new(move || clock.now()),
        random: Arc::new(SystemRandom::new()),
    }
}

/// A certificate for this machine, and what is trusted for it.
fn certificate() -> (Current, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let key = provider.key_provider.load_private_key(key).unwrap();
    let current = Current::default();
    current.set(Arc::new(rustls::sign::CertifiedKey::new(
        vec![made.cert.der().clone()],
        key,
    )));
    (current, made.cert.pem())
}

#[expect(clippy::disallowed_methods, reason = "a client of the test's own")]
fn trusting(ca: &str) -> ClientBuilder {
    Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(ca.as_bytes()).unwrap()])
        .redirect(reqwest::redirect::Policy::none())
}

fn client(ca: &str, identity: Option<&str>) -> Client {
    let builder = trusting(ca);
    let builder = match identity {
        Some(pem) => builder.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap()),
        None => builder,
    };
    builder.build().unwrap()
}

/// The certificates of a chain in PEM.
pub fn chain(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(Result::unwrap)
        .collect()
}
