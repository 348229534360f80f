//! What the person who installs the operator can set.

use std::net::SocketAddr;

use clap::Parser;
use countersign_runtime::process::host_name;
use countersign_runtime::records::ExportFlags;
use countersign_runtime::telemetry::LogFormat;

/// Makes the mesh mean what the cluster's `ApiAuthPolicy` objects say.
#[derive(Clone, Debug, Parser)]
#[command(name = "countersign-operator", version)]
pub struct Settings {
    /// The trust domain of the mesh's identities, as in Istio's mesh configuration.
    #[arg(long, env = "TRUST_DOMAIN", default_value = "cluster.local")]
    pub trust_domain: String,
    /// The mesh's root namespace, as in Istio's mesh configuration.
    #[arg(long, env = "ROOT_NAMESPACE", default_value = "istio-system")]
    pub root_namespace: String,
    /// Where `/healthz`, `/readyz` and `/metrics` are served.
    #[arg(long, env = "LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// The namespace of the Lease that the replicas compete for: the operator's own.
    #[arg(long, env = "POD_NAMESPACE", default_value = "countersign-system")]
    pub namespace: String,
    /// What this replica is called in the Lease and in events. The default is the host's name.
    #[arg(long, env = "POD_NAME", default_value_t = host_name())]
    pub identity: String,
    /// How logs are written.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: LogFormat,
    /// Where records are sent.
    #[command(flatten)]
    pub export: ExportFlags,
}
