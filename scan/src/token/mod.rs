//! Providers' tokens and keys: a table of their forms, and the checksums of those that have one.

use crate::hit::{Anchor, Hit, Input};
use crate::rule::Rule;

/// Every rule of this module.
pub(crate) const RULES: &[&Rule] = &[];

/// What to search texts for.
pub(crate) const ANCHORS: &[Anchor] = &[];

/// A provider's key that only the name beside it tells: 32 hexadecimal digits under `DATADOG_API_KEY`.
pub(crate) fn named(_input: &Input<'_>) -> Option<Hit> {
    None
}

/// The secret half of an AWS key, if this text can be one: 40 characters of the base64 alphabet. It has no prefix: it
/// counts where an access key id is in the same object.
pub(crate) fn aws_secret(_input: &Input<'_>) -> Option<Hit> {
    None
}

/// How long the secret half of an AWS key is.
pub(crate) const AWS_SECRET_LENGTH: usize = 40;
