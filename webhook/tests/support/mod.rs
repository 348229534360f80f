//! A webhook without a cluster, and an HTTPS client that trusts what would be in its configuration.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use countersign_policy::MeshSettings;
use countersign_runtime::clock;
use countersign_scan::FingerprintKey;
use countersign_webhook::answer::State;
use countersign_webhook::cluster::Cluster;
use countersign_webhook::judge::Judge;
use countersign_webhook::metrics::Metrics;
use countersign_webhook::own::{Own, OwnSettings, Reader};
use countersign_webhook::settings::Settings;
use countersign_webhook::tls::authority::{Issued, issue};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::SignedDuration;
use prometheus_client::registry::Registry;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The name that the webhook is reached by.
pub const NAME: &str = "countersign-webhook.countersign-system.svc";

/// What a webhook with the default settings knows of an empty cluster; and its metrics.
pub fn state() -> Result<(Arc<State>, Registry)> {
    let mesh = MeshSettings {
        trust_domain: "cluster.local".parse()?,
        root_namespace: "istio-system".to_owned(),
    };
    let (own, _) = Own::new(OwnSettings {
        mesh,
        refuse_unknown_issuer: true,
        longest_waiver: 1,
    });
    let mut registry = Registry::default();
    let state = State {
        judge: Judge::new(&Settings::default(), FingerprintKey::new([7; 32]), "countersign-system"),
        own,
        cluster: Cluster::default(),
        metrics: Metrics::register(&mut registry),
    };
    Ok((Arc::new(state), registry))
}

/// A reader of a cluster that is not there: own kinds need one, and nothing else does.
pub fn reader() -> Result<Reader> {
    let nowhere = kube::Config::new("https://127.0.0.1:9".parse()?);
    Ok(Reader::new(kube::Client::try_from(nowhere)?))
}

/// A certificate for [`NAME`], made now.
pub fn certificate() -> Result<Issued> {
    Ok(issue(
        &[NAME.to_owned()],
        "test",
        clock::precise(),
        SignedDuration::from_hours(24),
    )?)
}

/// A connection by HTTP/1.1 or HTTP/2.
pub enum Client {
    /// One request after the other.
    One(http1::SendRequest<Full<Bytes>>),
    /// Many at once.
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Client {
    /// Connects, and speaks `protocol` (`h2` or `http/1.1`).
    pub async fn connect(address: SocketAddr, trusted: &[&CertificateDer<'static>], protocol: &str) -> Result<Self> {
        let stream = TokioIo::new(connect(address, trusted, protocol).await?);
        if protocol == "h2" {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
            tokio::spawn(connection);
            Ok(Self::Two(sender))
        } else {
            let (sender, connection) = http1::handshake(stream).await?;
            tokio::spawn(connection);
            Ok(Self::One(sender))
        }
    }

    /// The same connection for another request at the same time, where the protocol has that.
    pub fn try_clone(&self) -> Result<Self> {
        match self {
            Self::One(_) => bail!("HTTP/1.1 has one request at a time"),
            Self::Two(sender) => Ok(Self::Two(sender.clone())),
        }
    }

    /// Sends a request; gives the status code and the answer.
    pub async fn send(&mut self, method: &str, path: &str, body: Vec<u8>) -> Result<(u16, Bytes)> {
        let request = hyper::Request::builder()
            .method(method)
            .uri(format!("https://{NAME}{path}"))
            .header("host", NAME)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let response = match self {
            Self::One(sender) => sender.send_request(request).await?,
            Self::Two(sender) => sender.send_request(request).await?,
        };
        let code = response.status().as_u16();
        Ok((code, response.into_body().collect().await?.to_bytes()))
    }
}

/// Connects and verifies the certificate.
pub async fn connect(
    address: SocketAddr,
    trusted: &[&CertificateDer<'static>],
    protocol: &str,
) -> Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for authority in trusted {
        roots.add((*authority).clone())?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from(NAME)?;
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.context("the handshake failed")
}
