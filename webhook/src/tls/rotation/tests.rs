use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const PLAN: Plan = Plan {
    lifetime: SignedDuration::from_mins(30),
    settle: SignedDuration::from_secs(5),
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// What an API server that is `lag` seconds behind reads, by second.
struct History(Vec<BTreeSet<i64>>);

impl History {
    fn seen_at(&self, second: usize, lag: usize) -> &BTreeSet<i64> {
        &self.0[second.saturating_sub(lag)]
    }
}

/// Runs for some seconds. `outage` says when nothing can be written, `reset` when somebody takes all authorities away.
/// A certificate is the second in which it was made.
fn run(seconds: i64, outage: impl Fn(i64) -> bool, reset: impl Fn(i64) -> bool) -> (Vec<Option<i64>>, History) {
    let mut rotation = Rotation::new(PLAN);
    let mut bundle = BTreeSet::new();
    let (mut served, mut history) = (Vec::new(), History(Vec::new()));
    let mut serving = None;
    for second in 0..seconds {
        let now = at(second);
        if reset(second) {
            bundle.clear();
        }
        rotation.saw(now, |certificate| bundle.contains(certificate));
        if rotation.is_due(now) {
            rotation.take(second, now);
        }
        if let Some(next) = rotation.advance(now) {
            serving = Some(*next);
        }
        history.0.push(bundle.clone());
        served.push(serving);
        if !outage(second) {
            bundle = rotation.published().copied().collect();
        }
    }
    (served, history)
}

/// Whole lives with many changes: whatever an API server that is up to `settle` behind trusts, what is served is in it.
#[test]
fn what_is_served_was_published_long_enough_ago() {
    let (served, history) = run(4 * 3600, |_| false, |_| false);
    let changes = served.windows(2).filter(|pair| pair[0] != pair[1]).count();
    // One every 20 minutes and 6 seconds in 4 hours.
    assert_eq!(changes, 12);
    for (second, served) in served.iter().enumerate() {
        let Some(served) = served else {
            assert!(second < 10, "nothing is served after {second} s");
            continue;
        };
        let age = i64::try_from(second).unwrap() - served;
        assert!(age < 30 * 60, "what is served at {second} has ended");
        for lag in 0..=4 {
            let trusted = history.seen_at(second, lag);
            assert!(
                trusted.contains(served),
                "at {second}, {lag} s behind, {served} is not in {trusted:?}"
            );
        }
    }
}

#[test]
fn no_more_is_published_than_what_is_needed() {
    let (_, history) = run(4 * 3600, |_| false, |_| false);
    assert!(history.0.iter().all(|bundle| bundle.len() <= 2));
    assert_eq!(history.0.last().unwrap().len(), 1);
}

#[test]
fn a_certificate_whose_authority_was_taken_away_is_not_trusted_until_it_is_back() {
    let mut rotation = Rotation::new(PLAN);
    rotation.take(0, at(0));
    rotation.saw(at(1), |_| true);
    assert_eq!(rotation.advance(at(5)), None, "an API server may not have read of it");
    assert_eq!(rotation.advance(at(6)), Some(&0));
    assert!(rotation.is_trusted(at(6)));
    rotation.saw(at(7), |_| false);
    assert!(!rotation.is_trusted(at(7)));
    rotation.saw(at(8), |_| true);
    assert!(rotation.is_trusted(at(8)));
    assert!(!rotation.is_trusted(at(1800)), "it has ended");
}

#[test]
fn it_wakes_when_something_is_to_be_done() {
    let mut rotation = Rotation::new(PLAN);
    assert_eq!(rotation.wakes(), None);
    assert!(rotation.is_due(at(0)));
    rotation.take(0, at(0));
    assert_eq!(rotation.wakes(), Some(at(1200)));
    rotation.saw(at(2), |_| true);
    assert_eq!(rotation.wakes(), Some(at(7)));
    rotation.advance(at(7));
    assert_eq!(rotation.wakes(), Some(at(1200)));
    rotation.take(1, at(1200));
    rotation.saw(at(1200), |_| true);
    rotation.advance(at(1205));
    assert_eq!(rotation.published().collect::<Vec<_>>(), [&0, &1]);
    assert_eq!(rotation.wakes(), Some(at(1210)));
    rotation.advance(at(1210));
    assert_eq!(rotation.published().collect::<Vec<_>>(), [&1]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// While nothing can be written for some minutes, and while somebody resets the configuration now and then, nothing
    /// is served that was not published before, and a change waits.
    #[test]
    fn outages_and_resets_are_survived(
        outages in proptest::collection::vec((0i64..7200, 1i64..300), 0..6),
        resets in proptest::collection::btree_set(0i64..7200, 0..6),
    ) {
        let out = |second: i64| outages.iter().any(|(from, length)| (*from..from + length).contains(&second));
        let (served, history) = run(7200, out, |second| resets.contains(&second));
        let mut before = None;
        for (second, served) in served.iter().enumerate() {
            if *served != before {
                let new = served.unwrap();
                for lag in 0..=4 {
                    prop_assert!(history.seen_at(second, lag).contains(&new), "{new} at {second}");
                }
                before = *served;
            }
            let undisturbed = (second.saturating_sub(10)..=second).all(|moment| {
                let moment = i64::try_from(moment).unwrap();
                !out(moment) && !resets.contains(&moment)
            });
            if let Some(served) = served && undisturbed {
                prop_assert!(history.seen_at(second, 0).contains(served));
            }
        }
    }
}
