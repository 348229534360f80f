//! The bundles, as a stream that sends them at each change.

use std::sync::Arc;
use std::time::Duration;

use countersign_identity::Bundles;
use futures::stream::{self, BoxStream, StreamExt as _};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{messages, proto};

/// For how long a stream lasts. Then the agent is to show its token anew, and its connection may go to another replica.
const LASTS: Duration = Duration::from_mins(5);

/// Sends what there is, and what changes, until `stop` or until the stream has lasted long enough.
pub fn stream(
    bundles: watch::Receiver<Arc<Bundles>>,
    stop: CancellationToken,
) -> BoxStream<'static, Result<proto::Bundles, Status>> {
    let sent: Option<proto::Bundles> = None;
    let changes = stream::unfold((bundles, sent), |(mut bundles, sent)| async move {
        loop {
            let now = Arc::clone(&bundles.borrow_and_update());
            // Before the own roots were read there is nothing that could be told.
            if now.own().roots().next().is_some() {
                let now = messages::bundles(&now);
                if sent.as_ref() != Some(&now) {
                    return Some((Ok(now.clone()), (bundles, Some(now))));
                }
            }
            bundles.changed().await.ok()?;
        }
    });
    let end = async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(LASTS) => {}
        }
    };
    changes.take_until(end).boxed()
}
