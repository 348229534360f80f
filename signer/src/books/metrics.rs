//! What is shown of the books.

use std::collections::BTreeMap;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::issue::Path;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByPath {
    path: Path,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByNamespace {
    namespace: String,
}

/// Certificates that have not expired.
#[derive(Clone, Debug, Default)]
pub struct BookMetrics {
    live: Family<ByPath, Gauge>,
    soonest: Family<ByNamespace, Gauge>,
}

impl BookMetrics {
    /// Shows the metrics.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "countersign_certificates_live",
            "Certificates that this replica issued since it started and that have not expired, by the way they were asked for",
            self.live.clone(),
        );
        registry.register(
            "countersign_certificate_soonest_expiry_timestamp_seconds",
            "The soonest end among the newest certificates of the identities of a namespace, in seconds since 1970; shown by the replica that leads",
            self.soonest.clone(),
        );
    }

    /// Shows how many are live.
    pub fn show_live(&self, live: &BTreeMap<Path, i64>) {
        // A way that nothing came by any more is shown as none.
        self.live.clear();
        for (path, count) in live {
            self.live.get_or_create(&ByPath { path: *path }).set(*count);
        }
    }

    /// Shows the soonest end of each namespace. Nothing is shown of what is not in it.
    pub fn show_soonest(&self, soonest: &BTreeMap<String, Timestamp>) {
        self.soonest.clear();
        for (namespace, end) in soonest {
            let labels = ByNamespace {
                namespace: namespace.clone(),
            };
            self.soonest.get_or_create(&labels).set(end.as_second());
        }
    }
}
