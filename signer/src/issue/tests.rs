use std::sync::Mutex;

use countersign_crds::certificate_authority::CertificateAuthoritySpec;
use rcgen::{KeyPair, PublicKeyData as _};
use rstest::rstest;
use serde_json::json;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::*;
use crate::authority::Kept;
use crate::authority::rotation::{Plan, Seen};
use crate::grant::Usages;
use crate::logged::logged;

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
    let books = Arc::new(Entered::default());
    let issuer = issuer(&books);
    let pair = KeyPair::generate().unwrap();
    let key = PublicKey::from_info(&pair.subject_public_key_info()).unwrap();
    let (issued, lines) = logged(|| issuer.issue(path, "req-1 (uid 7)", &grant(), &key, now()).unwrap());

    let [line] = &lines[..] else {
        panic!("one line, and not {lines:?}")
    };
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
