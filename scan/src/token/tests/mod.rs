//! For every form: what it finds, and what it must not.

mod context;
mod lifetime;
mod negative;
mod robust;
mod walked;
mod warning;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::testing::positives;
use super::{ANCHORS, RULES, named};
use crate::hit::{Hit, Input};
use crate::limits::Limits;

const NOW: i64 = 1_800_000_000;
const ROUNDS: u64 = 10;

fn input<'a>(text: &'a str, name: Option<&'a str>, limits: &'a Limits) -> Input<'a> {
    Input {
        text,
        name,
        now: NOW,
        limits,
    }
}

/// All that is found in a text, as the walk finds it.
fn hits(text: &str, name: Option<&str>) -> Vec<Hit> {
    hits_within(text, name, &Limits::default())
}

fn hits_within(text: &str, name: Option<&str>, limits: &Limits) -> Vec<Hit> {
    let input = input(text, name, limits);
    LITERALS
        .find_overlapping_iter(text)
        .filter_map(|found| (ANCHORS[found.pattern().as_usize()].find)(&input, found.start()))
        .chain(named(&input))
        .collect()
}

static LITERALS: LazyLock<AhoCorasick> =
    LazyLock::new(|| AhoCorasick::new(ANCHORS.iter().map(|anchor| anchor.literal)).unwrap());

/// What keeps an object out.
fn denied(text: &str, name: Option<&str>) -> Vec<Hit> {
    hits(text, name)
        .into_iter()
        .filter(|hit| hit.mitigation.is_none())
        .collect()
}

fn rounds() -> impl Iterator<Item = StdRng> {
    (0..ROUNDS).map(StdRng::seed_from_u64)
}

/// Ways in which a token stands in a text.
const AROUND: &[(&str, &str)] = &[
    ("", ""),
    ("\"", "\""),
    ("'", "'"),
    ("TOKEN=", ""),
    ("token: ", "\n"),
    ("https://host.example/path?token=", "&page=1"),
    ("https://user:", "@host.example/"),
    ("Use ", " to sign in, and nothing else."),
    ("{\\\"token\\\":\\\"", "\\\"}"),
    ("first\\n", "\\nthird"),
    ("a%3D", "%26b"),
    ("\\u0026", "\\u003c"),
    ("für „", "“ — ✓"),
    ("(", ")"),
    ("<value>", "</value>"),
    ("--token ", ","),
];

#[test]
fn finds_every_form_in_every_surrounding() {
    for mut rng in rounds().take(3) {
        for (rule, tier, token, name) in positives(&mut rng) {
            for (before, after) in AROUND.iter().take(if name.is_some() { 3 } else { AROUND.len() }) {
                let text = format!("{before}{token}{after}");
                let span = before.len()..before.len() + token.len();
                let found = hits(&text, name);
                let hit = found.iter().find(|hit| hit.rule.id == rule);
                assert_eq!(
                    hit.map(|hit| (hit.tier, hit.mitigation, hit.span.clone())),
                    Some((tier, None, span)),
                    "{rule} between {before:?} and {after:?}, beside {name:?}"
                );
            }
        }
    }
}

#[test]
fn has_a_form_for_every_rule() {
    let found: BTreeSet<&str> = positives(&mut StdRng::seed_from_u64(1))
        .into_iter()
        .map(|(rule, ..)| rule)
        .collect();
    let elsewhere = ["aws-secret-key", "google-access-token"];
    let missing: Vec<&str> = RULES
        .iter()
        .map(|rule| rule.id)
        .filter(|id| !found.contains(id) && !elsewhere.contains(id))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn names_each_rule_and_each_literal_once() {
    let mut seen = BTreeMap::<&str, u32>::new();
    let literals = ANCHORS.iter().map(|anchor| anchor.literal);
    for name in RULES.iter().map(|rule| rule.id).chain(literals) {
        *seen.entry(name).or_default() += 1;
    }
    seen.retain(|_, times| *times > 1);
    assert_eq!(seen, BTreeMap::new());
    assert!(
        ANCHORS
            .iter()
            .all(|anchor| anchor.literal.is_ascii() && anchor.literal.len() >= 3)
    );
    assert!(
        RULES.iter().all(|rule| rule.title.starts_with("a ")
            || rule.title.starts_with("an ")
            || rule.title.starts_with("the "))
    );
}
