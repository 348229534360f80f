//! From what is known to what is written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use countersign_runtime::clock;
use countersign_scan::Waivers;
use tracing::{info, warn};

use super::book::Book;
use super::metrics::Labels;
use super::report::{self, Line};
use super::waivers::Kepts;
use super::write::{Reports, WriteError};
use super::{Audit, is_secret, object_id};
use crate::cluster::Caps;

/// What was counted in a namespace.
#[derive(Debug, Default)]
struct Counts {
    findings: BTreeMap<Labels, i64>,
    /// By waiver, as `namespace/name`.
    covered: BTreeMap<String, i64>,
    caps: Caps,
}

/// What was written, and what still has to be.
pub(super) struct Flush {
    reports: Reports,
    /// Whether there are kinds to report with; unknown at first.
    installed: Option<bool>,
    pub(super) waivers: Kepts,
    counts: BTreeMap<String, Counts>,
    /// The namespaces whose reports have to be written.
    due: BTreeSet<String>,
    /// The waivers that findings were weighed with, and when the next of them ends.
    weighed_with: Option<(Arc<Waivers>, Option<i64>)>,
    /// Namespaces whose reports could not be written, each told of once.
    failing: BTreeSet<String>,
}

impl Flush {
    pub(super) fn new(reports: Reports) -> Self {
        Self {
            reports,
            installed: None,
            waivers: Kepts::default(),
            counts: BTreeMap::new(),
            due: BTreeSet::new(),
            weighed_with: None,
            failing: BTreeSet::new(),
        }
    }

    /// Takes in whether there are kinds to report with.
    pub(super) fn installed(&mut self, installed: bool, scans: bool) {
        if scans && self.installed != Some(installed) {
            if installed {
                info!("reports are written as Report and ClusterReport of openreports.io");
                self.due.extend(self.counts.keys().cloned());
            } else {
                warn!(
                    "the kinds of openreports.io are not installed, so findings are in metrics and events only; install them \
                     with the Helm chart `openreports` of https://openreports.github.io/reports-api"
                );
            }
        }
        self.installed = Some(installed);
    }

    /// Looks whether somebody changed or deleted a report, which is then written anew.
    pub(super) async fn check(&mut self) {
        if self.installed != Some(true) {
            return;
        }
        match self.reports.changed().await {
            Ok(changed) => self.due.extend(changed),
            Err(error) => warn!(%error, "the reports cannot be read"),
        }
    }

    /// Writes what changed. What fails is tried again the next time.
    pub(super) async fn run(&mut self, audit: &Audit, book: &mut Book) {
        // What is not read yet could be taken for gone.
        if !book.is_complete() {
            return;
        }
        let now = clock::now();
        if audit.scans {
            if audit.metrics.complete.get() == 0 {
                audit.metrics.complete.set(now.as_second());
                self.due.extend(self.reports.namespaces());
                info!(kinds = book.kinds(), "every kind was read once");
            }
            let stale = self.stale(audit, book, now.as_second());
            for namespace in &stale {
                self.weigh(audit, book, namespace, now.as_second());
            }
            if !stale.is_empty() {
                audit.metrics.found(&self.total(|counts| &counts.findings));
            }
            self.due.extend(stale);
            if self.installed == Some(true) {
                self.write(audit, book, now.as_second()).await;
            }
        }
        let covers = audit.scans.then(|| self.total(|counts| &counts.covered));
        for (name, status) in self.waivers.due(covers.as_ref(), now) {
            if !audit.leadership.holds() {
                return;
            }
            if let Err(error) = self.waivers.write(&audit.client, &name, status).await {
                warn!(namespace = name.namespace, waiver = name.name, %error, "the status of a waiver could not be written");
            }
        }
    }

    /// The namespaces whose findings have to be weighed anew.
    fn stale(&mut self, audit: &Audit, book: &mut Book, now: i64) -> BTreeSet<String> {
        let mut stale = book.take_changed();
        let waivers = audit.state.cluster.waivers();
        let same = self
            .weighed_with
            .as_ref()
            .is_some_and(|(with, end)| Arc::ptr_eq(with, &waivers) && end.is_none_or(|end| now < end));
        if same {
            let changed = self
                .counts
                .iter()
                .filter(|(namespace, counts)| audit.state.cluster.caps(namespace) != counts.caps);
            stale.extend(changed.map(|(namespace, _)| namespace.clone()));
        } else {
            let next_end = waivers.next_end(now);
            self.weighed_with = Some((waivers, next_end));
            stale.extend(book.namespaces());
        }
        stale
    }

    fn weigh(&mut self, audit: &Audit, book: &Book, namespace: &str, now: i64) {
        let caps = audit.state.cluster.caps(namespace);
        let mut counts = Counts {
            caps,
            ..Counts::default()
        };
        for line in lines(audit, book, namespace, now) {
            let labels = Labels {
                rule: line.known.finding.rule.id,
                tier: crate::metrics::tier_name(line.known.finding.tier),
                result: line.outcome().name(),
            };
            *counts.findings.entry(labels).or_default() += 1;
            if let Some(waiver) = line.waiver {
                *counts.covered.entry(waiver).or_default() += 1;
            }
        }
        if counts.findings.is_empty() {
            self.counts.remove(namespace);
        } else {
            self.counts.insert(namespace.to_owned(), counts);
        }
    }

    fn total<K: Clone + Ord>(&self, of: impl Fn(&Counts) -> &BTreeMap<K, i64>) -> BTreeMap<K, i64> {
        let mut total = BTreeMap::new();
        for (key, count) in self.counts.values().flat_map(of) {
            *total.entry(key.clone()).or_default() += count;
        }
        total
    }

    async fn write(&mut self, audit: &Audit, book: &Book, now: i64) {
        for namespace in std::mem::take(&mut self.due) {
            if !audit.leadership.holds() {
                return;
            }
            let report = report::render(&namespace, lines(audit, book, &namespace, now));
            match self.reports.put(&namespace, report.as_ref()).await {
                Ok(wrote) => {
                    audit.metrics.reports.inc_by(u64::from(wrote));
                    self.failing.remove(&namespace);
                }
                Err(error) => self.failed(namespace, &error),
            }
        }
    }

    fn failed(&mut self, namespace: String, error: &WriteError) {
        // A namespace that is gone, or on its way, takes no report; its objects will be gone too.
        let gone =
            matches!(error, WriteError::Api(kube::Error::Api(status)) if status.code == 404 || status.code == 403);
        if self.failing.insert(namespace.clone()) {
            warn!(namespace, %error, "a report could not be written");
        }
        if !gone && !matches!(error, WriteError::Foreign) {
            self.due.insert(namespace);
        }
    }
}

/// All that is found in a namespace, with what becomes of it.
fn lines<'a>(audit: &Audit, book: &'a Book, namespace: &'a str, now: i64) -> Vec<Line<'a>> {
    let judge = &audit.state.judge;
    let waivers = audit.state.cluster.waivers();
    let caps = audit.state.cluster.caps(namespace);
    let mut lines = Vec::new();
    for (kind, name, entry) in book.objects(namespace) {
        let id = object_id(kind, name);
        let is_secret = is_secret(kind);
        for known in &entry.findings {
            let weigh = |caps: Caps| judge.weigh(&id, is_secret, vec![known.finding.clone()], caps, &waivers, now);
            let (Some(plain), Some(in_force)) = (weigh(Caps::default()).pop(), weigh(caps).pop()) else {
                continue;
            };
            lines.push(Line {
                kind,
                object: name,
                uid: &entry.uid,
                known,
                action: plain.action,
                in_force: in_force.action,
                waiver: plain.waiver,
            });
        }
    }
    lines
}
