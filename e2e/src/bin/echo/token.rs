//! A token for an API, in exchange for the token of the Pod's service account (RFC 8693).

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

#[derive(Args)]
pub(crate) struct Token {
    /// The issuer.
    #[arg(long, env = "TOKEN_ISSUER")]
    issuer: String,
    /// The file with the token of the service account.
    #[arg(long, env = "SUBJECT_TOKEN")]
    subject_token: PathBuf,
    /// A PEM file with the roots by which the issuer is trusted.
    #[arg(long, env = "ISSUER_ROOTS")]
    issuer_roots: PathBuf,
    /// The API that the token is to be for.
    #[arg(long)]
    resource: String,
}

impl Token {
    pub(crate) async fn run(&self) -> Result<()> {
        let subject = std::fs::read_to_string(&self.subject_token).context("the token of the service account")?;
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("subject_token", subject.trim()),
            ("resource", &self.resource),
        ];
        let host = self
            .issuer
            .strip_prefix("https://")
            .context("the issuer is no https URL")?;
        let mut addresses = tokio::net::lookup_host((host, 443))
            .await
            .context("the issuer cannot be resolved")?;
        let address = addresses.next().context("the issuer has no address")?;
        let request = e2e::Request::new("POST", "/token")
            .host(host)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(e2e::form(&form));
        let answer = request.send_tls(address, host, self.tls()?).await;
        let told: Value =
            serde_json::from_str(answer.body()).with_context(|| format!("the issuer answers {answer}"))?;
        let Some(token) = told["access_token"].as_str() else {
            bail!("{}: {}", told["error"], told["error_description"]);
        };
        println!("{token}");
        Ok(())
    }

    fn tls(&self) -> Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_file_iter(&self.issuer_roots).context("the issuer's roots")? {
            roots.add(root?)?;
        }
        Ok(ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth())
    }
}
