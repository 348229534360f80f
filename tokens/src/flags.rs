//! What the person who installs the token service can set at its start.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Parser;
use countersign_runtime::process::host_name;
use countersign_runtime::records::ExportFlags;
use countersign_runtime::telemetry::LogFormat;
use ipnet::IpNet;
use zeroize::Zeroizing;

/// Where the store is. It may hold a password, and is never shown.
#[derive(Clone)]
pub struct StoreUrl(Zeroizing<String>);

impl StoreUrl {
    /// The URL, for the store.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for StoreUrl {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreUrl(…)")
    }
}

/// Gives short tokens to machines, partners and users: an OAuth 2.0 authorization server for each managed TokenIssuer.
#[derive(Clone, Debug, Parser)]
#[command(name = "countersign-tokens", version)]
pub struct Flags {
    /// Where the endpoints are served, over HTTPS.
    #[arg(long, env = "LISTEN", default_value = "0.0.0.0:8443")]
    pub listen: SocketAddr,
    /// A folder with `tls.crt` and `tls.key`: the certificate that is shown there. If `ca.crt` is there too, it is what clients
    /// trust, and how it is seen whether they reach the issuers.
    #[arg(long, env = "TLS_CERTIFICATE", default_value = "/var/run/countersign/tls")]
    pub tls_certificate: PathBuf,
    /// Where `/healthz`, `/readyz` and `/metrics` are served.
    #[arg(long, env = "METRICS_LISTEN", default_value = "0.0.0.0:8080")]
    pub metrics_listen: SocketAddr,
    /// What is remembered, and where: `sqlite:/path/to/file.db` for one replica, or `postgres://user@host/database` for several.
    #[arg(
        long,
        env = "STORE_URL",
        default_value = "sqlite:/var/lib/countersign/tokens.db",
        hide_env_values = true
    )]
    pub store_url: StoreUrl,
    /// How many connections to the store there are at most.
    #[arg(long, env = "STORE_CONNECTIONS", default_value = "8")]
    pub store_connections: u32,
    /// A file in PEM with the authorities that PostgreSQL's certificate may be of. Without it, those that are public.
    #[arg(long, env = "STORE_CA")]
    pub store_ca: Option<PathBuf>,
    /// The trust domain of the workloads.
    #[arg(long, env = "TRUST_DOMAIN", default_value = "cluster.local")]
    pub trust_domain: String,
    /// The roots of the trust domain: a SPIFFE bundle in JSON, which has the keys of JWT-SVIDs too, or a file in PEM. The first of
    /// several that is there counts. Without one no certificate of a workload counts.
    #[arg(long, env = "TRUST_BUNDLE", value_delimiter = ',')]
    pub trust_bundle: Vec<PathBuf>,
    /// The token service's own namespace.
    #[arg(long, env = "POD_NAMESPACE", default_value = "countersign-system")]
    pub namespace: String,
    /// What this replica is called. The default is the host's name.
    #[arg(long, env = "POD_NAME", default_value_t = host_name())]
    pub identity: String,
    /// Private networks, with commas between them, in which clients may publish their keys and upstreams may be. Without it only
    /// addresses of the Internet are reached.
    #[arg(long = "allowed-network", env = "ALLOWED_NETWORKS", value_delimiter = ',')]
    pub allowed_networks: Vec<IpNet>,
    /// The Secrets in the own namespace that hold `clientSecret` for an upstream, with commas between them.
    #[arg(long = "upstream-secret", env = "UPSTREAM_SECRETS", value_delimiter = ',')]
    pub upstream_secrets: Vec<String>,
    /// How many requests a second are answered of one address. Behind a gateway all have its address.
    #[arg(long, env = "REQUESTS_PER_ADDRESS", default_value = "200")]
    pub requests_per_address: NonZeroU32,
    /// How many requests a second are answered for one client.
    #[arg(long, env = "REQUESTS_PER_CLIENT", default_value = "100")]
    pub requests_per_client: NonZeroU32,
    /// How logs are written.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: LogFormat,
    /// Where records are sent.
    #[command(flatten)]
    pub export: ExportFlags,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_flags_are_of_one_piece_and_hide_the_password() {
        Flags::command().debug_assert();
        let flags =
            Flags::try_parse_from(["countersign-tokens", "--store-url", "postgres://u:hunter2@db/tokens"]).unwrap();
        assert!(!format!("{flags:?}").contains("hunter2"));
        assert!(Flags::try_parse_from(["countersign-tokens", "--allowed-network", "10.0.0.0"]).is_err());
    }
}
