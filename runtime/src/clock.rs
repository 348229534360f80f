//! The one clock of a binary. Everything else takes the time as an argument.

use jiff::Timestamp;
use tokio::time::Instant;

/// What time it is, for people and for other machines.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where a binary reads the wall clock"
)]
pub fn now() -> Timestamp {
    // Kubernetes keeps whole seconds in conditions: what is compared with what was read back must have been written so.
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// What time it is, with all digits.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where a binary reads the wall clock"
)]
pub fn precise() -> Timestamp {
    Timestamp::now()
}

/// What time it is, for measuring how long something takes.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where a binary reads the monotonic clock"
)]
pub fn instant() -> Instant {
    Instant::now()
}
