//! What is done now and then.

use std::sync::Arc;
use std::time::Duration;

use countersign_runtime::http::Readiness;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::{Parts, Working, now};
use crate::service::Service;

/// How often.
const PERIOD: Duration = Duration::from_secs(20);
/// How many rows are deleted at a time, so that nobody waits for it.
const BATCH: u32 = 500;
/// How many batches in one round.
const BATCHES: usize = 200;

/// Starts it.
pub(super) fn start(parts: &Parts, working: &mut Working) {
    let (service, ready) = (Arc::clone(&parts.service), parts.ready.clone());
    working.until(&parts.stop, "the housekeeping", async move {
        loop {
            sleep(PERIOD).await;
            service.limits.shrink();
            let store = service.store.ping().await;
            service.metrics.show_store(store.is_ok());
            // Before the users' objects are read it says so itself.
            if service.rings.load().is_empty() && service.directory.load().issuers.is_empty() {
                continue;
            }
            if let Err(error) = store {
                warn!(%error, "the store does not answer");
                ready.send_replace(Readiness::Missing("the store does not answer"));
                continue;
            }
            ready.send_replace(Readiness::Ready);
            tidy(&service).await;
        }
    });
}

async fn tidy(service: &Service) {
    let used = service.used.take();
    if !used.is_empty()
        && let Err(error) = service.store.touch_clients(used).await
    {
        warn!(%error, "when clients were there last could not be written");
    }
    for _ in 0..BATCHES {
        match service.store.sweep(now(), BATCH).await {
            Ok(0) => return,
            Ok(gone) => debug!(gone, "forgot what is past"),
            Err(error) => {
                warn!(%error, "what is past could not be deleted");
                return;
            }
        }
    }
}
