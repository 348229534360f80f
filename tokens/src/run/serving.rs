//! What is served.

use std::sync::Arc;
use std::time::Duration;

use countersign_runtime::https::{Limits, PATIENCE, ServeError, Server};
use countersign_runtime::tls::Current;
use countersign_runtime::tls::files::Files;
use tracing::info;

use super::{Parts, RunError, Working};
use crate::endpoints::{by_name, router};

/// What the server bears.
const LIMITS: Limits = Limits {
    connections: 10_000,
    streams: 128,
    head: PATIENCE,
    age: Some(Duration::from_mins(10)),
};

/// Starts to serve.
pub(super) async fn start(parts: &Parts, working: &mut Working) -> Result<(), RunError> {
    let shown = Current::default();
    let mut files = Files::new(parts.flags.tls_certificate.clone(), shown.clone());
    files.load().await?;
    let tls = by_name(&shown, Arc::clone(&parts.service.directory)).map_err(ServeError::Tls)?;
    let server = Server::bind_by_name(parts.flags.listen, tls, LIMITS).await?;
    info!(address = %parts.flags.listen, "serves the endpoints of the issuers");
    working.until(
        &parts.stop,
        "the watch of the certificate",
        files.run(parts.stop.clone()),
    );
    let serving = server.run(router(Arc::clone(&parts.service)), parts.stop.clone());
    working.spawn("the HTTPS server", serving);
    Ok(())
}
