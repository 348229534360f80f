//! What a detector says of one text. It has a place in the text, not yet one in the object.

use std::ops::Range;

use crate::finding::{Lifetime, Mitigation, Tier};
use crate::limits::Limits;
use crate::rule::Rule;

/// A text to look at, and what is known around it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    /// The text: a string of the object, or what was decoded from one.
    pub text: &'a str,
    /// The name beside it, if there is one: the key of a map, the name of an environment variable, header or flag.
    pub name: Option<&'a str>,
    /// The time, in seconds since 1970.
    pub now: i64,
    /// How long things may live.
    pub limits: &'a Limits,
}

/// A credential in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub rule: &'static Rule,
    pub tier: Tier,
    /// The credential itself, in bytes of the text.
    pub span: Range<usize>,
    pub mitigation: Option<Mitigation>,
    pub lifetime: Option<Lifetime>,
}

impl Hit {
    /// A hit with nothing said against it.
    pub fn new(rule: &'static Rule, tier: Tier, span: Range<usize>) -> Self {
        Self {
            rule,
            tier,
            span,
            mitigation: None,
            lifetime: None,
        }
    }

    pub fn mitigated(self, mitigation: Mitigation) -> Self {
        Self {
            mitigation: Some(mitigation),
            ..self
        }
    }

    pub fn living(self, lifetime: Lifetime) -> Self {
        Self {
            lifetime: Some(lifetime),
            ..self
        }
    }
}

/// A literal that cannot but stand in a credential of some kind, and what looks closer where it stands.
///
/// All literals are searched for at once (Aho-Corasick, case-sensitive); `find` gets the offset at which the literal
/// begins. It must take time linear in what it accepts or in a constant, never in the length of the text.
#[derive(Clone, Copy)]
pub(crate) struct Anchor {
    pub literal: &'static str,
    pub find: fn(&Input<'_>, usize) -> Option<Hit>,
}
