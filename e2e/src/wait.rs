//! Waiting, always with a limit.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Asks `check` again and again until it succeeds; at the limit the error says what was waited for, and what was still
/// wrong.
pub async fn wait_for<T, F>(what: &str, limit: Duration, mut check: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let end = Instant::now() + limit;
    loop {
        let error = match check().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if Instant::now() > end {
            bail!("waited {} s for {what}: {error:#}", limit.as_secs_f32());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
