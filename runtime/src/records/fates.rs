//! What became of records that are to be sent on. What the collector does not take while the process runs is counted.

use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry_otlp::LogExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{BatchLogProcessor, LogBatch, LogExporter as Exporter, LogProcessor, SdkLogRecord};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// How many records wait at most, unless `OTEL_BLRP_MAX_QUEUE_SIZE` says it: OpenTelemetry's own default.
const QUEUE: i64 = 2048;
const QUEUE_VARIABLE: &str = "OTEL_BLRP_MAX_QUEUE_SIZE";

/// Why a record did not reach the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Loss {
    /// Too many waited already.
    QueueFull,
    /// The collector could not be reached, or did not take it.
    NotTaken,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LossLabels {
    reason: Loss,
}

/// What became of the records. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct Fates {
    sent: Counter,
    lost: Family<LossLabels, Counter>,
    waiting: Gauge,
}

impl Fates {
    /// Counts in this registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("records_sent", "Records that the collector took", self.sent.clone());
        registry.register(
            "records_lost",
            "Records that did not reach the collector; the log has them",
            self.lost.clone(),
        );
        // From the beginning, so that the first loss is an increase.
        for reason in [Loss::QueueFull, Loss::NotTaken] {
            self.losses(reason);
        }
        registry.register("records_waiting", "Records that are not sent yet", self.waiting.clone());
    }

    /// How many records the collector took.
    pub fn sent(&self) -> u64 {
        self.sent.get()
    }

    /// How many records were lost, for one reason.
    pub fn lost(&self, reason: Loss) -> u64 {
        self.losses(reason).get()
    }

    /// How many records are not sent yet.
    pub fn waiting(&self) -> i64 {
        self.waiting.get()
    }

    fn losses(&self, reason: Loss) -> Counter {
        self.lost.get_or_create_owned(&LossLabels { reason })
    }

    fn done(&self, number: usize, taken: bool) {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        self.waiting.dec_by(number.into());
        if taken {
            self.sent.inc_by(number.into());
        } else {
            self.losses(Loss::NotTaken).inc_by(number.into());
        }
    }
}

/// An exporter that counts.
#[derive(Debug)]
struct Counting {
    exporter: LogExporter,
    fates: Fates,
}

impl Exporter for Counting {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let number = batch.iter().count();
        let result = self.exporter.export(batch).await;
        self.fates.done(number, result.is_ok());
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// Puts records into the queue of the SDK, and no more than fit: what that drops itself, it tells nobody in numbers.
#[derive(Debug)]
pub(super) struct Queue {
    processor: BatchLogProcessor,
    fates: Fates,
    most: i64,
}

impl Queue {
    pub fn new(exporter: LogExporter, fates: Fates) -> Self {
        let exporter = Counting {
            exporter,
            fates: fates.clone(),
        };
        Self {
            processor: BatchLogProcessor::builder(exporter).build(),
            fates,
            most: most(std::env::var(QUEUE_VARIABLE).ok().as_deref()),
        }
    }
}

/// How many may wait, by the variable: what the SDK cannot read leaves its default.
fn most(said: Option<&str>) -> i64 {
    said.and_then(|text| text.parse().ok())
        .map_or(QUEUE, |most: u32| most.into())
}

impl LogProcessor for Queue {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if self.fates.waiting.inc() >= self.most {
            self.fates.waiting.dec();
            self.fates.losses(Loss::QueueFull).inc();
            return;
        }
        self.processor.emit(record, scope);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.processor.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.processor.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::most;

    #[test]
    fn as_many_wait_as_the_variable_says() {
        assert_eq!(most(Some("65536")), 65_536);
        for said in [None, Some(""), Some("-1"), Some("many")] {
            assert_eq!(most(said), 2048, "{said:?}");
        }
    }
}
