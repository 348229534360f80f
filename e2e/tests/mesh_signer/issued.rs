//! What the status of identities tells of certificates.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Testbed, bare_serial, wait_for};
use serde_json::Value;

/// Waits until the status of an identity tells of this certificate as its newest; gives the status.
pub async fn until_told(testbed: &Testbed, namespace: &str, name: &str, serial: &str) -> Value {
    let what = format!("the ServiceIdentity {namespace}/{name} to tell of {serial}");
    wait_for(&what, Duration::from_secs(30), || async {
        let status = status(testbed, namespace, name).await?;
        let told = status["certificate"]["serialNumber"].as_str().unwrap_or_default();
        ensure!(bare_serial(told) == serial, "it says {status}");
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
