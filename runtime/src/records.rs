//! Records that are sent on: what was decided, over OTLP to a collector of OpenTelemetry. Nothing waits for the collector.

mod fates;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use http::Uri;
use opentelemetry::logs::LogRecord as _;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig};
use opentelemetry_otlp::{ExporterBuildError, LogExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord, SdkLoggerProvider};
use tracing::level_filters::LevelFilter;
use tracing::warn;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::Registry;

use crate::clock;
use crate::process::host_name;
use fates::Queue;
pub use fates::{Fates, Loss};

/// The targets of records. They are logged whatever levels are asked for, and nothing else is sent on.
pub const RECORDS: [&str; 6] = [
    "countersign_admission",
    "countersign_agent::refused",
    "countersign_decision",
    "countersign_security",
    "countersign_signer::issued",
    "countersign_signer::refused",
];

/// How long the end of a process waits for records that are not sent yet.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where records are sent.
#[derive(Args, Clone, Debug, Default)]
pub struct ExportFlags {
    /// The collector that records are sent to with OTLP over gRPC: `https://host:4317`, or `http://` within a mesh. Nothing is sent
    /// if it is empty.
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        default_value = "",
        hide_env_values = true
    )]
    pub otlp_endpoint: String,
    /// A file with the certificate authorities of a collector at `https://`, as PEM.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_CERTIFICATE")]
    pub otlp_ca: Option<PathBuf>,
}

/// Why records cannot be sent. It does not quote the endpoint: that may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// No URL of a collector.
    #[error("--otlp-endpoint: {0}; write https://host:port or http://host:port")]
    Endpoint(&'static str),
    /// Nobody to trust.
    #[error("--otlp-ca: an endpoint at https:// needs the certificate authorities of the collector")]
    NoAuthorities,
    /// They cannot be read.
    #[error("--otlp-ca: {path}: {error}")]
    Authorities {
        /// The file.
        path: String,
        /// What is wrong with it.
        error: std::io::Error,
    },
    /// The exporter cannot be made.
    #[error("--otlp-endpoint: records cannot be sent there: {0}")]
    Build(#[from] ExporterBuildError),
}

/// Sends records until it is dropped, and then what waits.
#[derive(Debug)]
pub struct Export {
    provider: SdkLoggerProvider,
    fates: Fates,
}

impl Export {
    /// Begins to send records, if there is an endpoint.
    ///
    /// # Errors
    ///
    /// If the flags do not say where.
    pub fn begin(service: &'static str, flags: &ExportFlags) -> Result<Option<Self>, ExportError> {
        if flags.otlp_endpoint.is_empty() {
            return Ok(None);
        }
        let encrypted = is_encrypted(&flags.otlp_endpoint)?;
        let mut exporter = LogExporter::builder().with_tonic().with_endpoint(&flags.otlp_endpoint);
        if encrypted {
            exporter = exporter.with_tls_config(authorities(flags)?);
        }
        let fates = Fates::default();
        let provider = SdkLoggerProvider::builder()
            .with_resource(resource(service))
            .with_log_processor(Stamp)
            .with_log_processor(Queue::new(exporter.build()?, fates.clone()))
            .build();
        Ok(Some(Self { provider, fates }))
    }

    /// What became of the records.
    pub fn fates(&self) -> Fates {
        self.fates.clone()
    }

    /// What takes in the records, and only those: not what the exporter and its connection say of themselves.
    pub fn layer(&self) -> Box<dyn Layer<Registry> + Send + Sync> {
        let records = Targets::new().with_targets(RECORDS.map(|target| (target, LevelFilter::INFO)));
        OpenTelemetryTracingBridge::new(&self.provider)
            .with_filter(records)
            .boxed()
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        if let Err(error) = self.provider.shutdown_with_timeout(PATIENCE) {
            warn!(%error, "the last records may not have reached the collector");
        }
    }
}

/// Whether the collector is at `https://`.
fn is_encrypted(endpoint: &str) -> Result<bool, ExportError> {
    let uri: Uri = endpoint.parse().map_err(|_| ExportError::Endpoint("not a URL"))?;
    let authority = uri.authority().ok_or(ExportError::Endpoint("no host"))?;
    if authority.as_str().contains('@') {
        return Err(ExportError::Endpoint("a user or a password does not belong there"));
    }
    if authority.host().is_empty() {
        return Err(ExportError::Endpoint("no host"));
    }
    if uri.path_and_query().is_some_and(|path| path != "/") {
        return Err(ExportError::Endpoint("OTLP over gRPC has no path"));
    }
    match uri.scheme_str() {
        Some("https") => Ok(true),
        Some("http") => Ok(false),
        _ => Err(ExportError::Endpoint("neither https nor http")),
    }
}

fn authorities(flags: &ExportFlags) -> Result<ClientTlsConfig, ExportError> {
    let path = flags.otlp_ca.as_ref().ok_or(ExportError::NoAuthorities)?;
    let pem = std::fs::read(path).map_err(|error| ExportError::Authorities {
        path: path.display().to_string(),
        error,
    })?;
    Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)))
}

/// Who sends, by the names of OpenTelemetry's semantic conventions. `OTEL_RESOURCE_ATTRIBUTES` adds to it.
fn resource(service: &'static str) -> Resource {
    let pod = std::env::var("POD_NAME").ok();
    let instance = pod.clone().unwrap_or_else(host_name);
    let namespace = std::env::var("POD_NAMESPACE").ok();
    Resource::builder()
        .with_service_name(service)
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", instance))
        .with_attributes(pod.map(|pod| KeyValue::new("k8s.pod.name", pod)))
        .with_attributes(namespace.map(|namespace| KeyValue::new("k8s.namespace.name", namespace)))
        .build()
}

/// Says when a record was made: the bridge only leaves when it was seen.
#[derive(Debug)]
struct Stamp;

impl LogProcessor for Stamp {
    fn emit(&self, record: &mut SdkLogRecord, _: &InstrumentationScope) {
        record.set_timestamp(clock::precise().into());
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
