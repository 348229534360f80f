//! What is known of the certificates: by the proxies that have them, and by the objects' status.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{Namespace, Testbed, wait_for};
use serde_json::Value;

/// The certificate of a proxy, as Envoy tells it.
#[derive(Debug)]
pub struct Shown {
    /// The URIs in the leaf.
    pub uris: Vec<String>,
    /// The leaf's serial number, without zeros at its begin.
    pub serial: String,
    /// How many authorities the proxy trusts.
    pub roots: usize,
}

impl Shown {
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
            serial: bare(leaf["serial_number"].as_str().context("no serial number")?),
            roots: certificates.iter().filter(|one| one["ca_cert"][0].is_object()).count(),
        })
    }
}

/// A serial number in one form.
pub fn bare(serial: &str) -> String {
    serial.trim_start_matches('0').to_lowercase()
}

/// Waits until the status of an identity tells of this certificate as its newest; gives the status.
pub async fn until_told(testbed: &Testbed, namespace: &str, name: &str, serial: &str) -> Value {
    let what = format!("the ServiceIdentity {namespace}/{name} to tell of {serial}");
    wait_for(&what, Duration::from_secs(30), || async {
        let status = status(testbed, namespace, name).await?;
        let told = status["certificate"]["serialNumber"].as_str().unwrap_or_default();
        ensure!(bare(told) == serial, "it says {status}");
        Ok(status)
    })
    .await
    .unwrap()
}

/// What the status of an identity says.
pub async fn status(testbed: &Testbed, namespace: &str, name: &str) -> Result<Value> {
    let get = ["--namespace", namespace, "get", "serviceidentity", name, "-o", "json"];
    let object: Value = serde_json::from_str(&testbed.kubectl(&get).await?)?;
    Ok(object["status"].clone())
}
