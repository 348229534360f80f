//! The certificate that a server shows, changed while it serves.

pub mod ask;
pub mod files;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, ServerConfig};

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

/// The library's own algorithms, but for TLS 1.2 no suite that BCP 195 does not name (RFC 9325 section 4.2): FAPI 2.0 asks for that
/// (section 5.2.1).
fn provider() -> CryptoProvider {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    let named = |suite: CipherSuite| {
        matches!(
            suite,
            CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        )
    };
    provider
        .cipher_suites
        .retain(|suite| suite.tls13().is_some() || named(suite.suite()));
    provider
}

/// TLS 1.3 and 1.2 with that certificate, for HTTP/2 and HTTP/1.1. No certificate is asked of clients: what they are is
/// said in their requests.
///
/// # Errors
///
/// If the library has none of the versions.
pub fn server_config(current: &Current) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(current.clone()));
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    Ok(config)
}
