//! What a closer look at a candidate says, and the hit that comes of it.

use std::ops::Range;

use crate::finding::{Lifetime, Mitigation, Tier};
use crate::hit::{Hit, Input};
use crate::rule::Rule;

use super::placeholder::is_placeholder;
use super::published::is_published;

/// What can be a token: it has the characters of one.
pub(super) struct Candidate<'a> {
    /// All of it.
    pub token: &'a str,
    /// What follows its literal.
    pub body: &'a str,
    pub input: &'a Input<'a>,
}

/// What a closer look says of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is none.
    No,
    /// It has the form, and more cannot be told.
    Shaped,
    /// Its checksum fits, or it was parsed.
    Proven,
    /// It has a checksum, which does not fit.
    Unproven,
    /// It is for tests by its form.
    Test,
    /// It was parsed, and says when it ends, in seconds since 1970; or that it never does.
    Lives { issued: Option<i64>, end: Option<i64> },
}

impl Verdict {
    /// For a checksum that decides.
    pub fn by_checksum(fits: bool) -> Self {
        if fits { Self::Proven } else { Self::Unproven }
    }

    /// For a checksum that speaks for a token, never against it.
    pub fn for_checksum(fits: bool) -> Self {
        if fits { Self::Proven } else { Self::Shaped }
    }

    /// The hit that it makes of a candidate.
    pub fn hit(self, rule: &'static Rule, span: Range<usize>, candidate: &Candidate<'_>) -> Option<Hit> {
        let shaped = Hit::new(rule, Tier::Shaped, span.clone());
        match self {
            Self::No => None,
            Self::Proven => Some(Hit::new(rule, Tier::Proven, span)),
            Self::Lives { issued, end } => lives(Hit::new(rule, Tier::Proven, span), candidate.input, issued, end),
            Self::Test => Some(shaped.mitigated(Mitigation::Test)),
            Self::Shaped | Self::Unproven if is_published(candidate.token) => Some(shaped.mitigated(Mitigation::Test)),
            Self::Shaped | Self::Unproven if is_placeholder(candidate.body) => {
                Some(shaped.mitigated(Mitigation::Placeholder))
            }
            Self::Shaped => Some(shaped),
            Self::Unproven => Some(shaped.mitigated(Mitigation::Unproven)),
        }
    }
}

/// A token that lives no longer than it may is no finding.
fn lives(hit: Hit, input: &Input<'_>, issued: Option<i64>, end: Option<i64>) -> Option<Hit> {
    let Some(end) = end else {
        return Some(hit.living(Lifetime::Endless));
    };
    if end <= input.now {
        return Some(hit.mitigated(Mitigation::Expired));
    }
    let seconds = end.saturating_sub(issued.unwrap_or(input.now));
    (seconds > input.limits.token).then(|| hit.living(Lifetime::Seconds(seconds)))
}
