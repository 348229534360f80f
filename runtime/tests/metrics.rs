//! What `/metrics` says of records that are sent on. It is a process of its own: logging is the process's.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "tests may fail loudly, and have clients of their own"
)]

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use countersign_runtime::http::{Readiness, serve};
use countersign_runtime::records::ExportFlags;
use countersign_runtime::telemetry::{self, LogFormat};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_collector_missed_stands_beside_the_other_metrics() {
    // Nobody listens at either when it begins.
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (collector, address) = (free(), free());
    let flags = ExportFlags {
        otlp_endpoint: format!("http://{collector}"),
        otlp_ca: None,
    };
    let export = telemetry::start("countersign-tests", LogFormat::Json, &flags).unwrap();
    let mut registry = Registry::default();
    let of_its_own = Counter::<u64>::default();
    registry.register("countersign_work", "What the binary does", of_its_own.clone());
    of_its_own.inc();
    let (_ready, is_ready) = watch::channel(Readiness::Ready);
    let stop = CancellationToken::new();
    let server = tokio::spawn(serve(address, Arc::new(registry), is_ready, stop.clone()));
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap();
    let metrics = async || loop {
        match client.get(format!("http://{address}/metrics")).send().await {
            Ok(answer) => break answer.text().await.unwrap(),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        assert!(!server.is_finished(), "the server ended");
    };

    let before = metrics().await;
    for line in [
        "countersign_work_total 1",
        "countersign_records_sent_total 0",
        "countersign_records_lost_total{reason=\"QueueFull\"} 0",
        "countersign_records_lost_total{reason=\"NotTaken\"} 0",
        "countersign_records_waiting 0",
    ] {
        assert!(before.lines().any(|one| one == line), "{line}: {before}");
    }
    assert_eq!(before.matches("# EOF").count(), 1);
    assert!(before.ends_with("# EOF\n"));

    info!(target: "countersign_decision", "a decision");
    tokio::task::spawn_blocking(move || drop(export)).await.unwrap();
    let after = metrics().await;
    for line in [
        "countersign_records_lost_total{reason=\"NotTaken\"} 1",
        "countersign_records_waiting 0",
    ] {
        assert!(after.lines().any(|one| one == line), "{line}: {after}");
    }
    stop.cancel();
    server.await.unwrap().unwrap();
}
