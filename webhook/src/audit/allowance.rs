//! How many events may be published.

use std::time::Duration;

use tokio::time::Instant;

/// How many at once.
const BURST: u32 = 25;
/// After which time there may be one more.
const PERIOD: Duration = Duration::from_secs(2);

/// Some at once, and then one after another.
#[derive(Debug)]
pub(super) struct Allowance {
    left: u32,
    since: Instant,
}

impl Allowance {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            left: BURST,
            since: now,
        }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        while self.left < BURST && now >= self.since + PERIOD {
            self.since += PERIOD;
            self.left += 1;
        }
        if self.left == BURST {
            self.since = now;
        }
        let taken = self.left > 0;
        self.left = self.left.saturating_sub(1);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_at_once_and_then_one_after_another() {
        let start = countersign_runtime::clock::instant();
        let mut allowance = Allowance::new(start);
        let at_once = (0..100).filter(|_| allowance.take(start)).count();
        assert_eq!(at_once, 25);
        assert!(!allowance.take(start + Duration::from_secs(1)));
        assert!(allowance.take(start + Duration::from_secs(2)));
        assert!(!allowance.take(start + Duration::from_secs(3)));
        let later = start + Duration::from_hours(1);
        assert_eq!((0..100).filter(|_| allowance.take(later)).count(), 25);
    }
}
