//! Istio's CA API without a cluster: an authority made at run time, an API server that is a list of Pods, and a client
//! over real TLS.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use anyhow::{Context as _, Result};
use countersign_runtime::clock;
use countersign_runtime::https::Server;
use countersign_runtime::tls::Current as Shown;
use countersign_signer::authority::Authority;
use countersign_signer::issue::{Books, Current, IssueMetrics, Issuer, Record};
use countersign_signer::istio::cluster::{Cluster, PodView, Unreachable};
use countersign_signer::istio::proto::IstioCertificateRequest;
use countersign_signer::istio::proto::istio_certificate_service_client::IstioCertificateServiceClient;
use countersign_signer::istio::refusal::Refusal;
use countersign_signer::istio::request::IMPERSONATED_IDENTITY;
use countersign_signer::istio::serving::{Keeper, Own, service_names};
use countersign_signer::istio::{Account, LIMITS, Parts, Profile, Profiles, Roots, Service, Settings, Token, router};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::authentication::v1::{TokenReviewStatus, UserInfo};
use prometheus_client::registry::Registry;
use prost_types::value::Kind;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint, Uri};
use tower_service::Service as TowerService;

/// The name that the signer is reached by.
pub const NAME: &str = "countersign-signer.countersign-system.svc";

/// A root, and an authority below it.
pub struct Ca {
    pub root: CertificateDer<'static>,
    pub authority: Arc<Authority>,
}

impl Ca {
    /// Makes one.
    pub fn new() -> Result<Self> {
        let root = CertifiedIssuer::self_signed(ca("root")?, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let intermediate = ca("intermediate")?.signed_by(&key, &root)?;
        Ok(Self {
            root: root.der().clone(),
            authority: Arc::new(Authority::new(vec![intermediate.der().clone()], key)?),
        })
    }
}

fn ca(name: &str) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    Ok(params)
}

/// The API server: tokens and Pods, as a test puts them there.
#[derive(Clone, Default)]
pub struct World(Arc<Known>);

#[derive(Default)]
struct Known {
    tokens: Mutex<BTreeMap<String, TokenReviewStatus>>,
    pods: Mutex<Vec<PodView>>,
    profiles: Mutex<BTreeMap<(String, String), Profile>>,
    roots: Mutex<Vec<CertificateDer<'static>>>,
    away: AtomicBool,
    reviews: AtomicUsize,
}

impl World {
    /// Puts a Pod there; gives a token that is bound to it. No other Pod has its UID.
    pub fn pod(&self, namespace: &str, account: &str, name: &str, uid: &str, node: &str) -> String {
        self.0.pods.lock().unwrap().push(PodView {
            name: name.to_owned(),
            uid: uid.to_owned(),
            account: Account {
                namespace: namespace.to_owned(),
                name: account.to_owned(),
            },
            node: node.to_owned(),
            live: true,
        });
        self.token(
            &format!("eyJ.{uid}.sig"),
            review(namespace, account, name, uid, "istio-ca"),
        )
    }

    /// Has the API server say this of a token.
    pub fn token(&self, token: &str, status: TokenReviewStatus) -> String {
        self.0.tokens.lock().unwrap().insert(token.to_owned(), status);
        token.to_owned()
    }

    /// Changes the Pods.
    pub fn change_pods(&self, change: impl FnOnce(&mut Vec<PodView>)) {
        change(&mut self.0.pods.lock().unwrap());
    }

    /// Has a `ServiceIdentity` for an account.
    pub fn profile(&self, namespace: &str, account: &str, profile: Profile) {
        let key = (namespace.to_owned(), account.to_owned());
        self.0.profiles.lock().unwrap().insert(key, profile);
    }

    /// Trusts these roots.
    pub fn trust(&self, roots: Vec<CertificateDer<'static>>) {
        *self.0.roots.lock().unwrap() = roots;
    }

    /// Is away, or there again.
    pub fn away(&self, away: bool) {
        self.0.away.store(away, Ordering::Relaxed);
    }

    /// How many tokens were reviewed.
    pub fn reviews(&self) -> usize {
        self.0.reviews.load(Ordering::Relaxed)
    }

    async fn there(&self) -> Result<(), Unreachable> {
        tokio::task::yield_now().await;
        if self.0.away.load(Ordering::Relaxed) {
            return Err(Unreachable("it is away".to_owned()));
        }
        Ok(())
    }
}

/// What the API server says of a good token.
pub fn review(namespace: &str, account: &str, pod: &str, uid: &str, audience: &str) -> TokenReviewStatus {
    let extra = [("pod-name", pod), ("pod-uid", uid)];
    let extra = extra.map(|(key, value)| (format!("authentication.kubernetes.io/{key}"), vec![value.to_owned()]));
    TokenReviewStatus {
        authenticated: Some(true),
        audiences: Some(vec![audience.to_owned()]),
        user: Some(UserInfo {
            username: Some(format!("system:serviceaccount:{namespace}:{account}")),
            extra: Some(extra.into()),
            ..UserInfo::default()
        }),
        error: None,
    }
}

impl Cluster for World {
    async fn review(&self, token: &Token, _audience: &str) -> Result<TokenReviewStatus, Unreachable> {
        self.0.reviews.fetch_add(1, Ordering::Relaxed);
        self.there().await?;
        let tokens = self.0.tokens.lock().unwrap();
        Ok(tokens.get(token.reveal()).cloned().unwrap_or_default())
    }

    async fn pod(&self, namespace: &str, name: &str) -> Result<Option<PodView>, Unreachable> {
        self.there().await?;
        let pods = self.0.pods.lock().unwrap();
        let mut all = pods.iter();
        Ok(all
            .find(|pod| pod.account.namespace == namespace && pod.name == name)
            .cloned())
    }

    /// All of the namespace: what is asked for is checked again by whoever asks.
    async fn pods_on(&self, namespace: &str, _node: &str) -> Result<Vec<PodView>, Unreachable> {
        self.there().await?;
        let pods = self.0.pods.lock().unwrap();
        let here = |pod: &&PodView| pod.account.namespace == namespace;
        Ok(pods.iter().filter(here).cloned().collect())
    }
}

impl Profiles for World {
    fn of(&self, account: &Account) -> Result<Option<Profile>, Refusal> {
        let profiles = self.0.profiles.lock().unwrap();
        let found = profiles.get(&(account.namespace.clone(), account.name.clone()));
        Ok(found.cloned())
    }
}

impl Roots for World {
    fn roots(&self) -> Vec<CertificateDer<'static>> {
        self.0.roots.lock().unwrap().clone()
    }
}

/// Records that are kept.
#[derive(Default)]
pub struct Kept(pub Mutex<Vec<Record>>);

impl Books for Kept {
    fn enter(&self, record: Record) {
        self.0.lock().unwrap().push(record);
    }
}

/// Records that nobody looks at.
pub struct Unread;

impl Books for Unread {
    fn enter(&self, _record: Record) {}
}

/// A signer that serves Istio's CA API until it is dropped.
pub struct Signer {
    pub address: SocketAddr,
    pub ca: Ca,
    pub current: Current,
    pub shown: Shown,
    pub keeper: Keeper,
    pub books: Arc<Kept>,
    pub registry: Registry,
    stop: CancellationToken,
}

impl Drop for Signer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Signer {
    /// Serves, asking `cluster`, with what `world` has of the rest.
    pub async fn serve(
        settings: Settings,
        cluster: impl Cluster,
        world: &World,
        books: Arc<dyn Books>,
    ) -> Result<Self> {
        let kept = Arc::new(Kept::default());
        let both = Arc::new(Both(Arc::clone(&kept), books));
        let ca = Ca::new()?;
        let current = Current::default();
        current.set(Some(Arc::clone(&ca.authority)));
        world.trust(vec![ca.root.clone()]);
        let mut registry = Registry::default();
        let metrics = Arc::new(IssueMetrics::default());
        metrics.register(&mut registry);
        let issuer = Issuer::new(current.clone(), metrics, both);
        let shown = Shown::default();
        let keeper = Keeper {
            issuer: issuer.clone(),
            authority: current.clone(),
            own: Own {
                spiffe_id: "spiffe://cluster.local/ns/countersign-system/sa/countersign-signer".parse()?,
                namespace: "countersign-system".to_owned(),
                service_account: "countersign-signer".to_owned(),
                dns_names: service_names("countersign-signer", "countersign-system", "cluster.local"),
            },
            shown: shown.clone(),
        };
        keeper.renew(clock::precise())?;
        let service = Service::new(Parts {
            settings,
            cluster,
            issuer,
            profiles: Arc::new(world.clone()),
            roots: Arc::new(world.clone()),
        });
        let server = Server::bind("127.0.0.1:0".parse()?, &shown, LIMITS).await?;
        let address = server.address()?;
        let stop = CancellationToken::new();
        tokio::spawn(server.run(router(service), stop.clone()));
        Ok(Self {
            address,
            ca,
            current,
            shown,
            keeper,
            books: kept,
            registry,
            stop,
        })
    }

    /// The metrics.
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }
}

struct Both(Arc<Kept>, Arc<dyn Books>);

impl Books for Both {
    fn enter(&self, record: Record) {
        self.1.enter(record.clone());
        self.0.enter(record);
    }
}

/// A client that trusts one root.
pub type Client = IstioCertificateServiceClient<Channel>;

/// Connects over TLS.
pub async fn connect(address: SocketAddr, root: &CertificateDer<'static>) -> Result<Client> {
    Ok(Client::new(channel(address, root).await?))
}

/// A channel over TLS.
pub async fn channel(address: SocketAddr, root: &CertificateDer<'static>) -> Result<Channel> {
    let connector = Connector {
        address,
        tls: TlsConnector::from(Arc::new(trusting(root)?)),
    };
    let endpoint = Endpoint::try_from(format!("http://{NAME}"))?;
    Ok(endpoint.connect_with_connector(connector).await?)
}

/// How a client trusts a root, for HTTP/2.
pub fn trusting(root: &CertificateDer<'static>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

#[derive(Clone)]
struct Connector {
    address: SocketAddr,
    tls: TlsConnector,
}

impl TowerService<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = anyhow::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Self { address, tls } = self.clone();
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from(NAME)?;
            let stream = tls.connect(name, stream).await.context("the handshake failed")?;
            Ok(TokioIo::new(stream))
        })
    }
}

/// A certification request in PEM, and its key.
pub fn csr(params: &CertificateParams) -> Result<(String, KeyPair)> {
    let key = KeyPair::generate()?;
    Ok((params.serialize_request(&key)?.pem()?, key))
}

/// A message with a token.
pub fn message(
    token: &str,
    csr: &str,
    seconds: i64,
    on_behalf_of: Option<&str>,
) -> Result<tonic::Request<IstioCertificateRequest>> {
    let metadata = on_behalf_of.map(|id| prost_types::Struct {
        fields: BTreeMap::from([(
            IMPERSONATED_IDENTITY.to_owned(),
            prost_types::Value {
                kind: Some(Kind::StringValue(id.to_owned())),
            },
        )]),
    });
    let mut request = tonic::Request::new(IstioCertificateRequest {
        csr: csr.to_owned(),
        validity_duration: seconds,
        metadata,
    });
    if !token.is_empty() {
        let value = format!("Bearer {token}").parse()?;
        request.metadata_mut().insert("authorization", value);
    }
    Ok(request)
}
