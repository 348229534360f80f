//! What the generators make is found as they say.

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::carrier::{RULES, may_name_secret, named, testing};
use crate::finding::{Mitigation, Tier};
use crate::hit::{Hit, Input};
use crate::limits::Limits;

fn all_hits(text: &str, name: Option<&str>) -> Vec<Hit> {
    let limits = Limits::default();
    let input = Input {
        text,
        name,
        now: 0,
        limits: &limits,
    };
    let mut hits = super::hits(text);
    if name.is_some_and(may_name_secret) {
        hits.extend(named(&input));
    }
    hits
}

#[test]
fn every_positive_is_found() {
    for seed in 0..500 {
        for (rule, tier, text, name) in testing::positives(&mut StdRng::seed_from_u64(seed)) {
            let hits = all_hits(&text, name);
            let hit = hits.iter().find(|hit| hit.rule.id == rule && hit.tier == tier);
            let hit = hit.unwrap_or_else(|| panic!("seed {seed}: {rule} under {name:?} is not found among {hits:?}"));
            let expected = (rule == "password-hash").then_some(Mitigation::Hash);
            assert_eq!(hit.mitigation, expected, "seed {seed}: {rule} under {name:?}");
        }
    }
}

#[test]
fn every_rule_has_ten_positives() {
    let positives = testing::positives(&mut StdRng::seed_from_u64(1));
    for rule in RULES {
        let count = positives.iter().filter(|(id, ..)| *id == rule.id).count();
        assert!(count >= 10, "{} has {count}", rule.id);
    }
}

#[test]
fn no_negative_denies() {
    for seed in 0..500 {
        for (text, name) in testing::negatives(&mut StdRng::seed_from_u64(seed)) {
            let denies = |hit: &&Hit| hit.mitigation.is_none() && hit.tier != Tier::Statistical;
            let hits = all_hits(&text, name);
            assert_eq!(hits.iter().find(denies), None, "seed {seed}: {name:?} {text}");
        }
    }
}
