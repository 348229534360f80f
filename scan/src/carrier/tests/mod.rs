//! What is found, and what is left alone.

mod anchor;
mod command;
mod format;
mod generated;
mod named;

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::finding::Tier;
use crate::hit::{Hit, Input};
use crate::limits::Limits;

const BASE62: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const HEX: &str = "0123456789abcdef";

/// Material like a secret, made when it is needed.
fn random(seed: u64, alphabet: &str, length: usize) -> String {
    let mut rng = StdRng::seed_from_u64(seed);
    let letters: Vec<char> = alphabet.chars().collect();
    (0..length)
        .map(|_| letters[rng.random_range(0..letters.len())])
        .collect()
}

/// What all anchors find in a text.
fn hits(text: &str) -> Vec<Hit> {
    let limits = Limits::default();
    let input = Input {
        text,
        name: None,
        now: 0,
        limits: &limits,
    };
    let mut hits: Vec<Hit> = Vec::new();
    for anchor in super::ANCHORS {
        for (at, _) in text.match_indices(anchor.literal) {
            hits.extend((anchor.find)(&input, at));
        }
    }
    hits.sort_by_key(|hit| hit.span.start);
    hits.dedup();
    hits
}

#[expect(clippy::disallowed_methods, reason = "what is measured is the time that it takes")]
fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Whether a value under a name would be denied by the name.
fn denied(name: &str, text: &str) -> bool {
    let limits = Limits::default();
    let input = Input {
        text,
        name: Some(name),
        now: 0,
        limits: &limits,
    };
    super::may_name_secret(name)
        && super::named(&input).is_some_and(|hit| hit.mitigation.is_none() && hit.tier != Tier::Statistical)
}
