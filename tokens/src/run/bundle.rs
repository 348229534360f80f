//! The roots of the trust domain, from files that somebody else keeps current.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_identity::{Bundle, TrustDomain};
use tracing::warn;

/// Reads the roots from the first place where there are some.
pub(super) async fn read(places: &[PathBuf], trust_domain: &TrustDomain) -> Option<Arc<Bundle>> {
    for place in places {
        match tokio::fs::read(place).await {
            Ok(bytes) => match parse(&bytes, trust_domain) {
                Ok(bundle) => return Some(Arc::new(bundle)),
                Err(error) => told(place, &error),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => told(place, &error.to_string()),
        }
    }
    if !places.is_empty() {
        warn!("there is no trust bundle: no certificate of a workload counts");
    }
    None
}

fn told(place: &Path, error: &str) {
    warn!(place = %place.display(), error, "the trust bundle cannot be used");
}

/// A SPIFFE bundle in JSON, or roots in PEM.
fn parse(bytes: &[u8], trust_domain: &TrustDomain) -> Result<Bundle, String> {
    if bytes.trim_ascii_start().first() == Some(&b'{') {
        let text = String::from_utf8_lossy(bytes);
        let received = Bundle::from_jwks(trust_domain.clone(), &text).map_err(|error| error.to_string())?;
        return Ok(received.bundle);
    }
    let mut bundle = Bundle::new(trust_domain.clone());
    bundle.add_pem(bytes).map_err(|error| error.to_string())?;
    Ok(bundle)
}
