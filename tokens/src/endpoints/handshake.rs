//! What clients are asked for before their first request.

use std::sync::Arc;

use arc_swap::ArcSwap;
use countersign_runtime::https::Choose;
use countersign_runtime::tls::{self, Current};

use crate::directory::Directory;

/// TLS that asks for a certificate, but where an issuer has another host for that: a browser would ask its user for one.
///
/// # Errors
///
/// If the library has none of the versions.
pub fn by_name(shown: &Current, directory: Arc<ArcSwap<Directory>>) -> Result<Arc<Choose>, rustls::Error> {
    let asks = Arc::new(tls::ask::server_config(shown)?);
    let silent = Arc::new(tls::server_config(shown)?);
    Ok(Arc::new(move |name: Option<&str>| {
        let asked = directory.load().asks_for_certificate(name);
        Arc::clone(if asked { &asks } else { &silent })
    }))
}
