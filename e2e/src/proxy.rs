//! What the proxy of a Pod says of its certificate.

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::Namespace;

/// The certificate of a proxy, as Envoy tells it.
#[derive(Debug)]
pub struct ProxyCertificate {
    /// The URIs in the leaf.
    pub uris: Vec<String>,
    /// The leaf's serial number, without zeros at its begin.
    pub serial: String,
    /// How many authorities the proxy trusts.
    pub roots: usize,
}

impl ProxyCertificate {
    /// Asks the Envoy of a Pod.
    pub async fn of(namespace: &Namespace, pod: &str) -> Result<Self> {
        let command = ["pilot-agent", "request", "GET", "certs"];
        let executed = namespace.exec(pod, "istio-proxy", &command).await?;
        // It logs to where it answers.
        let begin = executed.stdout.find('{').context(executed.stderr)?;
        let shown: Value = serde_json::from_str(&executed.stdout[begin..])?;
        let certificates = shown["certificates"].as_array().context("no certificates")?;
        let own = certificates.iter().find(|one| one["cert_chain"][0].is_object());
        let leaf = &own.context("no certificate of its own")?["cert_chain"][0];
        let names = leaf["subject_alt_names"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Ok(Self {
            uris: names.iter().filter_map(|name| text(&name["uri"])).collect(),
            serial: bare_serial(leaf["serial_number"].as_str().context("no serial number")?),
            roots: certificates.iter().filter(|one| one["ca_cert"][0].is_object()).count(),
        })
    }
}

/// A serial number in the one form that tests compare.
pub fn bare_serial(serial: &str) -> String {
    serial.trim_start_matches('0').to_lowercase()
}
