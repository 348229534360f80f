//! What is measured of the service as a whole. Decisions are counted where they are recorded.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::directory::Endpoint;
use crate::keys::Ring;
use crate::keys::schedule;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByEndpoint {
    endpoint: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByIssuer {
    issuer: String,
}

/// How long requests take, how many secrets are hashed, when keys turn, and whether the store answers.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<ByEndpoint, Histogram, fn() -> Histogram>,
    hashes: Counter,
    key_turns: Family<ByIssuer, Gauge>,
    store: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            // From half a millisecond to sixteen seconds.
            requests: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.000_5, 2.0, 16))),
            hashes: Counter::default(),
            key_turns: Family::default(),
            store: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Shows them in this registry.
    pub fn register(registry: &mut Registry) -> Self {
        let this = Self::default();
        registry.register_with_unit(
            "countersign_tokens_request_duration",
            "How long requests took, by endpoint, whatever became of them",
            Unit::Seconds,
            this.requests.clone(),
        );
        registry.register(
            "countersign_tokens_secrets_hashed",
            "Secrets that were hashed to be compared, whether there is a client that has one or not",
            this.hashes.clone(),
        );
        registry.register_with_unit(
            "countersign_tokens_signing_key_until_timestamp",
            "When another key takes the place of the one that an issuer signs with, in seconds since 1970",
            Unit::Seconds,
            this.key_turns.clone(),
        );
        registry.register(
            "countersign_tokens_store_up",
            "Whether the store answered when it was asked last: 1 or 0",
            this.store.clone(),
        );
        this
    }

    /// A request was answered.
    pub fn answered(&self, endpoint: Endpoint, took: Duration) {
        let labels = ByEndpoint {
            endpoint: endpoint.name(),
        };
        self.requests.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// A secret is hashed.
    pub fn hashes_secret(&self) {
        self.hashes.inc();
    }

    /// How many secrets were hashed.
    pub fn secrets_hashed(&self) -> u64 {
        self.hashes.get()
    }

    /// Shows when the keys turn of the issuers that there are: their names, their keys, and for how many seconds a key signs.
    pub fn show_keys<'a>(&self, issuers: impl Iterator<Item = (&'a str, &'a Ring, i64)>, now: i64) {
        // Of an issuer that is gone nothing is shown.
        self.key_turns.clear();
        for (issuer, ring, rotate_every) in issuers {
            let labels = ByIssuer {
                issuer: issuer.to_owned(),
            };
            if let Some(until) = schedule::signs_until(&ring.document().keys, rotate_every, now) {
                self.key_turns.get_or_create(&labels).set(until);
            }
        }
    }

    /// Shows whether the store answers.
    pub fn show_store(&self, answers: bool) {
        self.store.set(i64::from(answers));
    }
}
