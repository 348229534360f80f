//! What the person who installs the signer can set at its start.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser};
use countersign_identity::{SpiffeIdError, TrustDomain};
use countersign_runtime::process::host_name;
use countersign_runtime::records::ExportFlags;
use countersign_runtime::telemetry::LogFormat;
use jiff::SignedDuration;

use crate::bundle::Namespaces;
use crate::istio::settings::{AUDIENCE, SettingsError};
use crate::istio::{Account, Settings};
use crate::secret::Scope;

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
    /// The signer's own service account.
    #[arg(long, env = "POD_SERVICE_ACCOUNT", default_value = "countersign-signer")]
    pub service_account: String,
    /// What this replica is called. The default is the host's name.
    #[arg(long, env = "POD_NAME", default_value_t = host_name())]
    pub identity: String,
    /// The Service by which clients reach the signer: its names stand in the certificate that it shows.
    #[arg(long, env = "SERVICE_NAME", default_value = "countersign-signer")]
    pub service: String,
    /// The DNS domain of the cluster.
    #[arg(long, env = "CLUSTER_DOMAIN", default_value = "cluster.local")]
    pub cluster_domain: String,
    /// Which namespaces get the roots in a ConfigMap.
    #[arg(long, env = "BUNDLE_NAMESPACES", value_enum, default_value = "labelled")]
    pub bundle_namespaces: Namespaces,
    /// The namespaces in which keys and certificates may be written to Secrets, with commas between them; `*` for all.
    #[arg(long, env = "SECRET_NAMESPACES", default_value = "")]
    pub secret_namespaces: Scope,
    /// Istio's CA API.
    #[command(flatten)]
    pub istio: IstioFlags,
    /// The agents of the nodes.
    #[command(flatten)]
    pub agent: AgentFlags,
    /// The bundle endpoint.
    #[command(flatten)]
    pub endpoint: EndpointFlags,
    /// How logs are written.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: LogFormat,
    /// Where records are sent.
    #[command(flatten)]
    pub export: ExportFlags,
}

/// What can be set of the service for the agents of the nodes.
#[derive(Args, Clone, Debug)]
pub struct AgentFlags {
    /// Where the agents of the nodes are served. They are not served without this.
    #[arg(id = "agent-listen", long = "agent-listen", env = "AGENT_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// The service account that the agents run as, as `namespace/name`: each may ask for the workloads on its own node.
    #[arg(
        long = "agent-account",
        env = "AGENT_ACCOUNT",
        default_value = "countersign-system/countersign-agent"
    )]
    pub account: Account,
}

/// What can be set of the bundle endpoint.
#[derive(Args, Clone, Debug)]
pub struct EndpointFlags {
    /// Where foreign trust domains fetch the bundle of this one. It is not served without this.
    #[arg(
        id = "bundle-endpoint-listen",
        long = "bundle-endpoint-listen",
        env = "BUNDLE_ENDPOINT_LISTEN",
        requires = "bundle-endpoint-certificate"
    )]
    pub listen: Option<SocketAddr>,
    /// A folder with `tls.crt` and `tls.key`: the certificate that is shown there, which foreign trust domains know how to verify.
    #[arg(
        id = "bundle-endpoint-certificate",
        long = "bundle-endpoint-certificate",
        env = "BUNDLE_ENDPOINT_CERTIFICATE",
        requires = "bundle-endpoint-listen"
    )]
    pub certificate: Option<PathBuf>,
}

/// What can be set of Istio's CA API.
#[derive(Args, Clone, Debug)]
pub struct IstioFlags {
    /// Where Istio's CA API is served. It is not served without this.
    #[arg(id = "istio-listen", long = "istio-listen", env = "ISTIO_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// The audience that the tokens of Istio's proxies must have.
    #[arg(long = "istio-audience", env = "ISTIO_AUDIENCE", default_value = AUDIENCE)]
    pub audience: String,
    /// The service accounts of nodes' proxies, as `namespace/name`: each may ask on behalf of the workloads on its own node.
    #[arg(
        long = "istio-node-account",
        env = "ISTIO_NODE_ACCOUNTS",
        value_delimiter = ',',
        default_value = "istio-system/ztunnel"
    )]
    pub node_accounts: Vec<Account>,
    /// How long certificates of the mesh live at least.
    #[arg(long = "istio-shortest-life", env = "ISTIO_SHORTEST_LIFE", default_value = "1h")]
    pub shortest: SignedDuration,
    /// How long certificates of the mesh live at most.
    #[arg(long = "istio-longest-life", env = "ISTIO_LONGEST_LIFE", default_value = "24h")]
    pub longest: SignedDuration,
}

impl Flags {
    /// The trust domain.
    ///
    /// # Errors
    ///
    /// If the text is none.
    pub fn trust_domain(&self) -> Result<TrustDomain, SpiffeIdError> {
        self.trust_domain.parse()
    }
}

impl IstioFlags {
    /// The settings of the API.
    ///
    /// # Errors
    ///
    /// If they contradict each other, or open what must stay shut.
    pub fn settings(&self, trust_domain: TrustDomain) -> Result<Settings, SettingsError> {
        Settings::new(trust_domain)
            .with_node_accounts(self.node_accounts.clone())
            .with_audience(self.audience.clone())?
            .with_lifetimes(self.shortest, self.longest)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Flags, String> {
        let all = std::iter::once(&"countersign-signer").chain(arguments);
        Flags::try_parse_from(all).map_err(|error| error.to_string())
    }

    #[test]
    fn the_flags_are_of_one_piece() {
        Flags::command().debug_assert();
        let flags = parse(&[]).unwrap();
        assert!(flags.istio.listen.is_none() && flags.agent.listen.is_none() && flags.endpoint.listen.is_none());
        let settings = flags.istio.settings(flags.trust_domain().unwrap()).unwrap();
        assert_eq!(settings.longest(), SignedDuration::from_hours(24));
        assert!(
            flags.secret_namespaces.admits("shop").is_err(),
            "no Secret is written unasked"
        );
    }

    #[test]
    fn a_bundle_endpoint_needs_a_certificate_and_an_address() {
        for half in [
            ["--bundle-endpoint-listen", "0.0.0.0:8443"],
            ["--bundle-endpoint-certificate", "/tls"],
        ] {
            assert!(parse(&half).unwrap_err().contains("bundle-endpoint"));
        }
        let whole = [
            "--bundle-endpoint-listen",
            "0.0.0.0:8443",
            "--bundle-endpoint-certificate",
            "/tls",
        ];
        assert!(parse(&whole).is_ok());
    }

    #[test]
    fn what_is_no_account_is_named() {
        let wrong = parse(&["--agent-account", "agent"]).unwrap_err();
        assert!(wrong.contains("agent") && wrong.contains("namespace"), "{wrong}");
    }
}
