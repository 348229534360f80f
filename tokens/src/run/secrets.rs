//! The secrets that this service has at upstreams. They are named in its settings, since a role can name them only there.

use std::sync::Arc;
use std::time::Duration;

use countersign_runtime::client::CALL_LIMIT;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use tokio::time::{sleep, timeout};
use tracing::warn;
use zeroize::Zeroizing;

use super::{Parts, Working};
use crate::upstream::Secrets;

/// The entry of such a Secret.
const ENTRY: &str = "clientSecret";
/// How often they are read.
const PERIOD: Duration = Duration::from_secs(30);

/// Starts to keep them current.
pub(super) fn start(parts: &Parts, working: &mut Working) {
    let names = parts.flags.upstream_secrets.clone();
    let api = Api::<Secret>::namespaced(parts.client.clone(), &parts.flags.namespace);
    let service = Arc::clone(&parts.service);
    working.until(&parts.stop, "the watch of the upstreams' secrets", async move {
        let mut known = Secrets::new();
        loop {
            for name in &names {
                match timeout(CALL_LIMIT, api.get(name)).await {
                    Ok(Ok(secret)) => {
                        if let Some(text) = entry(&secret) {
                            known.insert(name.clone(), text);
                        } else {
                            warn!(secret = name, "has no entry {ENTRY} with text");
                        }
                    }
                    Ok(Err(error)) => warn!(secret = name, %error, "the secret for an upstream cannot be read"),
                    Err(_) => warn!(secret = name, "the API server does not answer"),
                }
            }
            service.upstreams.set_secrets(known.clone());
            sleep(PERIOD).await;
        }
    });
}

fn entry(secret: &Secret) -> Option<Zeroizing<String>> {
    let bytes = secret.data.as_ref()?.get(ENTRY)?;
    String::from_utf8(bytes.0.clone()).ok().map(Zeroizing::new)
}
