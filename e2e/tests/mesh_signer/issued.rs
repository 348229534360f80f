//! What the status of identities tells of certificates.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Testbed, wait_for};
use serde_json::Value;
use tokio::sync::RwLock;

/// The signer stays while this is read: what a replica has issued and not yet told of is not counted when it is killed.
pub static SIGNER: RwLock<()> = RwLock::const_new(());

/// How long it takes to be told, with another replica coming to lead meanwhile.
const TOLD: Duration = Duration::from_mins(1);

/// Waits until the status of an identity tells what it should; gives the status.
pub async fn until_told(testbed: &Testbed, namespace: &str, name: &str, told: impl Fn(&Value) -> bool) -> Value {
    let what = format!("the status of {namespace}/{name} to tell of its certificate");
    wait_for(&what, TOLD, || async {
        let status = status(testbed, namespace, name).await?;
        ensure!(told(&status), "it says {status}");
        Ok(status)
    })
    .await
    .unwrap()
}

async fn status(testbed: &Testbed, namespace: &str, name: &str) -> Result<Value> {
    let get = ["--namespace", namespace, "get", "serviceidentity", name, "-o", "json"];
    let object: Value = serde_json::from_str(&testbed.kubectl(&get).await?)?;
    Ok(object["status"].clone())
}
