//! Lines that show how a testbed comes up.

use std::future::Future;
use std::time::Instant;

use anyhow::Result;

/// Runs one stage of the start and prints what it was and how long it took.
pub(super) async fn stage<T>(what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let start = Instant::now();
    let result = work.await;
    let seconds = start.elapsed().as_secs_f32();
    match &result {
        Ok(_) => eprintln!("testbed: {what}: {seconds:.1} s"),
        Err(_) => eprintln!("testbed: {what}: FAILED after {seconds:.1} s"),
    }
    result
}
