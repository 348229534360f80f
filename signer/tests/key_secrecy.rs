//! The authority's keys show nowhere but in the Secret that they are kept in: not in logs at their most talkative, not in
//! statuses, errors, metrics or debug output; from the first start over rotations and issuance to a Secret that is damaged.
//! The API server is one in memory that says what it was told.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "test code: a panic is how a test fails"
)]

#[path = "support/api_server.rs"]
mod api_server;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api_server::ApiServer;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use countersign_identity::{Bundle, TrustDomain};
use countersign_runtime::lease::{self, Elector};
use countersign_runtime::{clock, telemetry};
use countersign_signer::authority::AuthorityMetrics;
use countersign_signer::authority::follow::{self, Object};
use countersign_signer::authority::keep::{Keeper, UNREAD};
use countersign_signer::authority::lead::{Inputs, Leader, Place};
use countersign_signer::authority::store::{self, Reading};
use countersign_signer::books::Ledger;
use countersign_signer::bundle::Publication;
use countersign_signer::grant::{Grant, Usages};
use countersign_signer::issue::{Current, IssueMetrics, Issuer, Path};
use countersign_signer::key::PublicKey;
use jiff::SignedDuration;
use prometheus_client::registry::Registry;
use rcgen::{KeyPair, PublicKeyData as _};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

const NAMESPACE: &str = "countersign-system";
const SECRETS: &str = "/api/v1/namespaces/countersign-system/secrets";
const AUTHORITIES: &str = "/apis/countersign.dev/v1alpha1/certificateauthorities";

/// All that is shown to anybody.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<Vec<u8>>>);

impl Write for Shown {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Shown {
    fn debug(&mut self, value: &impl Debug) {
        write!(self, "{value:?} {value:#?}").unwrap();
    }

    fn contains(&self, text: &str) -> bool {
        find(&self.0.lock().unwrap(), text.as_bytes())
    }
}

fn find(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}

/// The secret number of a P-256 key (RFC 5915) in PKCS#8: all else in it is public.
fn secret_number(pem: &str) -> Vec<u8> {
    let PrivateKeyDer::Pkcs8(der) = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap() else {
        panic!("not PKCS#8");
    };
    let der = der.secret_pkcs8_der();
    let head = [2, 1, 1, 4, 32];
    let at = der.windows(head.len()).position(|window| window == head).unwrap() + head.len();
    der[at..at + 32].to_vec()
}

/// Every form that a part of a key can be shown in: twelve bytes of it are enough.
fn traces(pem: &str) -> Vec<Vec<u8>> {
    const PART: usize = 12;
    let number = secret_number(pem);
    let mut traces = Vec::new();
    for part in number.windows(PART) {
        let list = |base: fn(&u8) -> String, between: &str| part.iter().map(base).collect::<Vec<_>>().join(between);
        traces.push(part.to_vec());
        traces.push(list(|byte| format!("{byte:02x}"), "").into_bytes());
        traces.push(list(|byte| format!("{byte:02X}"), "").into_bytes());
        traces.push(list(|byte| format!("{byte:02x}"), ":").into_bytes());
        traces.push(list(ToString::to_string, ", ").into_bytes());
        traces.push(list(ToString::to_string, ",").into_bytes());
        traces.push(BASE64_STANDARD.encode(part).into_bytes());
        traces.push(part.escape_ascii().to_string().into_bytes());
    }
    // As lines of PEM, in the text itself and once more in base64, as Secrets are in JSON.
    for line in pem.lines().filter(|line| !line.starts_with("-----")) {
        let pieces = line.as_bytes().windows(16);
        for piece in pieces.filter(|piece| has_secret(piece, &number)) {
            traces.push(piece.to_vec());
            traces.push(BASE64_STANDARD.encode(&piece[..15]).into_bytes());
        }
    }
    traces
}

/// Whether a piece of base64, wherever it begins, has a part of the number in it.
fn has_secret(piece: &[u8], number: &[u8]) -> bool {
    (0..4).any(|skipped| {
        let aligned = &piece[skipped..skipped + (piece.len() - skipped) / 4 * 4];
        BASE64_STANDARD
            .decode(aligned)
            .is_ok_and(|bytes| bytes.len() >= 9 && find(number, &bytes))
    })
}

/// The keys that a Secret has.
fn keys_of(secret: &Value) -> Vec<String> {
    let entries = secret["data"].as_object().cloned().unwrap_or_default();
    let texts = entries
        .iter()
        .filter(|(name, _)| std::path::Path::new(name).extension().is_some_and(|kind| kind == "key"))
        .map(|(_, value)| String::from_utf8(BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap()).unwrap());
    texts
        .filter(|text| text.contains("PRIVATE KEY") && text.contains("END"))
        .collect()
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..400 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not come");
}

/// The parts of a signer that have to do with its keys.
struct Signer {
    current: Current,
    readings: watch::Receiver<Reading>,
    publication: watch::Sender<Publication>,
    trusted: watch::Receiver<Option<Arc<Bundle>>>,
    registry: Registry,
    stop: CancellationToken,
}

impl Signer {
    fn start(server: &ApiServer) -> Self {
        let client = server.client();
        let trust_domain: TrustDomain = "example.org".parse().unwrap();
        let place = Place {
            client: client.clone(),
            namespace: NAMESPACE.to_owned(),
            trust_domain: trust_domain.clone(),
            mesh: None,
        };
        let stop = CancellationToken::new();
        let mut registry = Registry::default();
        let metrics = AuthorityMetrics::register(&mut registry);
        let lease = lease::Place {
            namespace: NAMESPACE.to_owned(),
            name: "countersign-signer",
            field_manager: "countersign.dev/signer-lease",
        };
        let (elector, leadership) = Elector::new(client.clone(), lease, "one".to_owned());
        tokio::spawn(elector.run(stop.clone()));
        let (to, readings) = watch::channel(Reading::Unread);
        tokio::spawn(store::follow(client.clone(), NAMESPACE.to_owned(), trust_domain, to));
        let (to, object) = watch::channel(Object::Unread);
        tokio::spawn(follow::object(client, to));
        let (publication, told) = watch::channel(Publication::default());
        let (roots, own_roots) = watch::channel(None);
        let (ready, _) = watch::channel(UNREAD);
        let current = Current::default();
        let keeper = Keeper {
            readings: readings.clone(),
            current: current.clone(),
            roots,
            ready,
            metrics: metrics.clone(),
        };
        tokio::spawn(keeper.run());
        let inputs = Inputs {
            object,
            readings: readings.clone(),
            publication: told,
        };
        tokio::spawn(Leader::new(&place, leadership, inputs, metrics).run(stop.clone()));
        Self {
            current,
            readings,
            publication,
            trusted: own_roots,
            registry,
            stop,
        }
    }

    fn signs_with(&self) -> Option<String> {
        self.current.get().map(|authority| authority.serial().to_owned())
    }

    fn roots(&self) -> BTreeSet<String> {
        let trusted = self.trusted.borrow();
        let roots = trusted.iter().flat_map(|bundle| bundle.roots());
        roots.map(|root| root.fingerprint().to_string()).collect()
    }

    fn issue(&self, shown: &mut Shown) {
        let grant = Grant {
            namespace: "shop".to_owned(),
            service_account: "api".to_owned(),
            service_identity: None,
            spiffe_id: "spiffe://example.org/ns/shop/sa/api".parse().unwrap(),
            key_type: None,
            dns_names: Vec::new(),
            usages: Usages {
                server: true,
                client: true,
            },
            lifetime: SignedDuration::from_hours(1),
            renew_after_percent: 50,
        };
        let issuer = Issuer::new(
            self.current.clone(),
            Arc::new(IssueMetrics::default()),
            Arc::new(Ledger::default()),
        );
        let key = KeyPair::generate().unwrap();
        let public = PublicKey::from_info(&key.subject_public_key_info()).unwrap();
        let certificate = issuer.issue(Path::PodCertificate, "a test", &grant, &public, clock::now());
        shown.debug(&certificate);
        shown.debug(&self.current);
        shown.debug(&*self.readings.borrow());
    }
}

/// A new intermediate, then a new root: distributed, used, and the old one on its way out.
async fn rotate(server: &ApiServer, signer: &Signer) {
    let first = signer.signs_with();
    annotate(server, "countersign.dev/rotate-intermediate");
    until("another intermediate", || signer.signs_with() != first).await;
    let second = signer.signs_with();
    annotate(server, "countersign.dev/rotate-root");
    until("another root", || signer.roots().len() == 2).await;
    signer.publication.send_replace(Publication {
        everywhere: signer.roots(),
        ..Publication::default()
    });
    until("an intermediate under it", || signer.signs_with() != second).await;
}

fn entry(text: &str) -> Value {
    json!(BASE64_STANDARD.encode(text))
}

/// The key of the intermediate, as the Secret has it.
fn key_text(secret: &Value) -> String {
    let entry = secret["data"]["intermediate.key"].as_str().unwrap();
    String::from_utf8(BASE64_STANDARD.decode(entry).unwrap()).unwrap()
}

/// A Secret with another value at a place.
fn with(secret: &Value, place: &str, value: Value) -> Value {
    let mut secret = secret.clone();
    *secret.pointer_mut(place).unwrap() = value;
    secret
}

/// What is kept is damaged in every way that a Secret can be, and in one that only a broken API server could send.
async fn damage(server: &ApiServer, signer: &Signer, shown: &mut Shown) {
    let good = server.get(SECRETS, "countersign-ca").unwrap();
    let text = key_text(&good);
    let damages: [(&str, Value); 5] = [
        ("/data/intermediate.key", entry(&text[..text.len() - 60])),
        ("/data/intermediate.key", entry(&text.replacen('M', "!", 1))),
        ("/data/state.json", entry(&text)),
        ("/data/intermediate.crt", entry(&text)),
        ("/type", json!("Opaque")),
    ];
    for (place, value) in damages {
        server.put(SECRETS, "countersign-ca", &with(&good, place, value));
        let unreadable = || matches!(&*signer.readings.borrow(), Reading::Unreadable(_));
        until("what cannot be read", unreadable).await;
        shown.debug(&*signer.readings.borrow());
        let told = || server.get(AUTHORITIES, "countersign").unwrap()["status"].to_string();
        until("its status", || told().contains("Unreadable")).await;
        server.put(SECRETS, "countersign-ca", &good);
        until("what was kept", || signer.signs_with().is_some()).await;
    }
    // No object of its kind: a signer that starts now gets nothing.
    server.put(SECRETS, "countersign-ca", &with(&good, "/metadata/labels", json!(7)));
    let (to, reading) = watch::channel(Reading::Unread);
    let starting = store::follow(
        server.client(),
        NAMESPACE.to_owned(),
        "example.org".parse().unwrap(),
        to,
    );
    let _ = tokio::time::timeout(Duration::from_secs(2), starting).await;
    assert!(matches!(*reading.borrow(), Reading::Unread));
    server.put(SECRETS, "countersign-ca", &good);
}

/// And so is what is brought.
async fn bring(server: &ApiServer) {
    let good = server.get(SECRETS, "countersign-ca").unwrap();
    let text = key_text(&good);
    let brought = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "data": {
            "tls.crt": good["data"]["intermediate.crt"],
            "tls.key": entry(&text.replacen('M', "N", 3)),
            "ca.crt": entry(&text),
        },
    });
    server.put(SECRETS, "brought", &brought);
    let mut object = server.get(AUTHORITIES, "countersign").unwrap();
    object["spec"]["intermediate"]["secretName"] = json!("brought");
    server.put(AUTHORITIES, "countersign", &object);
    let told = || server.get(AUTHORITIES, "countersign").unwrap()["status"].to_string();
    until("its refusal", || told().contains("IntermediateRefused")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_shown_nowhere() {
    let mut shown = Shown::default();
    let logs = shown.clone();
    tracing_subscriber::fmt()
        .with_env_filter(telemetry::discreet(EnvFilter::new("trace")))
        .with_ansi(false)
        .with_writer(move || logs.clone())
        .init();
    let server = ApiServer::default();
    let spec = json!({"root": {"duration": "1000h"}, "intermediate": {"duration": "3h"}, "propagation": "1s"});
    let object = json!({"apiVersion": "countersign.dev/v1alpha1", "kind": "CertificateAuthority", "spec": spec});
    server.put(AUTHORITIES, "countersign", &object);
    let signer = Signer::start(&server);
    until("an authority", || signer.signs_with().is_some()).await;
    signer.issue(&mut shown);
    rotate(&server, &signer).await;
    signer.issue(&mut shown);
    damage(&server, &signer, &mut shown).await;
    bring(&server).await;
    signer.stop.cancel();

    let mut metrics = String::new();
    prometheus_client::encoding::text::encode(&mut metrics, &signer.registry).unwrap();
    shown.write_all(metrics.as_bytes()).unwrap();
    let (kept, told): (Vec<_>, Vec<_>) = server
        .written()
        .into_iter()
        .partition(|(place, sent)| is_the_authority(place, sent));
    for (_, sent) in told {
        shown.write_all(sent.to_string().as_bytes()).unwrap();
    }
    // What there is to be seen was seen, at the level that says most.
    for expected in [
        "took a step",
        "make-root",
        "use-root",
        "issued a certificate",
        "TRACE",
        "cannot be used",
        "IntermediateRefused",
        "countersign_ca",
    ] {
        assert!(shown.contains(expected), "{expected}");
    }
    let keys: BTreeSet<String> = kept.iter().flat_map(|(_, secret)| keys_of(secret)).collect();
    assert!(keys.len() >= 5, "two roots' and three intermediates': {}", keys.len());
    let text = shown.0.lock().unwrap().clone();
    for trace in keys.iter().flat_map(|key| traces(key)) {
        assert!(
            !find(&text, &trace),
            "a part of a key is shown: {}",
            around(&text, &trace)
        );
    }
}

/// The one place where a key may be written to.
fn is_the_authority(place: &str, sent: &Value) -> bool {
    place.starts_with(SECRETS) && sent["metadata"]["name"] == "countersign-ca"
}

/// Where something is shown, without it.
fn around(text: &[u8], trace: &[u8]) -> String {
    let at = text
        .windows(trace.len())
        .position(|window| window == trace)
        .unwrap_or_default();
    String::from_utf8_lossy(&text[at.saturating_sub(300)..at]).into_owned()
}

fn annotate(server: &ApiServer, annotation: &str) {
    let mut object = server.get(AUTHORITIES, "countersign").unwrap();
    object["metadata"]["annotations"][annotation] = json!("now");
    server.put(AUTHORITIES, "countersign", &object);
}

/// So that the search is known to find.
#[test]
fn a_key_that_is_shown_is_found() {
    let key = KeyPair::generate().unwrap();
    let pem = key.serialize_pem();
    let number = secret_number(&pem);
    let traces = traces(&pem);
    let found = |text: &[u8]| traces.iter().any(|trace| find(text, trace));
    let lines: Vec<&str> = pem.lines().collect();
    assert!(found(pem.as_bytes()) && found(lines[1].as_bytes()));
    assert!(found(&key.serialize_der()) && found(&number[7..]));
    assert!(found(format!("{:?}", key.serialize_der()).as_bytes()));
    assert!(found(data_encoding::HEXLOWER.encode(&number).as_bytes()));
    assert!(found(BASE64_STANDARD.encode(&number).as_bytes()));
    assert!(found(
        json!({"data": BASE64_STANDARD.encode(&pem)}).to_string().as_bytes()
    ));
    assert!(!found(key.public_key_pem().as_bytes()) && !found(&key.subject_public_key_info()));
    assert!(!found(KeyPair::generate().unwrap().serialize_pem().as_bytes()));
}
