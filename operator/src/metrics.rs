//! What the operator tells Prometheus. Label values come from enums, never from text of errors.

use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// What was asked of the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Verb {
    /// A new object.
    Create,
    /// A server-side apply.
    Apply,
    /// A JSON patch.
    Patch,
    /// A deletion.
    Delete,
}

/// The status of a policy's condition Ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelValue)]
pub enum Ready {
    /// In force.
    True,
    /// Not in force, or not as written.
    False,
    /// Not looked at yet.
    Unknown,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Failure {
    /// A watch broke off or could not be started.
    Watch,
    /// The object belongs to somebody else.
    Conflicted,
    /// The API server refused.
    Refused,
    /// The API server could not be reached, or was overloaded.
    Unreachable,
    /// The kind is not served.
    NotInstalled,
    /// The object changed under the write; it is tried again at once.
    Raced,
    /// An event could not be published.
    Event,
    /// Verification keys could not be fetched.
    KeyFetch,
    /// A task panicked: a bug.
    Panic,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabels {
    verb: Verb,
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    reason: Failure,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReadyLabels {
    ready: Ready,
}

/// All metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    /// From the change of an object to the end of what followed from it.
    pub reconcile: Histogram,
    /// What waits to be looked at.
    pub queue: Gauge,
    /// 1 on the replica that writes.
    pub leader: Gauge,
    /// 1 once all initial lists are complete.
    pub ready: Gauge,
    failures: Family<FailureLabels, Counter>,
    writes: Family<WriteLabels, Counter>,
    objects: Family<KindLabels, Gauge>,
    served: Family<KindLabels, Gauge>,
    policies: Family<ReadyLabels, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("countersign");
        let metrics = Self {
            reconcile: Histogram::new(exponential_buckets(0.001, 2.0, 15)),
            queue: Gauge::default(),
            leader: Gauge::default(),
            ready: Gauge::default(),
            failures: Family::default(),
            writes: Family::default(),
            objects: Family::default(),
            served: Family::default(),
            policies: Family::default(),
            registry: Arc::default(),
        };
        registry.register_with_unit(
            "reconcile_duration",
            "From a change to the end of what followed from it",
            Unit::Seconds,
            metrics.reconcile.clone(),
        );
        registry.register(
            "queue_depth",
            "Objects that wait to be looked at",
            metrics.queue.clone(),
        );
        registry.register("leader", "Whether this replica writes", metrics.leader.clone());
        registry.register("ready", "Whether all initial lists are complete", metrics.ready.clone());
        registry.register("errors", "Errors by reason", metrics.failures.clone());
        registry.register(
            "api_writes",
            "Writes to the API server by verb and kind",
            metrics.writes.clone(),
        );
        registry.register(
            "objects",
            "Objects known, by kind; of the mesh's kinds only those of Countersign",
            metrics.objects.clone(),
        );
        registry.register(
            "kind_served",
            "Whether the cluster serves a kind",
            metrics.served.clone(),
        );
        registry.register(
            "policies",
            "Policies by the status of their condition Ready",
            metrics.policies.clone(),
        );
        Self {
            registry: Arc::new(registry),
            ..metrics
        }
    }
}

impl Metrics {
    /// Counts an error.
    pub fn failed(&self, reason: Failure) {
        self.failures.get_or_create(&FailureLabels { reason }).inc();
    }

    /// Counts a write.
    pub fn wrote(&self, verb: Verb, kind: &str) {
        self.writes
            .get_or_create(&WriteLabels {
                verb,
                kind: kind.to_owned(),
            })
            .inc();
    }

    /// Sets how many objects of a kind there are, and whether the cluster serves the kind.
    pub fn kind(&self, kind: &str, count: usize, served: bool) {
        let labels = KindLabels { kind: kind.to_owned() };
        self.objects
            .get_or_create(&labels)
            .set(i64::try_from(count).unwrap_or(i64::MAX));
        self.served.get_or_create(&labels).set(i64::from(served));
    }

    /// Sets how many policies have a status of the condition Ready.
    pub fn policies(&self, ready: Ready, count: usize) {
        self.policies
            .get_or_create(&ReadyLabels { ready })
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// All of it, to be served.
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry)
    }
}
