//! What Prometheus is told of federation.

use countersign_identity::TrustDomain;
use jiff::Timestamp;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// What became of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum Outcome {
    /// There is a new bundle.
    Fetched,
    /// What is there is current.
    Unchanged,
    /// There is no bundle to be had, or none that can be taken.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    trust_domain: String,
    outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DomainLabels {
    trust_domain: String,
}

/// All metrics of federation. Copies are of one.
#[derive(Clone, Debug, Default)]
pub struct FederationMetrics {
    fetches: Family<Labels, Counter>,
    refreshed: Family<DomainLabels, Gauge>,
}

impl FederationMetrics {
    /// Makes them, and puts them where they are served from.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "countersign_federation_fetches",
            "Fetches of foreign bundles by this replica, by trust domain and what became of them",
            metrics.fetches.clone(),
        );
        registry.register_with_unit(
            "countersign_federation_refreshed",
            "When the bundle of a foreign trust domain was fetched last by this replica, since 1970",
            Unit::Seconds,
            metrics.refreshed.clone(),
        );
        metrics
    }

    pub(super) fn count(&self, domain: &TrustDomain, outcome: Outcome, now: Timestamp) {
        let trust_domain = domain.to_string();
        if outcome != Outcome::Failed {
            let labels = DomainLabels {
                trust_domain: trust_domain.clone(),
            };
            self.refreshed.get_or_create(&labels).set(now.as_second());
        }
        self.fetches.get_or_create(&Labels { trust_domain, outcome }).inc();
    }

    /// Forgets what this replica does not fetch any more: another may.
    pub(super) fn clear(&self, domain: &TrustDomain) {
        let trust_domain = domain.to_string();
        self.refreshed.remove(&DomainLabels { trust_domain });
    }
}
