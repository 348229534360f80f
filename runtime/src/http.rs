//! Health, readiness and metrics over HTTP. They tell nothing that needs protecting.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::telemetry;

/// What keeps the server from serving.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The server ended.
    #[error("the HTTP server failed: {0}")]
    Serve(std::io::Error),
}

/// Whether a binary does its work, or what is still missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It does.
    Ready,
    /// This is missing.
    Missing(&'static str),
}

#[derive(Clone)]
struct Health {
    registry: Arc<Registry>,
    records: Arc<Registry>,
    ready: watch::Receiver<Readiness>,
}

/// Serves until `stop`. Beside the metrics of `registry`, it tells what became of the records that the process sends on.
pub async fn serve(
    address: SocketAddr,
    registry: Arc<Registry>,
    ready: watch::Receiver<Readiness>,
    stop: CancellationToken,
) -> Result<(), HttpError> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| HttpError::Bind { address, source })?;
    info!(%address, "serves /healthz, /readyz and /metrics");
    let mut records = Registry::with_prefix("countersign");
    if let Some(fates) = telemetry::fates() {
        fates.register(&mut records);
    }
    let health = Health {
        registry,
        records: Arc::new(records),
        ready,
    };
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready_state))
        .route("/metrics", get(metrics_text))
        .with_state(health);
    axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
        .map_err(HttpError::Serve)
}

async fn ready_state(State(health): State<Health>) -> (StatusCode, &'static str) {
    match *health.ready.borrow() {
        Readiness::Ready => (StatusCode::OK, "ok"),
        Readiness::Missing(what) => (StatusCode::SERVICE_UNAVAILABLE, what),
    }
}

async fn metrics_text(State(health): State<Health>) -> Response {
    match encoded(&health) {
        Ok(text) => (
            [(
                header::CONTENT_TYPE,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            )],
            text,
        )
            .into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn encoded(health: &Health) -> Result<String, fmt::Error> {
    let mut out = String::new();
    text::encode_registry(&mut out, &health.registry)?;
    text::encode_registry(&mut out, &health.records)?;
    text::encode_eof(&mut out)?;
    Ok(out)
}
