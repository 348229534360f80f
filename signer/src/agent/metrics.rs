//! What the agent counts.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::refusal::Reason;

/// What was asked of the signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Kind {
    /// An X.509-SVID.
    X509,
    /// A JWT-SVID.
    Jwt,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Outcome {
    /// It was issued.
    Issued,
    /// The workload has no identity by this way.
    Refused,
    /// There was no answer that says so.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AskedLabels {
    kind: Kind,
    outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedLabels {
    reason: Reason,
}

/// What the agent counts. Clones are of one.
#[derive(Clone, Debug, Default)]
pub struct AgentMetrics {
    live: Gauge,
    asked: Family<AskedLabels, Counter>,
    refused: Family<RefusedLabels, Counter>,
}

impl AgentMetrics {
    /// Shows the metrics.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "countersign_agent_svids",
            "Pods of this node that have an X.509-SVID from the agent",
            self.live.clone(),
        );
        registry.register(
            "countersign_agent_issuances",
            "What was asked of the signer for workloads of this node, by what became of it",
            self.asked.clone(),
        );
        registry.register(
            "countersign_agent_refusals",
            "Calls of workloads that got nothing, by the reason",
            self.refused.clone(),
        );
    }

    /// Shows how many Pods have an SVID.
    pub fn live(&self, count: usize) {
        self.live.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Counts what was asked of the signer.
    pub fn asked(&self, kind: Kind, outcome: Outcome) {
        self.asked.get_or_create(&AskedLabels { kind, outcome }).inc();
    }

    /// Counts a workload's call that got nothing.
    pub fn refused(&self, reason: Reason) {
        self.refused.get_or_create(&RefusedLabels { reason }).inc();
    }
}
