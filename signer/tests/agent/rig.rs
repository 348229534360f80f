//! A node: the signer's service over real TLS, the agent on a real Unix socket, and an API server that is a list of Pods.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use countersign_identity::bundle::Root;
use countersign_identity::jwt_svid::JwtSigner;
use countersign_identity::{Bundle, Bundles, SpiffeId};
use countersign_runtime::clock;
use countersign_runtime::http::Readiness;
use countersign_runtime::https::Server;
use countersign_runtime::tls::Current as Shown;
use countersign_signer::agent::Agent;
use countersign_signer::agent::attest::Attestor;
use countersign_signer::agent::link::Place;
use countersign_signer::agent::metrics::AgentMetrics;
use countersign_signer::agent::pods::{LocalPod, Pods};
use countersign_signer::agent::refusal::Refusal;
use countersign_signer::identities::{Entry, Identities};
use countersign_signer::issue::{Current, IssueMetrics, Issuer};
use countersign_signer::istio::serving::{Keeper, Own, service_names};
use countersign_signer::istio::{self, LIMITS};
use countersign_signer::node::proto::node_agent_client::NodeAgentClient;
use countersign_signer::node::{self, AUDIENCE, Token, TokenError, Tokens};
use countersign_signer::pem;
use jiff::{SignedDuration, Timestamp};
use prometheus_client::registry::Registry;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};

use crate::support::{Ca, Kept, NAME, World, channel, review};

/// UIDs as Kubernetes makes them.
pub const WEB: &str = "0f7d9c1e-3a52-4c0b-9d1c-5e6f7a8b9c0d";
pub const AGENT_TOKEN: &str = "eyJ.agent.sig";

/// Signs tokens with one key.
pub struct Key(JwtSigner);

impl Key {
    pub fn new(id: &str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self(JwtSigner::from_pkcs8(id, key.to_pkcs8v1().unwrap().as_ref()).unwrap())
    }
}

impl Tokens for Key {
    fn issue(&self, spiffe_id: &SpiffeId, audiences: &[String], now: Timestamp) -> Result<Token, TokenError> {
        let audiences: Vec<&str> = audiences.iter().map(String::as_str).collect();
        let lifetime = SignedDuration::from_mins(5);
        let text = self
            .0
            .sign(spiffe_id, &audiences, lifetime, now, "t1", &SystemRandom::new())
            .map_err(|error| TokenError::Invalid(error.to_string()))?;
        Ok(Token {
            text,
            expires: now + lifetime,
        })
    }
}

/// Says that everybody who connects is one Pod, or why nobody is.
#[derive(Clone)]
pub struct Says(pub Arc<Mutex<Result<String, Refusal>>>);

impl Attestor for Says {
    fn attest(&self, _: &UnixStream) -> Result<String, Refusal> {
        self.0.lock().unwrap().clone()
    }
}

/// The signer's service for agents, until it is dropped.
pub struct Signer {
    pub world: World,
    pub ca: Ca,
    pub identities: Identities,
    pub bundles: watch::Sender<Arc<Bundles>>,
    pub books: Arc<Kept>,
    pub registry: Registry,
    pub key: Arc<Key>,
    address: std::net::SocketAddr,
    stop: CancellationToken,
}

impl Drop for Signer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Signer {
    /// With an agent on node n1 whose token is [`AGENT_TOKEN`].
    pub async fn serve() -> Result<Self> {
        let world = World::default();
        world.pod("countersign-system", "countersign-agent", "agent-1", "agent-uid", "n1");
        world.token(
            AGENT_TOKEN,
            review(
                "countersign-system",
                "countersign-agent",
                "agent-1",
                "agent-uid",
                AUDIENCE,
            ),
        );
        let ca = Ca::new()?;
        world.trust(vec![ca.root.clone()]);
        let current = Current::default();
        current.set(Some(Arc::clone(&ca.authority)));
        let mut registry = Registry::default();
        let metrics = Arc::new(IssueMetrics::default());
        metrics.register(&mut registry);
        let books = Arc::new(Kept::default());
        let issuer = Issuer::new(current.clone(), metrics, Arc::clone(&books) as _);
        let shown = Shown::default();
        let keeper = Keeper {
            issuer: issuer.clone(),
            authority: current,
            own: Own {
                spiffe_id: "spiffe://cluster.local/ns/countersign-system/sa/countersign-signer".parse()?,
                namespace: "countersign-system".to_owned(),
                service_account: "countersign-signer".to_owned(),
                dns_names: service_names("countersign-signer", "countersign-system", "cluster.local"),
            },
            shown: shown.clone(),
        };
        keeper.renew(clock::precise())?;
        let identities = Identities::new("cluster.local".parse()?);
        identities.listed(|_| true);
        let key = Arc::new(Key::new("k1"));
        let bundles = watch::Sender::new(Arc::new(Bundles::new(bundle("cluster.local", &ca.root, &key))));
        let stop = CancellationToken::new();
        let service = node::Service::new(node::Parts {
            agent: "countersign-system/countersign-agent".parse()?,
            cluster: world.clone(),
            issuer: issuer.clone(),
            tokens: Arc::clone(&key) as _,
            identities: identities.clone(),
            bundles: bundles.subscribe(),
            stop: stop.clone(),
        });
        let server = Server::bind("127.0.0.1:0".parse()?, &shown, LIMITS).await?;
        let address = server.address()?;
        let mesh = istio::Service::new(istio::Parts {
            settings: istio::Settings::new("cluster.local".parse()?),
            cluster: world.clone(),
            issuer,
            profiles: Arc::new(world.clone()),
            roots: Arc::new(world.clone()),
        });
        let both = istio::router(mesh).merge(node::router(service));
        tokio::spawn(server.run(both, stop.clone()));
        Ok(Self {
            world,
            ca,
            identities,
            bundles,
            books,
            registry,
            key,
            address,
            stop,
        })
    }

    /// Has a `ServiceIdentity` for an account of a namespace.
    pub fn identity(&self, namespace: &str, account: &str, more: &Value) {
        let mut spec = json!({"serviceAccountName": account});
        for (name, value) in more.as_object().into_iter().flatten() {
            spec[name] = value.clone();
        }
        let object = json!({
            "apiVersion": "countersign.dev/v1alpha1", "kind": "ServiceIdentity",
            "metadata": {"namespace": namespace, "name": account, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": spec,
        });
        self.identities
            .insert(Entry::read(&serde_json::from_value(object).unwrap()));
    }

    /// What an agent calls, without an agent.
    pub async fn client(&self) -> Result<NodeAgentClient<Channel>> {
        Ok(NodeAgentClient::new(self.channel().await?))
    }

    /// Where all that the signer serves is reached.
    pub async fn channel(&self) -> Result<Channel> {
        channel(self.address, &self.ca.root).await
    }

    /// The metrics.
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }
}

/// A bundle with one root, and the key of tokens.
pub fn bundle(trust_domain: &str, root: &CertificateDer<'static>, key: &Key) -> Bundle {
    let mut bundle = Bundle::new(trust_domain.parse().unwrap());
    assert!(bundle.add_root(Root::read(root.clone()).unwrap()));
    assert!(bundle.add_jwt_key(key.0.verification_key().unwrap()));
    bundle
}

/// An agent on a socket, until it is dropped.
pub struct Node {
    pub signer: Signer,
    pub pods: Pods,
    pub caller: Says,
    pub ready: watch::Receiver<Readiness>,
    pub registry: Registry,
    folder: TempDir,
    stop: CancellationToken,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Node {
    /// With the Pod shop/web-1 of the account web, whose `ServiceIdentity` has nothing but defaults. It is the caller.
    pub async fn start() -> Result<Self> {
        let caller = Says(Arc::new(Mutex::new(Ok(WEB.to_owned()))));
        let node = Self::start_with(Arc::new(caller.clone()), caller).await?;
        node.pod("shop", "web", "web-1", WEB);
        node.pods.retain(&[WEB.to_owned()].into());
        node.signer.identity("shop", "web", &json!({}));
        Ok(node)
    }

    /// With an attestor.
    pub async fn start_with(attestor: Arc<dyn Attestor>, caller: Says) -> Result<Self> {
        let signer = Signer::serve().await?;
        let folder = tempfile::tempdir()?;
        let file = |name: &str, text: &str| -> Result<PathBuf> {
            let path = folder.path().join(name);
            std::fs::write(&path, text)?;
            Ok(path)
        };
        let place = Place {
            address: signer.address.to_string(),
            name: ServerName::try_from(NAME)?,
            roots: file("ca.crt", &pem::certificates(std::slice::from_ref(&signer.ca.root)))?,
            token: file("token", AGENT_TOKEN)?,
        };
        let pods = Pods::default();
        let mut registry = Registry::default();
        let metrics = AgentMetrics::default();
        metrics.register(&mut registry);
        let (ready, is_ready) = watch::channel(Readiness::Missing("everything"));
        let agent = Agent {
            socket: folder.path().join("workload/api.sock"),
            signer: place,
            trust_domain: "cluster.local".parse()?,
            pods: pods.clone(),
            attestor,
            metrics,
            ready,
        };
        let stop = CancellationToken::new();
        let socket = agent.socket.clone();
        let running = tokio::spawn(agent.run(stop.clone()));
        while !socket.exists() {
            anyhow::ensure!(!running.is_finished(), "the agent ended");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(Self {
            signer,
            pods,
            caller,
            ready: is_ready,
            registry,
            folder,
            stop,
        })
    }

    /// Puts a Pod on the node, for the API server and for the agent.
    pub fn pod(&self, namespace: &str, account: &str, name: &str, uid: &str) {
        self.signer.world.pod(namespace, account, name, uid, "n1");
        self.pods.insert(LocalPod {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: uid.to_owned(),
            ended: false,
        });
    }

    /// Has this Pod call from now on, by new connections.
    pub fn call_as(&self, uid: Result<&str, Refusal>) {
        *self.caller.0.lock().unwrap() = uid.map(str::to_owned);
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("workload/api.sock")
    }

    /// Ends the agent, and waits until it has.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Someone else's client.
    pub async fn client(&self) -> Result<spiffe::WorkloadApiClient> {
        let address = format!("unix://{}", self.socket().display());
        spiffe::WorkloadApiClient::connect_to(&address)
            .await
            .context("no connection")
    }

    pub fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }
}

/// A plain channel to a Unix socket.
pub async fn unix(path: &Path) -> Result<Channel> {
    Ok(Endpoint::try_from(format!("unix://{}", path.display()))?
        .connect()
        .await?)
}
