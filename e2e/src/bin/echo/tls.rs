//! Mutual TLS with a credential bundle and roots that the kubelet mounts, read anew for each connection: they are replaced
//! while this runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use clap::Args;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Where the files are.
#[derive(Args, Clone)]
pub(crate) struct Mounted {
    /// A PEM file with a private key and its certificate chain: speak mutual TLS with it.
    #[arg(long, env = "CREDENTIAL", requires = "roots")]
    credential: Option<PathBuf>,
    /// A PEM file with the roots by which peers are trusted.
    #[arg(long, env = "ROOTS", requires = "credential")]
    roots: Option<PathBuf>,
}

/// The same, where there are some.
#[derive(Clone)]
pub(crate) struct Files {
    credential: PathBuf,
    roots: PathBuf,
}

impl Mounted {
    pub(crate) fn files(&self) -> Option<Files> {
        Some(Files {
            credential: self.credential.clone()?,
            roots: self.roots.clone()?,
        })
    }
}

impl Files {
    fn chain(&self) -> Result<Vec<CertificateDer<'static>>> {
        let chain =
            CertificateDer::pem_file_iter(&self.credential).with_context(|| self.credential.display().to_string())?;
        Ok(chain.collect::<Result<_, _>>()?)
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>> {
        PrivateKeyDer::from_pem_file(&self.credential).with_context(|| self.credential.display().to_string())
    }

    fn trusted(&self) -> Result<Arc<RootCertStore>> {
        let mut store = RootCertStore::empty();
        for root in CertificateDer::pem_file_iter(&self.roots).with_context(|| self.roots.display().to_string())? {
            store.add(root?)?;
        }
        Ok(Arc::new(store))
    }

    fn server(&self) -> Result<ServerConfig> {
        let provider = Arc::new(default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(self.trusted()?, Arc::clone(&provider)).build()?;
        Ok(ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.chain()?, self.key()?)?)
    }

    pub(crate) fn client(&self) -> Result<ClientConfig> {
        Ok(ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(self.trusted()?)
            .with_client_auth_cert(self.chain()?, self.key()?)?)
    }
}

/// Takes connections of those who show a certificate.
pub(crate) struct MutualTls {
    pub(crate) listener: TcpListener,
    pub(crate) files: Files,
}

/// Who is at the other end: the URI in its certificate.
#[derive(Clone, Debug)]
pub(crate) struct Peer(pub(crate) String);

impl Listener for MutualTls {
    type Io = TlsStream<TcpStream>;
    type Addr = Peer;

    async fn accept(&mut self) -> (Self::Io, Peer) {
        loop {
            match self.next().await {
                Ok(accepted) => return accepted,
                Err(error) => {
                    eprintln!("echo: {error:#}");
                    sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Peer> {
        Ok(Peer(String::new()))
    }
}

impl MutualTls {
    async fn next(&self) -> Result<(TlsStream<TcpStream>, Peer)> {
        let (stream, _) = self.listener.accept().await?;
        let acceptor = TlsAcceptor::from(Arc::new(self.files.server()?));
        let stream = timeout(Duration::from_secs(5), acceptor.accept(stream)).await??;
        let peer = stream
            .get_ref()
            .1
            .peer_certificates()
            .and_then(|chain| uri(chain.first()?));
        Ok((stream, Peer(peer.context("the peer's certificate has no URI")?)))
    }
}

fn uri(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let names = parsed.subject_alternative_name().ok()??;
    names.value.general_names.iter().find_map(|name| match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    })
}

impl Connected<IncomingStream<'_, MutualTls>> for Peer {
    fn connect_info(stream: IncomingStream<'_, MutualTls>) -> Self {
        stream.remote_addr().clone()
    }
}
