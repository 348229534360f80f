//! What the person who installs the agent can set at its start.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use countersign_runtime::records::ExportFlags;
use countersign_runtime::telemetry::LogFormat;

/// Gives the workloads of this node their SVIDs, over a Unix socket.
#[derive(Args, Clone, Debug)]
pub struct Flags {
    /// The Unix socket that workloads connect to. Its folder is made, and the socket of an earlier run is replaced.
    #[arg(long, env = "SOCKET", default_value = "/run/countersign/workload/api.sock")]
    pub socket: PathBuf,
    /// Where the signer is: <host>:<port>. The host must be a name in its certificate.
    #[arg(
        long,
        env = "SIGNER",
        default_value = "countersign-signer.countersign-system.svc:9443"
    )]
    pub signer: String,
    /// The file with the roots of the trust domain, in PEM. It is read anew for each connection.
    #[arg(
        long = "signer-ca",
        env = "SIGNER_CA",
        default_value = "/etc/countersign/roots/ca.crt"
    )]
    pub signer_ca: PathBuf,
    /// The file with the agent's token for the signer. It is read anew for each call.
    #[arg(long, env = "TOKEN", default_value = "/var/run/secrets/countersign/token")]
    pub token: PathBuf,
    /// The node that the agent runs on.
    #[arg(long, env = "NODE_NAME")]
    pub node: String,
    /// The trust domain of the identities.
    #[arg(long, env = "TRUST_DOMAIN", default_value = "cluster.local")]
    pub trust_domain: String,
    /// Where `/healthz`, `/readyz` and `/metrics` are served.
    #[arg(long, env = "METRICS_LISTEN", default_value = "0.0.0.0:8080")]
    pub metrics_listen: SocketAddr,
    /// How logs are written.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: LogFormat,
    /// Where records are sent.
    #[command(flatten)]
    pub export: ExportFlags,
}
