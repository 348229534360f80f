//! What Prometheus is told of the authority.

use countersign_crds::certificate_authority::{Phase, RootState};
use jiff::Timestamp;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::rotation::State;

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Failure {
    /// The Secret with the authority cannot be read.
    Unreadable,
    /// The Secret with the authority cannot be written.
    Store,
    /// A key or a certificate cannot be made.
    Make,
    /// What is brought, or what is asked for, cannot be used.
    Refused,
    /// A bundle cannot be published.
    Publish,
    /// The status cannot be written.
    Status,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    kind: Failure,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabels {
    step: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabels {
    phase: &'static str,
}

/// All metrics of the authority. Copies are of one.
#[derive(Clone, Debug, Default)]
pub struct AuthorityMetrics {
    root_ends: Gauge,
    intermediate_ends: Gauge,
    phase: Family<PhaseLabels, Gauge>,
    roots: Gauge,
    steps: Family<StepLabels, Counter>,
    failures: Family<FailureLabels, Counter>,
}

impl AuthorityMetrics {
    /// Makes them, and puts them where they are served from.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register_with_unit(
            "countersign_ca_root_not_after",
            "When the root in use ends, since 1970; 0 if there is none",
            Unit::Seconds,
            metrics.root_ends.clone(),
        );
        registry.register_with_unit(
            "countersign_ca_intermediate_not_after",
            "When the intermediate in use ends, since 1970; 0 if there is none",
            Unit::Seconds,
            metrics.intermediate_ends.clone(),
        );
        registry.register(
            "countersign_ca_phase",
            "Where a replacement of the root stands: 1 for the phase it is in",
            metrics.phase.clone(),
        );
        registry.register(
            "countersign_ca_roots",
            "Roots in the trust bundles",
            metrics.roots.clone(),
        );
        registry.register(
            "countersign_ca_steps",
            "Steps of rotations that this replica took",
            metrics.steps.clone(),
        );
        registry.register(
            "countersign_ca_failures",
            "What failed, by kind",
            metrics.failures.clone(),
        );
        metrics
    }

    /// Shows where roots and intermediate stand.
    pub fn show(&self, state: &State, now: Timestamp) {
        let root = state.roots.iter().find(|root| root.state == RootState::Active);
        self.root_ends.set(root.map_or(0, |root| root.ends.as_second()));
        let signing = state.signing.as_ref();
        self.intermediate_ends
            .set(signing.map_or(0, |signing| signing.ends.as_second()));
        self.roots.set(i64::try_from(state.roots.len()).unwrap_or(i64::MAX));
        let current = state.phase(now);
        for phase in [
            Phase::Steady,
            Phase::RootPublished,
            Phase::RootInUse,
            Phase::RootRetiring,
        ] {
            let labels = PhaseLabels {
                phase: phase_name(phase),
            };
            self.phase.get_or_create(&labels).set(i64::from(phase == current));
        }
    }

    /// Counts steps that were taken, by their names.
    pub fn took(&self, steps: &[&'static str]) {
        for step in steps {
            self.steps.get_or_create(&StepLabels { step }).inc();
        }
    }

    /// Counts a failure.
    pub fn failed(&self, kind: Failure) {
        self.failures.get_or_create(&FailureLabels { kind }).inc();
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Steady => "Steady",
        Phase::RootPublished => "RootPublished",
        Phase::RootInUse => "RootInUse",
        Phase::RootRetiring => "RootRetiring",
    }
}
