//! HTTPS: connections, and their end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::tls::{Current, server_config};

/// How many connections may be open. An API server keeps a few.
const CONNECTIONS: usize = 512;
/// How long a handshake, or the head of a request, may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long requests that are under way get at the end.
const DRAIN: Duration = Duration::from_secs(10);

/// What keeps the webhook from serving.
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

/// Serves with whatever certificate is current.
pub struct Server {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    http: Builder<TokioExecutor>,
    connections: Arc<Semaphore>,
}

impl Server {
    /// Listens.
    pub async fn bind(address: SocketAddr, current: &Current) -> Result<Self, ServeError> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| ServeError::Bind { address, source })?;
        let mut http = Builder::new(TokioExecutor::new());
        http.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(250)
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(PATIENCE);
        Ok(Self {
            listener,
            acceptor: TlsAcceptor::from(Arc::new(server_config(current)?)),
            http,
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`, then lets requests that are under way end.
    pub async fn run(self, router: Router, stop: CancellationToken) {
        let graceful = GracefulShutdown::new();
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
                (Ok((stream, _)), Ok(permit)) => self.take(stream, permit, router.clone(), graceful.watcher()),
                (Err(error), _) => {
                    warn!(%error, "a connection cannot be accepted");
                    sleep(Duration::from_millis(100)).await;
                }
                (_, Err(_)) => break,
            }
        }
        drop(self.listener);
        info!(connections = graceful.count(), "ends its connections");
        if timeout(DRAIN, graceful.shutdown()).await.is_err() {
            warn!("some requests did not end in time");
        }
    }

    fn take(&self, stream: TcpStream, permit: OwnedSemaphorePermit, router: Router, watcher: Watcher) {
        let (acceptor, http) = (self.acceptor.clone(), self.http.clone());
        tokio::spawn(async move {
            let _permit = permit;
            if let Err(error) = stream.set_nodelay(true) {
                debug!(%error, "a connection cannot be set up");
            }
            let stream = match timeout(PATIENCE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => return debug!(%error, "a handshake failed"),
                Err(_) => return debug!("a handshake took too long"),
            };
            let service = TowerToHyperService::new(router);
            let connection = http.serve_connection(TokioIo::new(stream), service).into_owned();
            if let Err(error) = watcher.watch(connection).await {
                debug!(%error, "a connection broke");
            }
        });
    }
}
