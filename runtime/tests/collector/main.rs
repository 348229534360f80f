//! What a SIEM gets by way of a real OpenTelemetry Collector that has the configuration of docs/decision-records.md.
//! `scripts/peers` builds the Collector.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests may fail loudly")]

mod process;

use std::fs;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use countersign_runtime::records::{Export, ExportFlags};
use countersign_runtime::telemetry::{LogFormat, subscriber};
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rstest::rstest;
use tokio::net::TcpListener;
use tracing::info;
use tracing::subscriber::with_default;
use tracing_subscriber::EnvFilter;

use crate::process::Collector;

/// What the Collector hands records to, with OTLP over HTTP.
#[derive(Clone, Default)]
struct Siem(Arc<Mutex<Vec<ExportLogsServiceRequest>>>);

impl Siem {
    async fn start() -> (Self, SocketAddr) {
        let this = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/otlp/v1/logs", post(take_in));
        let serve = axum::serve(listener, router.with_state(this.clone()));
        tokio::spawn(async { serve.await });
        (this, address)
    }
}

/// Its answer has no bytes, as the message that says that all were taken.
async fn take_in(State(siem): State<Siem>, body: Bytes) -> [(&'static str, &'static str); 1] {
    let mut plain = Vec::new();
    GzDecoder::new(&*body).read_to_end(&mut plain).unwrap();
    let request = ExportLogsServiceRequest::decode(&*plain).unwrap();
    siem.0.lock().unwrap().push(request);
    [("content-type", "application/x-protobuf")]
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn text<'a>(pairs: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let pair = pairs.iter().find(|pair| pair.key == key)?;
    match pair.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        other => panic!("{key} is {other:?}"),
    }
}

#[rstest]
#[case::its_own(true, 1)]
#[case::of_somebody_else(false, 0)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_gets_through_the_collector_of_the_docs(#[case] its_own: bool, #[case] arrive: usize) {
    let _ = countersign_runtime::process::install_crypto_provider();
    let folder = tempfile::tempdir().unwrap();
    let place = |name| folder.path().join(name);
    let root = authority();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    fs::write(place("tls.crt"), params.signed_by(&key, &root).unwrap().pem()).unwrap();
    fs::write(place("tls.key"), key.serialize_pem()).unwrap();
    fs::write(place("ca.crt"), if its_own { root.pem() } else { authority().pem() }).unwrap();
    let (siem, address) = Siem::start().await;
    let collector = Collector::start(folder.path(), address);
    let flags = ExportFlags {
        otlp_endpoint: format!("https://localhost:{}", collector.port),
        otlp_ca: Some(place("ca.crt")),
    };
    let export = Export::begin("countersign-tests", &flags).unwrap().unwrap();
    with_default(
        subscriber(LogFormat::Json, EnvFilter::new("off"), Some(&export)),
        || {
            info!(name: "countersign.token.decision", target: "countersign_decision", outcome = "refused", caller = "acme", "a decision");
            info!("ordinary talk");
        },
    );
    drop(export);
    let log = collector.stop();
    let requests = siem.0.lock().unwrap();
    let resources: Vec<_> = requests.iter().flat_map(|request| &request.resource_logs).collect();
    let scopes = resources.iter().flat_map(|resource| &resource.scope_logs);
    let records: Vec<_> = scopes.flat_map(|scope| &scope.log_records).collect();
    assert_eq!(records.len(), arrive, "{log}");
    for resource in resources {
        let of = &resource.resource.as_ref().unwrap().attributes;
        assert_eq!(text(of, "service.name"), Some("countersign-tests"));
        assert!(text(of, "service.version").is_some());
    }
    for record in records {
        assert_eq!(record.event_name, "countersign.token.decision");
        assert_eq!(record.severity_text, "INFO");
        assert_eq!(text(&record.attributes, "outcome"), Some("refused"));
        assert_eq!(text(&record.attributes, "caller"), Some("acme"));
        assert!(record.time_unix_nano > 0);
    }
}
