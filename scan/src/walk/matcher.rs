//! All literals of all detectors, searched for at once.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::sieve::Sieve;
use crate::hit::{Anchor, Hit, Input};

/// The shortest text in which a literal is worth looking for.
const SHORTEST: usize = 8;

/// How many credentials of one text are told apart. One is enough to refuse it.
const MOST: usize = 256;
/// How far back a hit can overlap others: hits come in the order of their literals.
const NEAR: usize = 16;

/// The search.
pub(super) struct Matcher {
    sieve: Sieve,
    automaton: AhoCorasick,
    anchors: Vec<Anchor>,
}

impl std::fmt::Debug for Matcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Matcher({} literals)", self.anchors.len())
    }
}

impl Matcher {
    #[expect(
        clippy::expect_used,
        reason = "the literals are constants, and every test builds this"
    )]
    pub fn new() -> Self {
        let anchors: Vec<Anchor> = [crate::token::ANCHORS, crate::key::ANCHORS, crate::carrier::ANCHORS].concat();
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .match_kind(MatchKind::Standard)
            .build(anchors.iter().map(|anchor| anchor.literal))
            .expect("an automaton of a few hundred literals");
        let sieve = Sieve::new(anchors.iter().map(|anchor| anchor.literal));
        Self {
            sieve,
            automaton,
            anchors,
        }
    }

    /// What stands in a text, without those that overlap a surer one. In the order of the text.
    pub fn hits(&self, input: &Input<'_>) -> Vec<Hit> {
        let mut hits: Vec<Hit> = Vec::new();
        if input.text.len() < SHORTEST || !self.sieve.passes(input.text) {
            return hits;
        }
        for found in self.automaton.find_overlapping_iter(input.text) {
            let Some(anchor) = self.anchors.get(found.pattern().as_usize()) else {
                continue;
            };
            let Some(hit) = (anchor.find)(input, found.start()) else {
                continue;
            };
            // A crowd of what only warns must not hide what denies.
            let room = if hit.mitigation.is_some() { MOST } else { 2 * MOST };
            if hits.len() < room {
                keep_surest(&mut hits, hit);
            }
        }
        hits.sort_by_key(|hit| hit.span.start);
        hits
    }

    /// Whether a text holds a credential.
    pub fn any(&self, input: &Input<'_>) -> bool {
        !self.hits(input).is_empty()
    }
}

/// Adds a hit, unless a surer one is at the same place already; removes less sure ones there.
fn keep_surest(hits: &mut Vec<Hit>, hit: Hit) {
    let near = hits.len().saturating_sub(NEAR);
    let overlaps = |other: &Hit| other.span.start < hit.span.end && hit.span.start < other.span.end;
    let rank = |hit: &Hit| (hit.mitigation.is_some(), hit.tier);
    if hits[near..]
        .iter()
        .any(|other| overlaps(other) && rank(other) <= rank(&hit))
    {
        return;
    }
    let mut recent = hits.split_off(near);
    recent.retain(|other| !overlaps(other));
    hits.append(&mut recent);
    hits.push(hit);
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    static MATCHER: LazyLock<Matcher> = LazyLock::new(Matcher::new);

    /// Whether it passes the sieve, or holds none of the literals.
    fn is_judged_rightly(text: &str) -> bool {
        MATCHER.sieve.passes(text) || !MATCHER.automaton.is_match(text)
    }

    #[test]
    fn every_literal_passes() {
        for anchor in &MATCHER.anchors {
            assert!(MATCHER.sieve.passes(anchor.literal), "{}", anchor.literal);
        }
    }

    #[test]
    fn no_credential_that_has_a_literal_is_held_back() {
        for seed in 0..20 {
            let mut rng = StdRng::seed_from_u64(seed);
            let texts = crate::token::testing::positives(&mut rng)
                .into_iter()
                .map(|(.., text, _)| text);
            let keys = crate::key::testing::positives(&mut rng, 0)
                .into_iter()
                .map(|(.., text, _)| text);
            let carried = crate::carrier::testing::positives(&mut rng)
                .into_iter()
                .map(|(.., text, _)| text);
            for text in texts.chain(keys).chain(carried) {
                assert!(is_judged_rightly(&text), "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_with_a_literal_is_held_back(
            parts in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, "\\PC{0,3}"), 0..6)
        ) {
            let text = parts.iter().fold(String::new(), |text, (which, length, noise)| {
                let literal = which.get(&MATCHER.anchors).literal;
                text + literal.get(..*length).unwrap_or(literal) + noise
            });
            prop_assert!(is_judged_rightly(&text));
        }
    }
}
