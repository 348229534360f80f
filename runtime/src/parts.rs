//! The parts of a long-running binary: started one by one, ended in order.

use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::http::HttpError;
use crate::lease::Elector;

/// Why a binary ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// No HTTP server for health and metrics.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A part that must not end ended.
    #[error("{0} ended unexpectedly")]
    Part(&'static str),
}

/// Parts that are under way; each tells its name when it ends.
#[derive(Default)]
pub struct Working(JoinSet<&'static str>);

impl Working {
    /// Starts a part that ends by itself when all is to end.
    pub fn spawn(&mut self, name: &'static str, part: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(async move {
            part.await;
            name
        });
    }

    /// Starts a part that does not end by itself: `stop` ends it.
    pub fn until(
        &mut self,
        stop: &CancellationToken,
        name: &'static str,
        part: impl Future<Output = ()> + Send + 'static,
    ) {
        let stop = stop.clone();
        self.spawn(name, async move {
            stop.run_until_cancelled(part).await;
        });
    }

    /// Works until `stop`, or until a part ends that must not. `health` is the HTTP server for health and metrics. Requests that
    /// are under way end first; only after the last write is the Lease given back.
    ///
    /// # Errors
    ///
    /// If a part ended before it was told to.
    pub async fn work(
        mut self,
        mut health: JoinHandle<Result<(), HttpError>>,
        elector: Elector,
        stop: CancellationToken,
    ) -> Result<(), Ended> {
        let resign = CancellationToken::new();
        let election = tokio::spawn(elector.run(resign.clone()));
        let result = tokio::select! {
            // At the end all of them end: that is no fault of theirs.
            biased;
            () = stop.cancelled() => Ok(()),
            served = &mut health => Err(match served {
                Ok(Err(error)) => error.into(),
                _ => Ended::Part("the HTTP server"),
            }),
            ended = self.0.join_next() => Err(Ended::Part(match ended {
                Some(Ok(name)) => name,
                _ => "a part",
            })),
        };
        stop.cancel();
        while self.0.join_next().await.is_some() {}
        resign.cancel();
        let _ = election.await;
        result
    }
}
