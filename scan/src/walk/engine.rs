//! One scan: what has been found, and how much more may be decoded.

use std::collections::HashSet;

use super::decode::{DEPTH_CAP, TOTAL_CAP};
use super::place::Place;
use super::{Scanner, random, rules};
use crate::finding::{Action, Finding, Fingerprint, Location, Tier};
use crate::hit::{Hit, Input};
use crate::key;

/// The most findings that one object is given. One is enough to refuse it.
const MOST: usize = 1000;
/// The rule that makes a secret half a whole.
const AWS_ACCESS_KEY_ID: &str = "aws-access-key-id";

/// The longest key of a map that is shown. Kubernetes' own end at 253 characters and a name.
const LONGEST_KEY: usize = 320;

/// What holds for a part of the object.
#[expect(clippy::struct_excessive_bools, reason = "each is independent of the others")]
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    /// Whether names count: not in a schema, a reference or a role.
    pub names: bool,
    /// Whether a random value is worth a warning: where users put values, not where Kubernetes does, nor within files.
    pub values: bool,
    /// Whether this is a copy of the object, as in `last-applied-configuration`.
    pub copy: bool,
    /// Whether this is an object that an API server keeps: nobody but it and controllers write its status, and its
    /// metadata has the fields that it should have. That cannot be said of what stands within another object.
    pub guarded: bool,
    /// How often this was decoded.
    pub decoded: u8,
    /// How often it was read as a file.
    pub read: u8,
}

impl Context {
    pub fn top() -> Self {
        Self {
            names: true,
            values: false,
            copy: false,
            guarded: true,
            decoded: 0,
            read: 0,
        }
    }

    pub fn nameless(self) -> Self {
        Self { names: false, ..self }
    }

    pub fn within(self) -> Self {
        Self { guarded: false, ..self }
    }

    pub fn of_values(self) -> Self {
        Self { values: true, ..self }
    }

    pub fn in_copy(self) -> Self {
        Self { copy: true, ..self }
    }

    pub fn after_decoding(self) -> Self {
        Self {
            guarded: false,
            decoded: self.decoded + 1,
            ..self
        }
    }

    pub fn after_reading(self) -> Self {
        Self {
            guarded: false,
            read: self.read + 1,
            values: false,
            ..self
        }
    }
}

/// A finding, and what the end of the scan needs to know of it.
#[derive(Debug)]
struct Found {
    finding: Finding,
    copy: bool,
}

/// The state of one scan.
pub(super) struct Engine<'s> {
    pub scanner: &'s Scanner,
    pub now: i64,
    found: Vec<Found>,
    /// What is an AWS secret if an access key id is there too.
    halves: Vec<Found>,
    /// What was passed over where it is meant to stand, by fingerprint.
    meant: HashSet<Fingerprint>,
    left: usize,
}

impl<'s> Engine<'s> {
    pub fn new(scanner: &'s Scanner, now: i64) -> Self {
        Self {
            scanner,
            now,
            found: Vec::new(),
            halves: Vec::new(),
            meant: HashSet::new(),
            left: TOTAL_CAP,
        }
    }

    pub fn input<'a>(&self, text: &'a str, name: Option<&'a str>) -> Input<'a>
    where
        's: 'a,
    {
        Input {
            text,
            name,
            now: self.now,
            limits: &self.scanner.settings.limits,
        }
    }

    /// How many findings there are so far: a mark for [`Self::found_since`].
    pub fn mark(&self) -> usize {
        self.found.len()
    }

    /// Whether anything was found since a mark.
    pub fn found_since(&self, mark: usize) -> bool {
        self.found.len() > mark
    }

    /// Notes a hit, unless the same value was found since the mark: in a file that was read field by field.
    pub fn report(&mut self, place: &Place<'_>, text: &str, hit: &Hit, context: Context, mark: usize) {
        let Some(value) = text.get(hit.span.clone()) else {
            return;
        };
        let found = self.made(place, value.as_bytes(), hit, context);
        let known = |other: &&mut Found| other.finding.fingerprint == found.finding.fingerprint;
        let from = mark.min(self.found.len());
        match self.found[from..].iter_mut().find(known) {
            // The place that is known is the better one. What is known of the value may not be.
            Some(other) if found.finding.weight() < other.finding.weight() => {
                let location = other.finding.location.clone();
                other.finding = Finding {
                    location,
                    ..found.finding
                };
            }
            Some(_) => {}
            None => self.push(found),
        }
    }

    /// Notes a hit in what is not text.
    pub fn report_bytes(&mut self, place: &Place<'_>, value: &[u8], hit: &Hit, context: Context) {
        let found = self.made(place, value, hit, context);
        self.push(found);
    }

    fn push(&mut self, found: Found) {
        // A crowd of what only warns must not hide what denies.
        let room = if found.finding.action() == Action::Deny {
            2 * MOST
        } else {
            MOST
        };
        if self.found.len() < room {
            self.found.push(found);
        }
    }

    /// Passes over a value that is meant to stand where it does.
    pub fn pass(&mut self, value: &str) {
        let fingerprint = self.scanner.key.fingerprint(&key::canonical(value.as_bytes()));
        self.meant.insert(fingerprint);
    }

    /// Notes what is a credential only with another one.
    pub fn report_half(&mut self, place: &Place<'_>, text: &str, hit: &Hit, context: Context) {
        if self.halves.len() < MOST
            && let Some(value) = text.get(hit.span.clone())
        {
            let found = self.made(place, value.as_bytes(), hit, context);
            self.halves.push(found);
        }
    }

    /// Takes from what may still be decoded. What is beyond the caps is reported: nobody knows what is in it.
    pub fn spend(&mut self, value: &[u8], place: &Place<'_>, context: Context) -> bool {
        let enough = self.left >= value.len() && context.decoded < DEPTH_CAP && context.read < DEPTH_CAP;
        if enough {
            self.left -= value.len();
        } else {
            self.give_up(value, place, context);
        }
        enough
    }

    /// How many bytes may still be decoded.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Reports that a value cannot be looked into. Each value, so that an update cannot put another in its place.
    pub fn give_up(&mut self, value: &[u8], place: &Place<'_>, context: Context) {
        let hit = Hit::new(&rules::TOO_DEEP, Tier::Proven, 0..0);
        self.report_bytes(place, value, &hit, context);
    }

    fn made(&self, place: &Place<'_>, value: &[u8], hit: &Hit, context: Context) -> Found {
        Found {
            finding: Finding {
                location: self.location(place),
                rule: hit.rule,
                tier: hit.tier,
                mitigation: hit.mitigation,
                lifetime: hit.lifetime,
                fingerprint: self.scanner.key.fingerprint(&crate::key::canonical(value)),
            },
            copy: context.copy,
        }
    }

    fn location(&self, place: &Place<'_>) -> Location {
        place.location(|key| self.is_credential(key))
    }

    /// Whether a key of a map must not be shown. What is too long, or a document itself, is not looked into.
    fn is_credential(&self, key: &str) -> bool {
        let input = self.input(key, None);
        key.len() > LONGEST_KEY
            || key.contains('\n')
            || key.trim_start().starts_with(['{', '['])
            // A command that YAML takes for a key: `curl -u a:b -H 'X`.
            || key.contains(' ') && key.contains([':', '=', '@', '\'', '"', '-'])
            || self.scanner.matcher.any(&input)
            || key::whole(&input).is_some()
            || random::looks_random(key)
    }

    /// Everything that was found, each once.
    pub fn finish(mut self) -> Vec<Finding> {
        self.join_halves();
        let outside: HashSet<_> = self
            .found
            .iter()
            .filter(|found| !found.copy)
            .map(|found| found.finding.fingerprint)
            .chain(self.meant.drain())
            .collect();
        // A copy of the object goes away with what it copies.
        self.found
            .retain(|found| !found.copy || !outside.contains(&found.finding.fingerprint));
        let mut findings: Vec<Finding> = Vec::with_capacity(self.found.len());
        for Found { finding, .. } in self.found {
            let same = |other: &&mut Finding| {
                other.fingerprint == finding.fingerprint && other.location.pointer == finding.location.pointer
            };
            match findings.iter_mut().find(same) {
                Some(other) if finding.weight() < other.weight() => *other = finding,
                Some(_) => {}
                None => findings.push(finding),
            }
        }
        findings
    }

    /// With an access key id in the object, what can be its secret is one.
    fn join_halves(&mut self) {
        let has_id = self
            .found
            .iter()
            .any(|found| found.finding.rule.id == AWS_ACCESS_KEY_ID);
        for half in std::mem::take(&mut self.halves) {
            let same = |other: &&mut Found| {
                other.finding.fingerprint == half.finding.fingerprint && other.finding.location == half.finding.location
            };
            match self.found.iter_mut().find(same) {
                Some(other) if has_id => *other = half,
                None if has_id => self.found.push(half),
                _ => {}
            }
        }
    }
}

impl Finding {
    /// Of two findings of one value, the one of less weight says more.
    fn weight(&self) -> (bool, Tier, usize) {
        let depth = usize::MAX - self.location.steps.len();
        (self.mitigation.is_some(), self.tier, depth)
    }
}
