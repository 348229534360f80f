//! The bundle endpoint: where foreign trust domains fetch the bundle of this one (SPIFFE Federation standard, section 5, profile
//! `https_web`). It tells public keys only, to whoever asks.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use countersign_identity::Bundle;
use countersign_runtime::https::{Limits, PATIENCE, ServeError, Server};
use countersign_runtime::tls::Current;
use countersign_runtime::tls::files::Files;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::authority::hex;

/// What one replica bears.
const LIMITS: Limits = Limits {
    connections: 256,
    streams: 8,
    head: PATIENCE,
    age: Some(Duration::from_mins(5)),
};
/// For how long caches may keep an answer, in seconds: less than any consumer's refresh, so that none gets it late.
const LONGEST_CACHED: u64 = 60;

/// The bundle of the own trust domain; none before it was read.
type Own = watch::Receiver<Option<Arc<Bundle>>>;

/// The server.
pub struct Endpoint {
    server: Server,
    files: Files,
    router: Router,
}

impl Endpoint {
    /// Listens. `certificate` is a directory with `tls.crt` and `tls.key`, as of a mounted Secret: before they are there and fit,
    /// no connection comes about.
    ///
    /// # Errors
    ///
    /// If the address is taken, or TLS cannot be configured.
    pub async fn bind(address: SocketAddr, certificate: impl Into<PathBuf>, own: Own) -> Result<Self, ServeError> {
        let current = Current::default();
        Ok(Self {
            server: Server::bind(address, &current, LIMITS).await?,
            files: Files::new(certificate, current),
            router: router(own),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.server.address()
    }

    /// Serves until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        if let Ok(address) = self.server.address() {
            info!(%address, "serves the bundle endpoint");
        }
        tokio::join!(self.files.run(stop.clone()), self.server.run(self.router, stop));
    }
}

fn router(own: Own) -> Router {
    Router::new().route("/", get(bundle)).with_state(own)
}

async fn bundle(State(own): State<Own>, asked: HeaderMap) -> Response {
    let Some(bundle) = own.borrow().clone() else {
        let why = "the bundle was not read yet: try again in a moment\n";
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")], why).into_response();
    };
    let body = bundle.to_jwks();
    let tag = format!("\"{}\"", hex(&Sha256::digest(&body)));
    let age = bundle.refresh_hint.unwrap_or(LONGEST_CACHED).min(LONGEST_CACHED);
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CACHE_CONTROL, format!("public, max-age={age}")),
        (header::ETAG, tag.clone()),
    ];
    if has(&asked, &tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, body).into_response()
}

/// Whether the client has what has this tag (RFC 9110 section 13.1.2).
fn has(asked: &HeaderMap, tag: &str) -> bool {
    asked
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|named| named == "*" || named.strip_prefix("W/").unwrap_or(named) == tag)
}

#[cfg(test)]
mod tests;
