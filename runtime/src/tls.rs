//! The certificate that a server shows, changed while it serves.

pub mod ask;
pub mod files;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The certificate that new connections get. Before there is one, none comes about.
#[derive(Clone, Debug, Default)]
pub struct Current(Arc<ArcSwapOption<CertifiedKey>>);

impl Current {
    /// Serves this one from now on.
    pub fn set(&self, certificate: Arc<CertifiedKey>) {
        self.0.store(Some(certificate));
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }
}

/// HTTP/2 and HTTP/1.1 (RFC 7301).
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// TLS 1.3 and 1.2 with that certificate, for HTTP/2 and HTTP/1.1. No certificate is asked of clients: what they are is
/// said in their requests.
///
/// # Errors
///
/// If the library has none of the versions.
pub fn server_config(current: &Current) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(current.clone()));
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    Ok(config)
}
