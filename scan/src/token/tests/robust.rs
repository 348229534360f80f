//! No text makes a detector panic, or take long.

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::super::alphabet::BASE64URL;
use super::super::testing::draw;
use super::super::{ANCHORS, aws_secret, named};
use super::input;
use crate::hit::Input;
use crate::limits::Limits;

#[test]
fn takes_no_longer_for_a_long_text() {
    let rng = &mut StdRng::seed_from_u64(5);
    let tail = draw(rng, BASE64URL, 1_000_000);
    for anchor in ANCHORS {
        let text = format!("{tail}{}{tail}", anchor.literal);
        let limits = Limits::default();
        // Each look is bounded by what a token can be: ten thousand of them do not read ten gigabytes.
        for _ in 0..10_000 {
            std::hint::black_box((anchor.find)(&input(&text, None, &limits), tail.len()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn never_panics(
        before in ".{0,40}",
        after in "[A-Za-z0-9+/=_.:~%\\\\é✓-]{0,120}",
        rest in ".{0,20}",
        name in proptest::option::of(".{0,30}"),
        now in any::<i64>(),
    ) {
        let limits = Limits::default();
        for anchor in ANCHORS {
            let text = format!("{before}{}{after}{rest}", anchor.literal);
            let input = Input { text: &text, name: name.as_deref(), now, limits: &limits };
            for (at, _) in text.match_indices(anchor.literal) {
                if let Some(hit) = (anchor.find)(&input, at) {
                    prop_assert!(text.get(hit.span.clone()).is_some());
                    prop_assert!(hit.span.contains(&at));
                }
            }
        }
        let limits = Limits::default();
        let input = Input { text: &after, name: name.as_deref(), now, limits: &limits };
        named(&input);
        aws_secret(&input);
    }
}
