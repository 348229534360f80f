//! When the bundle of a foreign trust domain is fetched next.

use jiff::{SignedDuration, Timestamp};

use crate::authority::rotation::after;
use crate::problem::Problem;

/// How often a bundle is fetched that does not say itself how often (SPIFFE Trust Domain and Bundle standard, section 4.1.2).
const USUAL: SignedDuration = SignedDuration::from_mins(5);
/// The bounds of how often a bundle is fetched, whatever it or the object says.
const SHORTEST: SignedDuration = SignedDuration::from_mins(1);
const LONGEST: SignedDuration = SignedDuration::from_hours(24);
/// How soon it is tried again after the first failure. The time doubles with each further one.
const FIRST_RETRY: SignedDuration = SignedDuration::from_secs(10);
/// The longest time until it is tried again.
const LAST_RETRY: SignedDuration = SignedDuration::from_mins(15);

/// Chance, in thousandths: spreads fetches, so that not all signers come at once.
pub type Jitter = u16;

/// How often a bundle is fetched: as the object says, or as the bundle does, within bounds.
pub fn interval(refresh: Option<SignedDuration>, hint: Option<u64>) -> SignedDuration {
    let hint = hint.map(|seconds| SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)));
    refresh.or(hint).unwrap_or(USUAL).clamp(SHORTEST, LONGEST)
}

/// Where the fetching of one bundle stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// The generation of the object.
    pub generation: Option<i64>,
    /// When it was fetched last.
    pub refreshed_at: Option<Timestamp>,
    /// How often in a row it was not.
    pub failures: u32,
    /// Why not, at the last try.
    pub problem: Option<Problem>,
    /// What of it was passed over.
    pub note: Option<String>,
    due: Timestamp,
}

impl Track {
    /// Begins with what is known from before: when it was fetched, if what was fetched is kept.
    pub fn begin(
        generation: Option<i64>,
        refreshed_at: Option<Timestamp>,
        interval: SignedDuration,
        now: Timestamp,
    ) -> Self {
        Self {
            generation,
            refreshed_at,
            failures: 0,
            problem: None,
            note: None,
            // A time yet to come is another's mistake.
            due: refreshed_at.map_or(now, |at| after(at.min(now), interval)),
        }
    }

    /// Takes note that the object was changed: what it says now is tried at once.
    pub fn changed(&mut self, generation: Option<i64>, now: Timestamp) {
        self.generation = generation;
        self.failures = 0;
        self.problem = None;
        self.due = now;
    }

    /// Whether it is to be fetched now.
    pub fn is_due(&self, now: Timestamp) -> bool {
        now >= self.due
    }

    /// When it is to be fetched next.
    pub fn due(&self) -> Timestamp {
        self.due
    }

    /// It was fetched and taken, or what is there is current.
    pub fn fetched(&mut self, interval: SignedDuration, jitter: Jitter, now: Timestamp) {
        self.refreshed_at = Some(now);
        self.failures = 0;
        self.problem = None;
        self.due = after(now, spread(interval, jitter));
    }

    /// It was not.
    pub fn failed(&mut self, problem: Problem, interval: SignedDuration, jitter: Jitter, now: Timestamp) {
        self.problem = Some(problem);
        let doubled = FIRST_RETRY.saturating_mul(1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        self.due = after(now, spread(doubled.min(interval).min(LAST_RETRY), jitter));
    }
}

/// Up to a tenth longer.
fn spread(duration: SignedDuration, jitter: Jitter) -> SignedDuration {
    duration + duration.saturating_mul(i32::from(jitter.min(1000))) / 10_000
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    fn secs(seconds: i64) -> SignedDuration {
        SignedDuration::from_secs(seconds)
    }

    #[rstest]
    #[case(None, None, 300)]
    #[case(None, Some(600), 600)]
    #[case(Some(120), Some(600), 120)]
    #[case(None, Some(1), 60)]
    #[case(Some(30), None, 60)]
    #[case(None, Some(u64::MAX), 86400)]
    fn a_bundle_is_fetched_within_bounds(
        #[case] refresh: Option<i64>,
        #[case] hint: Option<u64>,
        #[case] expected: i64,
    ) {
        assert_eq!(interval(refresh.map(secs), hint), secs(expected));
    }

    #[test]
    fn what_fails_is_tried_again_ever_later_and_what_succeeds_in_time() {
        let mut track = Track::begin(Some(1), None, secs(300), at(0));
        assert!(track.is_due(at(0)));
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..8 {
            track.failed(Problem::new("Unreachable", "why"), secs(300), 0, now);
            waits.push(track.due().duration_since(now).as_secs());
            now = track.due();
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!((track.failures, track.refreshed_at), (8, None));
        track.fetched(secs(300), 0, now);
        assert_eq!((track.failures, &track.problem), (0, &None));
        assert_eq!(track.due(), after(now, secs(300)));
        assert!(!track.is_due(after(now, secs(299))) && track.is_due(after(now, secs(300))));
        track.failed(Problem::new("Unreachable", "why"), secs(86400), 1000, now);
        assert_eq!(track.due(), after(now, secs(11)), "jitter is a tenth at most");
        for _ in 0..40 {
            track.failed(Problem::new("Unreachable", "why"), secs(86400), 0, now);
        }
        assert_eq!(track.due(), after(now, secs(900)));
        track.changed(Some(2), now);
        assert!(track.is_due(now) && track.problem.is_none() && track.refreshed_at.is_some());
    }

    #[test]
    fn a_restart_fetches_nothing_that_is_fresh() {
        let track = Track::begin(Some(1), Some(at(-100)), secs(300), at(0));
        assert_eq!(track.due(), at(200));
        let track = Track::begin(Some(1), Some(at(-1000)), secs(300), at(0));
        assert!(track.is_due(at(0)));
        let track = Track::begin(Some(1), Some(at(100_000)), secs(300), at(0));
        assert_eq!(track.due(), at(300), "a clock was wrong");
    }
}
