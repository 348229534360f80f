use std::io;
use std::sync::{Mutex, PoisonError};

use countersign_crds::certificate_authority::CertificateAuthoritySpec;
use rcgen::{KeyPair, PublicKeyData as _};
use rstest::rstest;
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::*;
use crate::authority::Kept;
use crate::authority::rotation::{Plan, Seen};
use crate::grant::Usages;

/// What is written to the log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// What is entered into the books.
#[derive(Default)]
struct Entered(Mutex<Vec<Record>>);

impl Books for Entered {
    fn enter(&self, record: Record) {
        self.0.lock().unwrap().push(record);
    }
}

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn grant() -> Grant {
    Grant {
        namespace: "shop".into(),
        service_account: "api".into(),
        service_identity: Some("orders".into()),
        spiffe_id: "spiffe://cluster.local/ns/shop/sa/api".parse().unwrap(),
        key_type: None,
        dns_names: vec!["api.shop.svc".into()],
        usages: Usages {
            server: true,
            client: true,
        },
        lifetime: jiff::SignedDuration::from_hours(6),
        renew_after_percent: 50,
    }
}

fn issuer(books: &Arc<Entered>) -> Issuer {
    let plan = Plan::new(&CertificateAuthoritySpec::default()).unwrap();
    let kept = Kept::new("cluster.local".parse().unwrap());
    let (kept, _) = kept.advanced(&plan, &Seen::default(), None, now()).unwrap();
    let current = Current::default();
    current.set(kept.authority().map(Arc::new));
    Issuer::new(current, Arc::default(), Arc::clone(books) as _)
}

#[rstest]
#[case(Path::PodCertificate, "pod-certificate")]
#[case(Path::CertificateSigningRequest, "certificate-signing-request")]
#[case(Path::IstioCa, "istio-ca")]
#[case(Path::WorkloadApi, "workload-api")]
#[case(Path::Secret, "secret")]
#[case(Path::Serving, "serving")]
fn every_certificate_is_written_down_whole_and_without_its_key(#[case] path: Path, #[case] named: &str) {
    let (log, books) = (Log::default(), Arc::new(Entered::default()));
    let issuer = issuer(&books);
    let pair = KeyPair::generate().unwrap();
    let key = PublicKey::from_info(&pair.subject_public_key_info()).unwrap();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(log.clone())
        .finish();
    let issued = tracing::subscriber::with_default(subscriber, || {
        issuer.issue(path, "req-1 (uid 7)", &grant(), &key, now()).unwrap()
    });

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let line: Value = serde_json::from_str(&text).unwrap();
    let (_, leaf) = X509Certificate::from_der(&issued.chain[0]).unwrap();
    let serial = hex(leaf.raw_serial());
    let time = |seconds: i64| Timestamp::from_second(seconds).unwrap().to_string();
    let sha256 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &issued.chain[0]);
    for (field, expected) in [
        ("target", json!("countersign_signer::issued")),
        ("path", json!(named)),
        ("request", json!("req-1 (uid 7)")),
        ("namespace", json!("shop")),
        ("service_account", json!("api")),
        ("service_identity", json!("orders")),
        ("spiffe_id", json!("spiffe://cluster.local/ns/shop/sa/api")),
        ("serial", json!(serial)),
        ("sha256", json!(hex(sha256.as_ref()))),
        ("not_before", json!(time(leaf.validity().not_before.timestamp()))),
        ("not_after", json!(time(leaf.validity().not_after.timestamp()))),
    ] {
        assert_eq!(line[field], expected, "{field} of {line}");
    }
    let entered = books.0.lock().unwrap();
    assert_eq!(entered.len(), 1);
    assert_eq!((entered[0].path, &entered[0].serial), (path, &serial));
}
