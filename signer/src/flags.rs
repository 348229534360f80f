//! What the person who installs the signer can set at its start.

use std::net::SocketAddr;

use clap::Parser;
use countersign_runtime::process::host_name;
use countersign_runtime::telemetry::LogFormat;

/// Gives short-lived X.509-SVIDs to workloads.
#[derive(Clone, Debug, Parser)]
#[command(name = "countersign-signer", version)]
pub struct Flags {
    /// The trust domain of the identities. It must not change: an authority is for one.
    #[arg(long, env = "TRUST_DOMAIN", default_value = "cluster.local")]
    pub trust_domain: String,
    /// Where `/healthz`, `/readyz` and `/metrics` are served.
    #[arg(long, env = "METRICS_LISTEN", default_value = "0.0.0.0:8080")]
    pub metrics_listen: SocketAddr,
    /// The signer's own namespace.
    #[arg(long, env = "POD_NAMESPACE", default_value = "countersign-system")]
    pub namespace: String,
    /// What this replica is called. The default is the host's name.
    #[arg(long, env = "POD_NAME", default_value_t = host_name())]
    pub identity: String,
    /// How logs are written.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: LogFormat,
}
