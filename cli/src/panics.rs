//! A bug in the scanner must not show what it was looking at: the message of a panic may quote it.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;

static LAST: Mutex<Option<String>> = Mutex::new(None);

/// Drops the message of every panic, and keeps where it was.
pub fn silence() {
    panic::set_hook(Box::new(|info| {
        let place = info
            .location()
            .map(|at| format!("{}:{}", at.file().rsplit("/src/").next().unwrap_or_default(), at.line()));
        if let Ok(mut last) = LAST.lock() {
            *last = place;
        }
    }));
}

/// Calls, and turns a panic into the place that it came from.
pub fn contain<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(call)).map_err(|_| {
        let last = LAST.lock().ok().and_then(|mut last| last.take());
        last.unwrap_or_else(|| "an unknown place".to_owned())
    })
}
