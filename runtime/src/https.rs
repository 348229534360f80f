//! HTTPS: connections, and their end.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service as _;
use tracing::{debug, info, warn};

use crate::tls::{Current, server_config};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::server::Acceptor;

/// How long a handshake may take, and the head of a request of somebody who is a stranger.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// How long requests that are under way get at the end.
const DRAIN: Duration = Duration::from_secs(10);

/// What a server bears.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many connections may be open. Further ones wait.
    pub connections: usize,
    /// How many requests at a time a connection may have, by HTTP/2.
    pub streams: u32,
    /// How long the head of a request may take by HTTP/1.1, counted from the end of the one before: so long a connection may
    /// lie idle. One that is closed while its client sends again fails that request. Clients that must not see that are to
    /// close first.
    pub head: Duration,
    /// After how long a client is told to connect anew, so that none keeps its place for good. Requests that are under way
    /// end first.
    pub age: Option<Duration>,
}

/// What keeps a binary from serving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// TLS cannot be configured.
    #[error("TLS cannot be configured: {0}")]
    Tls(#[from] rustls::Error),
}

/// Where a request comes from: an extension of each.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The certificates that a client showed in the handshake, its own first: an extension of each request. That it holds the key of
/// the first was proved there. Nothing else is known of them unless the server's configuration had them verified.
#[derive(Clone, Debug, Default)]
pub struct ClientCertificates(pub Arc<[CertificateDer<'static>]>);

/// Serves with whatever certificate is current.
pub struct Server {
    listener: TcpListener,
    connections: Arc<Semaphore>,
    each: Arc<Each>,
}

/// Which configuration of TLS a connection gets, by the name that its client asks for, if it does (SNI, RFC 6066 section 3).
pub type Choose = dyn Fn(Option<&str>) -> Arc<ServerConfig> + Send + Sync;

/// What each connection is served with.
struct Each {
    choose: Arc<Choose>,
    http: Builder<TokioExecutor>,
    age: Option<Duration>,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    ///
    /// If the address is taken, or TLS cannot be configured.
    pub async fn bind(address: SocketAddr, current: &Current, limits: Limits) -> Result<Self, ServeError> {
        Self::bind_with(address, server_config(current)?, limits).await
    }

    /// Listens, with a configuration of TLS that is the caller's.
    ///
    /// # Errors
    ///
    /// If the address is taken.
    pub async fn bind_with(address: SocketAddr, config: ServerConfig, limits: Limits) -> Result<Self, ServeError> {
        let config = Arc::new(config);
        Self::bind_by_name(address, Arc::new(move |_: Option<&str>| Arc::clone(&config)), limits).await
    }

    /// Listens, with a configuration of TLS that depends on the name which a client asks for.
    ///
    /// # Errors
    ///
    /// If the address is taken.
    pub async fn bind_by_name(address: SocketAddr, choose: Arc<Choose>, limits: Limits) -> Result<Self, ServeError> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| ServeError::Bind { address, source })?;
        let mut http = Builder::new(TokioExecutor::new());
        http.http1().timer(TokioTimer::new()).header_read_timeout(limits.head);
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(PATIENCE);
        Ok(Self {
            listener,
            connections: Arc::new(Semaphore::new(limits.connections)),
            each: Arc::new(Each {
                choose,
                http,
                age: limits.age,
            }),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`, then lets requests that are under way end.
    pub async fn run(self, router: Router, stop: CancellationToken) {
        let open = TaskTracker::new();
        loop {
            let permit = tokio::select! {
                permit = Arc::clone(&self.connections).acquire_owned() => permit,
                () = stop.cancelled() => break,
            };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            match (accepted, permit) {
                (Ok((stream, peer)), Ok(permit)) => {
                    let each = Arc::clone(&self.each);
                    let served = each.serve(stream, Peer(peer), router.clone(), stop.clone());
                    open.spawn(holding(permit, served));
                }
                (Err(error), _) => {
                    warn!(%error, "a connection cannot be accepted");
                    sleep(Duration::from_millis(100)).await;
                }
                (_, Err(_)) => break,
            }
        }
        drop(self.listener);
        open.close();
        info!(connections = open.len(), "ends its connections");
        if timeout(DRAIN, open.wait()).await.is_err() {
            warn!("some requests did not end in time");
        }
    }
}

async fn holding(permit: OwnedSemaphorePermit, served: impl Future<Output = ()>) {
    served.await;
    drop(permit);
}

impl Each {
    async fn serve(self: Arc<Self>, stream: TcpStream, peer: Peer, router: Router, stop: CancellationToken) {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "a connection cannot be set up");
        }
        match timeout(PATIENCE, self.handshake(stream)).await {
            Ok(Ok(stream)) => self.answer(stream, peer, router, stop).await,
            Ok(Err(error)) => debug!(%error, "a handshake failed"),
            Err(_) => debug!("a handshake took too long"),
        }
    }

    async fn handshake(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        let begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let config = (self.choose)(begun.client_hello().server_name());
        begun.into_stream(config).await
    }

    async fn answer(&self, stream: TlsStream<TcpStream>, peer: Peer, router: Router, stop: CancellationToken) {
        let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let shown: Arc<[CertificateDer<'static>]> = shown
            .iter()
            .map(|certificate| certificate.clone().into_owned())
            .collect();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(ClientCertificates(Arc::clone(&shown)));
            router.clone().call(request.map(Body::new))
        });
        let mut connection = pin!(self.http.serve_connection(TokioIo::new(stream), service));
        let old = async {
            match self.age {
                Some(age) => sleep(age).await,
                None => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            () = old => None,
            () = stop.cancelled() => None,
        };
        let ended = if let Some(ended) = ended {
            ended
        } else {
            connection.as_mut().graceful_shutdown();
            connection.await
        };
        if let Err(error) = ended {
            debug!(%error, "a connection broke");
        }
    }
}
