//! What the person who installs the webhook can set at its start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use countersign_runtime::process::host_name;
use countersign_runtime::records::ExportFlags;
use countersign_runtime::telemetry::LogFormat;
use countersign_scan::parse_seconds;

/// Refuses objects with static keys or long-lived tokens in them.
#[derive(Clone, Debug, Parser)]
#[command(name = "countersign-webhook", version)]
pub struct Flags {
    /// Where the API server reaches the webhook.
    #[arg(long, env = "LISTEN", default_value = "0.0.0.0:8443")]
    pub listen: SocketAddr,
    /// Where `/healthz`, `/readyz` and `/metrics` are served.
    #[arg(long, env = "METRICS_LISTEN", default_value = "0.0.0.0:8080")]
    pub metrics_listen: SocketAddr,
    /// The webhook's own namespace.
    #[arg(long, env = "POD_NAMESPACE", default_value = "countersign-system")]
    pub namespace: String,
    /// The Service that the API server reaches the webhook by.
    #[arg(long, env = "SERVICE", default_value = "countersign-webhook")]
    pub service: String,
    /// What this replica is called. The default is the host's name.
    #[arg(long, env = "POD_NAME", default_value_t = host_name())]
    pub identity: String,
    /// A `ValidatingWebhookConfiguration` that the webhook keeps its certificate authority in.
    #[arg(
        long = "configuration",
        env = "CONFIGURATIONS",
        value_delimiter = ',',
        required = true
    )]
    pub configurations: Vec<String>,
    /// A further host name or address to serve, where a configuration names the webhook by `url`.
    #[arg(long = "server-name", env = "SERVER_NAMES", value_delimiter = ',')]
    pub server_names: Vec<String>,
    /// How long a serving certificate lives. It is renewed after two thirds of that.
    #[arg(long, env = "CERTIFICATE_LIFETIME", default_value = "24h", value_parser = lifetime)]
    pub certificate_lifetime: Duration,
    /// The settings file. Without it, everything has its default.
    #[arg(long, env = "SETTINGS")]
    pub settings: Option<PathBuf>,
    /// A file with 32 random bytes: the key of the fingerprints in messages, waivers and reports.
    #[arg(
        long,
        env = "FINGERPRINT_KEY_FILE",
        required_unless_present = "fingerprint_key_secret"
    )]
    pub fingerprint_key_file: Option<PathBuf>,
    /// A Secret in the webhook's namespace that holds them as `key`. It is made if it does not exist.
    #[arg(long, env = "FINGERPRINT_KEY_SECRET", conflicts_with = "fingerprint_key_file")]
    pub fingerprint_key_secret: Option<String>,
    /// Whether what is in the cluster is read and reported, by one of the replicas. Without it only the status of
    /// waivers is kept.
    #[arg(long, env = "AUDIT", default_value_t = true, action = clap::ArgAction::Set)]
    pub audit: bool,
    /// Whether the audit reads Secrets too. The right to do so is the right to read the keys of the certificate authority.
    #[arg(long, env = "AUDIT_SECRETS", default_value_t = false, action = clap::ArgAction::Set)]
    pub audit_secrets: bool,
    /// The trust domain of the mesh's identities, as in Istio's mesh configuration.
    #[arg(long, env = "TRUST_DOMAIN", default_value = "cluster.local")]
    pub trust_domain: String,
    /// The mesh's root namespace, as in Istio's mesh configuration.
    #[arg(long, env = "ROOT_NAMESPACE", default_value = "istio-system")]
    pub root_namespace: String,
    /// How logs are written.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: LogFormat,
    /// Where records are sent.
    #[command(flatten)]
    pub export: ExportFlags,
}

impl Flags {
    /// The names in the serving certificate.
    pub fn names(&self) -> Vec<String> {
        let service = format!("{}.{}.svc", self.service, self.namespace);
        std::iter::once(service)
            .chain(self.server_names.iter().cloned())
            .collect()
    }
}

/// Long enough that a renewal can fail a few times before the end.
fn lifetime(text: &str) -> Result<Duration, String> {
    const SHORTEST: u64 = 30;
    let seconds = parse_seconds(text).map_err(|error| error.to_string())?;
    match u64::try_from(seconds) {
        Ok(seconds) if seconds >= SHORTEST => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("`{text}` is shorter than {SHORTEST}s")),
    }
}
