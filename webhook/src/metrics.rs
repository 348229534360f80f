//! What the webhook tells Prometheus. Label values come from enums and from names of rules, never from what was sent.

use std::time::Duration;

use countersign_scan::{Action, Tier};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::judge::{Judgement, action_name};
use crate::review::Operation;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Outcome {
    /// It got in.
    Allowed,
    /// It got in, with a warning.
    Warned,
    /// It did not.
    Denied,
    /// It got in without a look, by who wrote it.
    Exempt,
    /// It could not be read.
    Malformed,
    /// It was larger than any object may be.
    TooLarge,
    /// It outlived its deadline; the failure policy decided.
    Late,
    /// The webhook panicked: a bug. It did not get in.
    Panicked,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FindingLabels {
    rule: &'static str,
    tier: &'static str,
    action: &'static str,
}

/// All metrics of requests.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    findings: Family<FindingLabels, Counter>,
    duration: Histogram,
    /// When the serving certificate ends, in seconds since 1970.
    pub certificate_ends: Gauge,
}

impl Metrics {
    /// Makes them, and puts them where they are served from.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            findings: Family::default(),
            duration: Histogram::new(exponential_buckets(0.000_05, 2.0, 17)),
            certificate_ends: Gauge::default(),
        };
        registry.register(
            "admission_requests",
            "Admission requests by operation and outcome",
            metrics.requests.clone(),
        );
        registry.register(
            "admission_findings",
            "Findings in admission requests by rule, tier and action",
            metrics.findings.clone(),
        );
        registry.register_with_unit(
            "admission_duration",
            "From the head of an admission request to its answer",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        registry.register_with_unit(
            "serving_certificate_not_after",
            "When the serving certificate ends, since 1970",
            Unit::Seconds,
            metrics.certificate_ends.clone(),
        );
        metrics
    }

    /// Counts a request.
    pub fn count(&self, operation: Option<Operation>, outcome: Outcome) {
        let operation = operation.map_or("unknown", Operation::name);
        self.requests.get_or_create(&RequestLabels { operation, outcome }).inc();
    }

    /// Counts a request that was judged, and what was found in it.
    pub fn judged(&self, operation: Operation, judgement: &Judgement) {
        let verdict = &judgement.verdict;
        let outcome = if verdict.denial.is_some() {
            Outcome::Denied
        } else if !verdict.warnings.is_empty() {
            Outcome::Warned
        } else if judgement.exemption.is_some() {
            Outcome::Exempt
        } else {
            Outcome::Allowed
        };
        self.count(Some(operation), outcome);
        for weighed in &judgement.findings {
            let labels = FindingLabels {
                rule: weighed.finding.rule.id,
                tier: tier_name(weighed.finding.tier),
                action: weighed_action(weighed.action, weighed.waiver.is_some()),
            };
            self.findings.get_or_create(&labels).inc();
        }
    }

    /// Notes how long a request took.
    pub fn took(&self, duration: Duration) {
        self.duration.observe(duration.as_secs_f64());
    }
}

fn weighed_action(action: Action, waived: bool) -> &'static str {
    if waived { "waived" } else { action_name(action) }
}

/// As it is a label's value.
pub(crate) fn tier_name(tier: Tier) -> &'static str {
    match tier {
        Tier::Proven => "proven",
        Tier::Shaped => "shaped",
        Tier::Named => "named",
        Tier::Statistical => "statistical",
    }
}
