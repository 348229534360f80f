//! What reaches a collector, and what does not. The receiver is OpenTelemetry's own service, over gRPC.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests may fail loudly")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_runtime::records::{Export, ExportFlags, Loss};
use countersign_runtime::telemetry::{LogFormat, subscriber};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rstest::rstest;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};
use tracing::subscriber::with_default;
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<ExportLogsServiceRequest>>>);

#[tonic::async_trait]
impl LogsService for Collector {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.0.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

impl Collector {
    async fn start(tls: Option<ServerTlsConfig>) -> (Self, SocketAddr) {
        let this = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut server = Server::builder();
        if let Some(tls) = tls {
            server = server.tls_config(tls).unwrap();
        }
        let server = server.add_service(LogsServiceServer::new(this.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        (this, address)
    }

    fn records(&self) -> Vec<LogRecord> {
        let requests = self.0.lock().unwrap();
        let resources = requests.iter().flat_map(|request| &request.resource_logs);
        let scopes = resources.flat_map(|resource| &resource.scope_logs);
        let mut records: Vec<_> = scopes.flat_map(|scope| scope.log_records.clone()).collect();
        // They are sent in groups, by their targets.
        records.sort_by_key(|record| record.time_unix_nano);
        records
    }

    fn resource(&self) -> BTreeMap<String, String> {
        let requests = self.0.lock().unwrap();
        texts(&requests[0].resource_logs[0].resource.as_ref().unwrap().attributes)
    }
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let pair = |pair: &KeyValue| (pair.key.clone(), text(pair.value.as_ref()));
    attributes.iter().map(pair).collect()
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        other => panic!("{other:?} is no text"),
    }
}

fn plain(address: SocketAddr) -> ExportFlags {
    ExportFlags {
        otlp_endpoint: format!("http://{address}"),
        otlp_ca: None,
    }
}

#[rstest]
#[case("info")]
#[case("off")]
#[case("error,countersign_decision=off,countersign_security=off")]
#[case("trace")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_arrive_with_their_fields_and_nothing_else_does(#[case] levels: &str) {
    let (collector, address) = Collector::start(None).await;
    let export = Export::begin("countersign-tests", &plain(address)).unwrap().unwrap();
    with_default(
        subscriber(LogFormat::Json, EnvFilter::new(levels), Some(&export)),
        || {
            info!(name: "countersign.decision", target: "countersign_decision", outcome = "refused", caller = Some("acme"), "a decision");
            warn!(target: "countersign_security", event = "replay", "used again");
            error!(password = "hunter2", "ordinary talk");
            info!(target: "h2::client", "talk of the connection");
            // The end, within the subscriber, as in a binary: what the exporter says of itself is not sent either.
            drop(export);
        },
    );
    let records = collector.records();
    let bodies: Vec<_> = records.iter().map(|record| text(record.body.as_ref())).collect();
    assert_eq!(bodies, ["a decision", "used again"]);
    let fields = texts(&records[0].attributes);
    assert_eq!(fields["outcome"], "refused");
    assert_eq!(fields["caller"], "acme");
    assert_eq!(records[0].event_name, "countersign.decision");
    assert_eq!(
        (&*records[0].severity_text, &*records[1].severity_text),
        ("INFO", "WARN")
    );
    assert!(records[0].time_unix_nano > 0);
    let resource = collector.resource();
    assert_eq!(resource["service.name"], "countersign-tests");
    assert!(resource.contains_key("service.version") && resource.contains_key("service.instance.id"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_does_not_answer_stops_nothing() {
    // It takes connections and never says a word.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let flags = plain(listener.local_addr().unwrap());
    let export = Export::begin("countersign-tests", &flags).unwrap().unwrap();
    let fates = export.fates();
    let all = tokio::task::spawn_blocking(move || {
        with_default(
            subscriber(LogFormat::Json, EnvFilter::new("off"), Some(&export)),
            || {
                for number in 0..20_000 {
                    info!(target: "countersign_decision", number, "a decision");
                }
            },
        );
        drop(export);
    });
    // Who waited for the collector would wait for ever.
    tokio::time::timeout(Duration::from_mins(1), all)
        .await
        .unwrap()
        .unwrap();
    // 2,048 wait; it is told of the others that they are lost.
    assert_eq!((fates.sent(), fates.lost(Loss::QueueFull)), (0, 20_000 - 2048));
}

#[rstest]
#[case::its_own(true, 1)]
#[case::of_somebody_else(false, 0)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_shows_a_certificate_of_the_authority_that_is_named(#[case] its_own: bool, #[case] arrive: usize) {
    let _ = countersign_runtime::process::install_crypto_provider();
    let make = || generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let CertifiedKey { cert, signing_key } = make();
    let identity = Identity::from_pem(cert.pem(), signing_key.serialize_pem());
    let (collector, address) = Collector::start(Some(ServerTlsConfig::new().identity(identity))).await;
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.crt");
    std::fs::write(&ca, if its_own { cert.pem() } else { make().cert.pem() }).unwrap();
    let flags = ExportFlags {
        otlp_endpoint: format!("https://localhost:{}", address.port()),
        otlp_ca: Some(ca),
    };
    let export = Export::begin("countersign-tests", &flags).unwrap().unwrap();
    let fates = export.fates();
    with_default(
        subscriber(LogFormat::Json, EnvFilter::new("off"), Some(&export)),
        || {
            info!(target: "countersign_decision", "a decision");
        },
    );
    drop(export);
    assert_eq!(collector.records().len(), arrive);
    let lost = usize::try_from(fates.lost(Loss::NotTaken)).unwrap();
    assert_eq!((usize::try_from(fates.sent()).unwrap(), lost), (arrive, 1 - arrive));
    assert_eq!(fates.waiting(), 0);
}

#[rstest]
#[case("collector:4317", "--otlp-endpoint")]
#[case("not a url", "--otlp-endpoint")]
#[case("ftp://collector", "--otlp-endpoint")]
#[case("http://user:hunter2@collector:4317", "--otlp-endpoint")]
#[case("http://collector:4318/v1/logs", "--otlp-endpoint")]
#[case("https://collector:4317", "--otlp-ca")]
fn what_cannot_be_an_endpoint_is_refused_by_the_name_of_the_flag(#[case] endpoint: &str, #[case] flag: &str) {
    let flags = ExportFlags {
        otlp_endpoint: endpoint.to_owned(),
        otlp_ca: None,
    };
    let said = Export::begin("countersign-tests", &flags).unwrap_err().to_string();
    assert!(said.starts_with(flag), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn without_an_endpoint_nothing_is_sent() {
    assert!(
        Export::begin("countersign-tests", &ExportFlags::default())
            .unwrap()
            .is_none()
    );
}
