//! What the audit tells Prometheus. Only the replica that does the audit has numbers.

use std::collections::BTreeMap;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// What findings are counted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub(super) struct Labels {
    pub(super) rule: &'static str,
    pub(super) tier: &'static str,
    pub(super) result: &'static str,
}

/// All metrics of the audit.
#[derive(Clone, Debug, Default)]
pub struct AuditMetrics {
    findings: Family<Labels, Gauge>,
    /// Objects that were scanned.
    pub(super) scanned: Counter,
    /// Objects that could not be looked into.
    pub(super) unreadable: Counter,
    /// Reports that were written or deleted.
    pub(super) reports: Counter,
    /// Events that were not published, since there were too many.
    pub(super) silenced: Counter,
    /// Kinds that are followed.
    pub(super) kinds: Gauge,
    /// When every kind had been read once, in seconds since 1970.
    pub(super) complete: Gauge,
}

impl AuditMetrics {
    /// Makes them, and puts them where they are served from.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self {
            findings,
            scanned,
            unreadable,
            reports,
            silenced,
            kinds,
            complete,
        } = metrics.clone();
        registry.register(
            "audit_findings",
            "Credentials in what is there, by rule, tier and result: fail, warn, or skip for waived ones",
            findings,
        );
        registry.register("audit_objects_scanned", "Objects scanned", scanned);
        registry.register(
            "audit_objects_unreadable",
            "Objects that could not be looked into, nested too deep",
            unreadable,
        );
        registry.register("audit_report_writes", "Reports written or deleted", reports);
        registry.register(
            "audit_events_silenced",
            "Events of findings that were not published, since there were too many",
            silenced,
        );
        registry.register("audit_kinds", "Kinds that are followed", kinds);
        registry.register_with_unit(
            "audit_complete",
            "When every kind had been read once, since 1970; 0 before",
            Unit::Seconds,
            complete,
        );
        metrics
    }

    /// Takes in how many findings there are.
    pub(super) fn found(&self, counts: &BTreeMap<Labels, i64>) {
        self.findings.clear();
        for (labels, count) in counts {
            self.findings.get_or_create(labels).set(*count);
        }
    }

    /// Another replica does the audit.
    pub(super) fn reset(&self) {
        self.findings.clear();
        self.kinds.set(0);
        self.complete.set(0);
    }
}
