//! Credentials and what is none, made anew from a seed in each run, in the objects that carry them: what must be found,
//! what must not, what must never be shown, and what must come to an end.

#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "what is wrong with a test ends it"
)]

mod canary;
mod carried;
mod carriers;
mod harmless;
mod hostile;
mod recall;
mod structure;
mod written;

use countersign_scan::{Finding, FingerprintKey, Mitigation, Scanner, Settings, Tier, key_testing, testing};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

/// When every object is looked at: a day in the year 2027.
pub const NOW: i64 = 1_800_000_000;

/// What a text must be found to be, and the name that stands beside it.
pub type Positive = (&'static str, Tier, String, Option<&'static str>);

/// A random source of its own for each round.
pub fn rng(round: u64) -> StdRng {
    StdRng::seed_from_u64(0x00c0_ffee + round)
}

/// Credentials that a text, or a text and its name, shows.
pub fn positives(round: u64) -> Vec<Positive> {
    positives_at(round, NOW)
}

/// The same, for whoever looks at them at another time.
pub fn positives_at(round: u64, now: i64) -> Vec<Positive> {
    let mut rng = rng(round);
    let tokens = testing::positives(&mut rng);
    let keys = key_testing::positives(&mut rng, now);
    let mut all: Vec<Positive> = tokens.into_iter().map(named_in_full).collect();
    all.extend(keys.into_iter().map(named_at_all));
    all.extend(carried::positives(&mut rng));
    all
}

/// What looks like a credential and is worth a warning: a rule, why, the text and its name.
pub fn doubtful(round: u64) -> Vec<(&'static str, Mitigation, String, Option<&'static str>)> {
    key_testing::doubtful(&mut rng(round), NOW)
}

/// What must be let in: the rule that it comes close to, the text and its name.
pub fn negatives(round: u64) -> Vec<(&'static str, String, Option<&'static str>)> {
    negatives_at(round, NOW)
}

/// The same, for whoever looks at them at another time.
pub fn negatives_at(round: u64, now: i64) -> Vec<(&'static str, String, Option<&'static str>)> {
    let mut all = key_testing::negatives(&mut rng(round), now);
    all.extend(harmless::references(&mut rng(round)));
    let broken = positives_at(round, now)
        .into_iter()
        .filter(|(id, .., name)| name.is_none() && !TEXTS.contains(id));
    all.extend(broken.flat_map(|(id, _, text, _)| harmless::broken(&text).map(|text| (id, text, None))));
    all
}

/// Rules whose texts are more than one token: a broken one can still hold a whole one.
const TEXTS: &[&str] = &[
    "private-key",
    "openvpn-key",
    "jwk-private",
    "symmetric-jwk",
    "gcp-service-account-key",
];

/// Rules that ask for the whole value. In a file, only values under a name that may ask for a secret are looked at.
const WHOLE: &[(&str, &str)] = &[
    ("private-key", "SIGNING_PRIVATE_KEY"),
    ("pkcs12", "KEYSTORE_SECRET"),
    ("java-keystore", "KEYSTORE_SECRET"),
    ("nats-seed", "NATS_TOKEN_SEED"),
];

/// The least that a name must have is a word such as `DATADOG`; users write `DATADOG_API_KEY`.
fn named_in_full((id, tier, text, name): Positive) -> Positive {
    let full = name.map(|name| match name.rsplit('_').next() {
        Some("KEY" | "TOKEN" | "SECRET" | "PASSWORD" | "PAT") => name,
        _ => &*format!("{name}_API_KEY").leak(),
    });
    (id, tier, text, full)
}

fn named_at_all((id, tier, text, name): Positive) -> Positive {
    let whole = WHOLE.iter().find(|(rule, _)| *rule == id).map(|(_, name)| *name);
    (id, tier, text, name.or(whole))
}

/// A scanner as it comes.
pub fn scanner() -> Scanner {
    Scanner::new(Settings::default(), FingerprintKey::new([7; 32]))
}

/// What is found in an object, as the API server would send it.
pub fn found(scanner: &Scanner, object: &Value) -> Vec<Finding> {
    scanner.scan_json(object.to_string().as_bytes(), NOW).unwrap()
}
