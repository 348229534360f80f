//! Exceptions: which findings a `CredentialWaiver` lets stand, and until when.
//!
//! The webhook, the audit and the command line all ask [`Waivers::covers`] and nothing else, so that a waiver that has
//! ended counts nowhere.

mod pattern;
mod read;

use std::collections::BTreeMap;

use crate::finding::Finding;
use crate::rule::Rule;
use pattern::Pattern;

pub use read::{WaiverProblem, near};

/// Names an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId<'a> {
    /// The API group; empty for the core group.
    pub group: &'a str,
    /// The kind.
    pub kind: &'a str,
    /// The namespace; empty for an object without one.
    pub namespace: &'a str,
    /// The name.
    pub name: &'a str,
}

/// An exception that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The rule that it speaks of.
    pub rule: &'static Rule,
    /// Why the credential may stand.
    pub reason: String,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
    group: String,
    kind: String,
    object: NamePattern,
    fields: Vec<Pattern>,
    /// In text, as a finding shows it.
    fingerprint: Option<String>,
}

/// The name of an object, or how names begin.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NamePattern {
    Exact(String),
    Prefix(String),
}

impl NamePattern {
    fn fits(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Prefix(prefix) => name.starts_with(prefix.as_str()),
        }
    }
}

impl Waiver {
    /// Whether it has ended. `now` is in seconds since 1970.
    pub fn is_expired(&self, now: i64) -> bool {
        now >= self.expires
    }

    /// Whether it speaks of this finding in this object, whatever the time and the namespace.
    fn is_about(&self, object: &ObjectId<'_>, finding: &Finding) -> bool {
        self.group == object.group
            && self.kind == object.kind
            && self.object.fits(object.name)
            && self.rule == finding.rule
            && self
                .fingerprint
                .as_ref()
                .is_none_or(|wanted| *wanted == finding.fingerprint.to_string())
            && (self.fields.is_empty() || self.fields.iter().any(|field| field.fits(&finding.location.pointer)))
    }
}

/// All waivers that there are.
#[derive(Clone, Debug, Default)]
pub struct Waivers {
    by_namespace: BTreeMap<String, Vec<Waiver>>,
    home: String,
}

impl Waivers {
    /// Takes all waivers. `home` is the namespace that Countersign runs in, if it runs in one: waivers there cover objects
    /// without a namespace too.
    pub fn new(waivers: impl IntoIterator<Item = Waiver>, home: Option<&str>) -> Self {
        let mut by_namespace: BTreeMap<String, Vec<Waiver>> = BTreeMap::new();
        for waiver in waivers {
            by_namespace.entry(waiver.namespace.clone()).or_default().push(waiver);
        }
        for waivers in by_namespace.values_mut() {
            // Of several that cover a finding, the one that lasts longest is named.
            waivers.sort_by(|one, two| (two.expires, &one.name).cmp(&(one.expires, &two.name)));
        }
        Self {
            by_namespace,
            home: home.unwrap_or_default().to_owned(),
        }
    }

    /// The waiver that lets a finding in an object stand, if there is one at `now`, in seconds since 1970.
    pub fn covers(&self, object: &ObjectId<'_>, finding: &Finding, now: i64) -> Option<&Waiver> {
        let namespace = if object.namespace.is_empty() {
            self.home.as_str()
        } else {
            object.namespace
        };
        let waivers = self.by_namespace.get(namespace)?;
        waivers
            .iter()
            .find(|waiver| !waiver.is_expired(now) && waiver.is_about(object, finding))
    }

    /// When the next waiver ends after `now`, both in seconds since 1970.
    pub fn next_end(&self, now: i64) -> Option<i64> {
        let ends = self.iter().map(|waiver| waiver.expires);
        ends.filter(|end| *end > now).min()
    }

    /// All waivers, by namespace.
    pub fn iter(&self) -> impl Iterator<Item = &Waiver> {
        self.by_namespace.values().flatten()
    }
}

#[cfg(test)]
mod tests;
