//! The roots of the trust domain, from a file that somebody else keeps current.

use std::path::Path;
use std::sync::Arc;

use countersign_identity::{Bundle, TrustDomain};
use tracing::warn;

/// Reads the roots: PEM, or a SPIFFE bundle in JSON.
pub(super) async fn read(path: &Path, trust_domain: &TrustDomain) -> Option<Arc<Bundle>> {
    let bytes = match tokio::fs::read(path).await {
        Ok(bytes) => bytes,
        Err(error) => {
            warn!(path = %path.display(), %error, "the trust bundle cannot be read: no certificate of a workload counts");
            return None;
        }
    };
    if bytes.trim_ascii_start().first() == Some(&b'{') {
        let text = String::from_utf8_lossy(&bytes);
        return match Bundle::from_jwks(trust_domain.clone(), &text) {
            Ok(received) => Some(Arc::new(received.bundle)),
            Err(error) => {
                warn!(path = %path.display(), %error, "the trust bundle is none");
                None
            }
        };
    }
    let mut bundle = Bundle::new(trust_domain.clone());
    match bundle.add_pem(&bytes) {
        Ok(_) => Some(Arc::new(bundle)),
        Err(error) => {
            warn!(path = %path.display(), %error, "the trust bundle is none");
            None
        }
    }
}
