//! What the audit knows: findings, by kind and object. Objects without any are not in it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use countersign_scan::{Finding, Fingerprint, Location};

use super::follow::{Name, Told};
use super::kinds::{Kind, KindId};

/// A finding, and since when it is known, in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) finding: Finding,
    pub(super) since: i64,
}

/// What is known of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) uid: String,
    pub(super) findings: Vec<Known>,
}

/// What is known of a kind.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) kind: Kind,
    pub(super) objects: BTreeMap<Name, Entry>,
    /// What was seen of the list that is being read.
    listing: Option<BTreeSet<Name>>,
    /// Whether a list was read to its end, or cannot be.
    settled: bool,
}

/// What tells a finding from others, in what was written before too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Mark {
    pub(super) kind: String,
    pub(super) group: String,
    pub(super) object: Name,
    pub(super) rule: String,
    pub(super) fingerprint: String,
    pub(super) location: String,
}

impl Mark {
    fn new(kind: &Kind, object: &Name, finding: &Finding) -> Self {
        Self {
            kind: kind.resource.kind.clone(),
            group: kind.resource.group.clone(),
            object: object.clone(),
            rule: finding.rule.id.to_owned(),
            fingerprint: finding.fingerprint.to_string(),
            location: finding.location.to_string(),
        }
    }
}

/// Findings that were not known before.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct News {
    pub(super) kind: KindId,
    pub(super) object: Name,
    pub(super) findings: Vec<Finding>,
}

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct Book {
    sections: BTreeMap<KindId, Section>,
    /// What earlier audits reported, and since when.
    reported: HashMap<Mark, i64>,
    /// Namespaces whose findings changed; the empty one for what has none.
    changed: BTreeSet<String>,
}

impl Book {
    /// Begins with what earlier audits reported.
    pub(super) fn new(reported: HashMap<Mark, i64>) -> Self {
        Self {
            reported,
            ..Self::default()
        }
    }

    /// Takes in a kind that will be followed.
    pub(super) fn open(&mut self, kind: &Kind) {
        self.sections.entry(kind.id()).or_insert_with(|| Section {
            kind: kind.clone(),
            objects: BTreeMap::new(),
            listing: None,
            settled: false,
        });
    }

    /// Forgets a kind that the cluster no longer serves.
    pub(super) fn close(&mut self, kind: &KindId) {
        let section = self.sections.remove(kind);
        let objects = section.into_iter().flat_map(|section| section.objects.into_keys());
        self.changed.extend(objects.map(|name| name.namespace));
    }

    /// Takes in what is told at `now`, and gives what is new about it.
    pub(super) fn take(&mut self, told: Told, now: i64) -> Option<News> {
        match told {
            Told::Listing(kind) => {
                self.sections.get_mut(&kind)?.listing = Some(BTreeSet::new());
                None
            }
            Told::Seen(kind, name, look) => {
                let section = self.sections.get_mut(&kind)?;
                if let Some(listing) = section.listing.as_mut().filter(|_| !look.findings.is_empty()) {
                    listing.insert(name.clone());
                }
                self.see(&kind, name, look.uid, look.findings, now)
            }
            Told::Gone(kind, name) => {
                self.remove(&kind, &name);
                None
            }
            Told::Listed(kind) => {
                let section = self.sections.get_mut(&kind)?;
                section.settled = true;
                let seen = section.listing.take().unwrap_or_default();
                let gone: Vec<Name> = section
                    .objects
                    .keys()
                    .filter(|name| !seen.contains(name))
                    .cloned()
                    .collect();
                for name in &gone {
                    self.remove(&kind, name);
                }
                None
            }
            Told::Unreadable(kind) => {
                self.sections.get_mut(&kind)?.settled = true;
                None
            }
        }
    }

    fn see(&mut self, kind: &KindId, name: Name, uid: String, findings: Vec<Finding>, now: i64) -> Option<News> {
        if findings.is_empty() {
            self.remove(kind, &name);
            return None;
        }
        let section = self.sections.get_mut(kind)?;
        // Another object of the same name has findings of its own.
        let before = section.objects.get(&name).filter(|entry| entry.uid == uid);
        let mut news = Vec::new();
        let mut since: HashMap<(&'static str, Fingerprint, &Location), i64> = HashMap::new();
        for known in before.iter().flat_map(|entry| &entry.findings) {
            since.insert(same(&known.finding), known.since);
        }
        let known = findings.into_iter().map(|finding| {
            let earlier = since
                .get(&same(&finding))
                .copied()
                .or_else(|| self.reported.remove(&Mark::new(&section.kind, &name, &finding)));
            if earlier.is_none() {
                news.push(finding.clone());
            }
            Known {
                finding,
                since: earlier.unwrap_or(now),
            }
        });
        let entry = Entry {
            findings: known.collect(),
            uid,
        };
        if section.objects.get(&name) != Some(&entry) {
            self.changed.insert(name.namespace.clone());
            section.objects.insert(name.clone(), entry);
        }
        (!news.is_empty()).then(|| News {
            kind: kind.clone(),
            object: name,
            findings: news,
        })
    }

    fn remove(&mut self, kind: &KindId, name: &Name) {
        let removed = self
            .sections
            .get_mut(kind)
            .and_then(|section| section.objects.remove(name));
        if removed.is_some() {
            self.changed.insert(name.namespace.clone());
        }
    }

    /// Whether every kind was read once, so that what is not in the book is not in the cluster.
    pub(super) fn is_complete(&self) -> bool {
        !self.sections.is_empty() && self.sections.values().all(|section| section.settled)
    }

    /// How many kinds are followed.
    pub(super) fn kinds(&self) -> usize {
        self.sections.len()
    }

    /// The kind of that name.
    pub(super) fn kind(&self, kind: &KindId) -> Option<&Kind> {
        self.sections.get(kind).map(|section| &section.kind)
    }

    /// The uid of an object with findings.
    pub(super) fn uid(&self, kind: &KindId, name: &Name) -> Option<String> {
        Some(self.sections.get(kind)?.objects.get(name)?.uid.clone())
    }

    /// The namespaces whose findings changed since this was asked last.
    pub(super) fn take_changed(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.changed)
    }

    /// All namespaces with findings; the empty one for what has none.
    pub(super) fn namespaces(&self) -> BTreeSet<String> {
        let objects = self.sections.values().flat_map(|section| section.objects.keys());
        objects.map(|name| name.namespace.clone()).collect()
    }

    /// The objects of a namespace that have findings, in the order of their kinds and names.
    pub(super) fn objects<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = (&'a Kind, &'a Name, &'a Entry)> {
        let first = Name {
            namespace: namespace.to_owned(),
            name: String::new(),
        };
        self.sections.values().flat_map(move |section| {
            let from = section.objects.range(first.clone()..);
            let here = from.take_while(move |(name, _)| name.namespace == namespace);
            here.map(|(name, entry)| (&section.kind, name, entry))
        })
    }
}

/// What makes two findings of an object the same.
fn same(finding: &Finding) -> (&'static str, Fingerprint, &Location) {
    (finding.rule.id, finding.fingerprint, &finding.location)
}

#[cfg(test)]
mod tests;
