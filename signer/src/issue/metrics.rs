//! What is counted.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::Path;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Outcome {
    /// A certificate was issued.
    Issued,
    /// It was refused.
    Refused,
    /// It could not be issued now.
    Failed,
}

impl EncodeLabelValue for Path {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.name().encode(encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    path: Path,
    outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JwtLabels {
    outcome: Outcome,
}

/// Requests by way and outcome.
#[derive(Debug, Default)]
pub struct IssueMetrics {
    requests: Family<Labels, Counter>,
    jwt_requests: Family<JwtLabels, Counter>,
}

impl IssueMetrics {
    /// Shows the metrics.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "countersign_certificate_requests",
            "Requests for certificates, by the way they came and what became of them",
            self.requests.clone(),
        );
        registry.register(
            "countersign_jwt_svid_requests",
            "Requests for JWT-SVIDs, by what became of them",
            self.jwt_requests.clone(),
        );
    }

    /// Counts a request.
    pub fn count(&self, path: Path, outcome: Outcome) {
        self.requests.get_or_create(&Labels { path, outcome }).inc();
    }

    /// Counts a request for a JWT-SVID.
    pub fn count_jwt(&self, outcome: Outcome) {
        self.jwt_requests.get_or_create(&JwtLabels { outcome }).inc();
    }
}
