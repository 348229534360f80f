//! The one clock of the command line.

/// What time it is, in seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where this binary reads the wall clock"
)]
pub fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
