//! Providers' tokens and keys: tables of their forms, and the checksums of those that have one.
//!
//! A form is a literal, the alphabets and lengths around it, and a check where more can be told than by its characters.
//! [`shape`] reads all of them. What has a checksum or can be parsed is proven; a checksum that does not fit makes it a
//! warning. A key without a prefix is known by the name beside it ([`context`]).

mod ai;
mod alphabet;
mod azure;
mod checksum;
mod cloud;
mod context;
mod data;
mod forge;
mod observe;
mod payload;
mod placeholder;
mod platform;
mod published;
mod service;
mod shape;
mod table;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod verdict;

use crate::hit::{Anchor, Hit, Input};
use crate::rule::Rule;

/// Every rule of this module.
pub(crate) const RULES: &[&Rule] = &joined::<_, { count(RULE_TABLES) }>(RULE_TABLES);

/// What to search texts for.
pub(crate) const ANCHORS: &[Anchor] = &joined::<_, { count(ANCHOR_TABLES) }>(ANCHOR_TABLES);

const RULE_TABLES: &[&[&Rule]] = &[
    ai::RULES,
    azure::RULES,
    cloud::RULES,
    context::RULES,
    data::RULES,
    forge::RULES,
    observe::RULES,
    platform::RULES,
    service::RULES,
];

const ANCHOR_TABLES: &[&[Anchor]] = &[
    ai::ANCHORS,
    azure::ANCHORS,
    cloud::ANCHORS,
    data::ANCHORS,
    forge::ANCHORS,
    observe::ANCHORS,
    platform::ANCHORS,
    service::ANCHORS,
];

const fn count<T>(tables: &[&[T]]) -> usize {
    let (mut sum, mut table) = (0, 0);
    while table < tables.len() {
        sum += tables[table].len();
        table += 1;
    }
    sum
}

const fn joined<T: Copy, const N: usize>(tables: &[&[T]]) -> [T; N] {
    let mut all = [tables[0][0]; N];
    let (mut filled, mut table) = (0, 0);
    while table < tables.len() {
        let mut row = 0;
        while row < tables[table].len() {
            all[filled] = tables[table][row];
            filled += 1;
            row += 1;
        }
        table += 1;
    }
    all
}

/// A provider's key that only the name beside it tells: 32 hexadecimal digits under `DATADOG_API_KEY`.
pub(crate) fn named(input: &Input<'_>) -> Option<Hit> {
    context::find(input)
}

/// The secret half of an AWS key, if this text can be one: 40 characters of the base64 alphabet. It has no prefix: it
/// counts where an access key id is in the same object.
pub(crate) fn aws_secret(input: &Input<'_>) -> Option<Hit> {
    cloud::aws_secret(input)
}

/// How long the secret half of an AWS key is.
pub(crate) const AWS_SECRET_LENGTH: usize = 40;
