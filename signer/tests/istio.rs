//! Istio's CA API over real TLS, with a generated client and without a cluster.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    dead_code,
    reason = "test code: a panic is how a test fails; each user of the support takes its part"
)]

#[path = "support/asked.rs"]
mod asked;
mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use countersign_runtime::clock;
use countersign_signer::istio::{Profile, Settings};
use countersign_signer::key::{KeyType, PublicKey};
use jiff::SignedDuration;
use k8s_openapi::api::authentication::v1::TokenReviewStatus;
use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, SanType};
use rstest::rstest;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, RootCertStore};
use support::{Ca, Client, Signer, Unread, World, connect, csr, message, review};
use tokio::io::AsyncWriteExt as _;
use tonic::Code;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

const DAY: i64 = 86_400;

fn settings() -> Settings {
    Settings::new("cluster.local".parse().unwrap())
}

async fn serve(settings: Settings, world: &World) -> Signer {
    Signer::serve(settings, world.clone(), world, Arc::new(Unread))
        .await
        .unwrap()
}

fn plain() -> CertificateParams {
    CertificateParams::default()
}

/// What a client is given.
#[derive(Debug)]
struct Given {
    uris: Vec<String>,
    others: usize,
    seconds: i64,
    ca: bool,
    chain: Vec<CertificateDer<'static>>,
    roots: Vec<CertificateDer<'static>>,
}

impl Given {
    fn read(texts: &[String]) -> Self {
        let (roots, chain) = texts.split_last().unwrap();
        let chain: Vec<_> = chain
            .iter()
            .map(|text| CertificateDer::from_pem_slice(text.as_bytes()).unwrap())
            .collect();
        let roots = CertificateDer::pem_slice_iter(roots.as_bytes());
        let (_, leaf) = X509Certificate::from_der(&chain[0]).unwrap();
        let names = &leaf.subject_alternative_name().unwrap().unwrap().value.general_names;
        let uri = |name: &GeneralName<'_>| match name {
            GeneralName::URI(uri) => Some((*uri).to_owned()),
            _ => None,
        };
        let uris: Vec<String> = names.iter().filter_map(uri).collect();
        Self {
            others: names.len() - uris.len(),
            uris,
            seconds: leaf.validity().not_after.timestamp() - leaf.validity().not_before.timestamp(),
            ca: leaf.is_ca(),
            roots: roots.map(Result::unwrap).collect(),
            chain: chain.clone(),
        }
    }
}

async fn ask(
    client: &mut Client,
    token: &str,
    csr: &str,
    seconds: i64,
    id: Option<&str>,
) -> Result<Given, (Code, String)> {
    let request = message(token, csr, seconds, id).unwrap();
    match client.create_certificate(request).await {
        Ok(answer) => Ok(Given::read(&answer.into_inner().cert_chain)),
        Err(status) => Err((status.code(), status.message().to_owned())),
    }
}

async fn ask_plainly(client: &mut Client, token: &str) -> Result<Given, (Code, String)> {
    ask(client, token, &csr(&plain()).unwrap().0, DAY, None).await
}

#[tokio::test]
async fn a_pod_gets_its_own_identity_and_nothing_of_what_it_wrote() {
    let world = World::default();
    let signer = serve(settings(), &world).await;
    let token = world.pod("shop", "web", "web-1", "u1", "n1");
    let mut params = plain();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "admin");
    params.subject_alt_names = vec![
        SanType::URI("spiffe://cluster.local/ns/shop/sa/admin".try_into().unwrap()),
        SanType::DnsName("bank.example.com".try_into().unwrap()),
    ];
    params.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0])];
    let mut client = connect(signer.address, &signer.ca.root).await.unwrap();
    let (csr, key) = csr(&params).unwrap();
    let given = ask(&mut client, &token, &csr, DAY, None).await.unwrap();
    assert_eq!(given.uris, ["spiffe://cluster.local/ns/shop/sa/web"]);
    assert_eq!((given.others, given.ca), (0, false));
    assert!((DAY - 5..=DAY).contains(&given.seconds), "{}", given.seconds);
    assert_eq!(given.chain.len(), 2, "leaf and intermediate");
    assert_eq!(given.roots, std::slice::from_ref(&signer.ca.root));
    let (_, leaf) = X509Certificate::from_der(&given.chain[0]).unwrap();
    assert_eq!(leaf.public_key().subject_public_key.data.as_ref(), key.public_key_raw());
    assert!(leaf.subject().iter().next().is_none());
    trusted(&given).unwrap();
    let records = signer.books.0.lock().unwrap();
    assert_eq!(
        records.iter().filter(|record| record.service_account == "web").count(),
        1
    );
}

/// Whether a peer that trusts the roots of the answer accepts its chain. The certificate has no DNS name, so the name is
/// what fails, and it is the last that is looked at.
fn trusted(given: &Given) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    for root in &given.roots {
        roots.add(root.clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    let name = ServerName::try_from("x").unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(clock::now().as_second().cast_unsigned()));
    match verifier.verify_server_cert(&given.chain[0], &given.chain[1..], &name, &[], now) {
        Err(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => Ok(()),
        other => other.map(drop),
    }
}

#[rstest]
#[case::none("", Code::Unauthenticated, "there is no token")]
#[case::garbage("garbage", Code::Unauthenticated, "form")]
#[case::unknown("a.b.c", Code::Unauthenticated, "istio-ca")]
#[case::another_audience("a.audience.c", Code::Unauthenticated, "istio-ca")]
#[case::no_audience("a.none.c", Code::Unauthenticated, "istio-ca")]
#[case::not_authenticated("a.not.c", Code::Unauthenticated, "istio-ca")]
#[case::a_person("a.person.c", Code::Unauthenticated, "service account")]
#[case::unbound("a.unbound.c", Code::Unauthenticated, "bound to a Pod")]
#[case::gone("a.gone.c", Code::Unauthenticated, "gone")]
#[case::another_uid("a.uid.c", Code::Unauthenticated, "gone")]
#[case::another_account("a.account.c", Code::Unauthenticated, "another service account")]
#[case::another_namespace("a.namespace.c", Code::Unauthenticated, "gone")]
#[tokio::test]
async fn who_cannot_prove_a_pod_gets_nothing(#[case] token: &str, #[case] code: Code, #[case] says: &str) {
    let world = World::default();
    let signer = serve(settings(), &world).await;
    world.pod("shop", "web", "web-1", "u1", "n1");
    let good = |namespace, account, pod, uid| review(namespace, account, pod, uid, "istio-ca");
    world.token("a.audience.c", review("shop", "web", "web-1", "u1", "vault"));
    let mut none = good("shop", "web", "web-1", "u1");
    none.audiences = None;
    world.token("a.none.c", none);
    let not = TokenReviewStatus {
        authenticated: Some(false),
        ..good("shop", "web", "web-1", "u1")
    };
    world.token("a.not.c", not);
    let mut person = good("shop", "web", "web-1", "u1");
    person.user.as_mut().unwrap().username = Some("ann".to_owned());
    world.token("a.person.c", person);
    let mut unbound = good("shop", "web", "web-1", "u1");
    unbound.user.as_mut().unwrap().extra = None;
    world.token("a.unbound.c", unbound);
    world.token("a.gone.c", good("shop", "web", "web-2", "u1"));
    world.token("a.uid.c", good("shop", "web", "web-1", "u2"));
    world.token("a.account.c", good("shop", "admin", "web-1", "u1"));
    world.token("a.namespace.c", good("bank", "web", "web-1", "u1"));
    let mut client = connect(signer.address, &signer.ca.root).await.unwrap();
    let (got, message) = ask_plainly(&mut client, token).await.unwrap_err();
    assert_eq!(got, code, "{message}");
    assert!(message.contains(says), "{message}");
    assert!(token.is_empty() || !message.contains(token), "{message}");
    let metrics = signer.metrics();
    assert!(metrics.contains(r#"path="istio-ca",outcome="Refused"} 1"#), "{metrics}");
}

#[rstest]
#[case::deleting(|pods: &mut Vec<countersign_signer::istio::cluster::PodView>| pods[0].live = false, "has ended")]
#[case::deleted(|pods: &mut Vec<countersign_signer::istio::cluster::PodView>| pods.clear(), "gone")]
#[case::replaced(|pods: &mut Vec<countersign_signer::istio::cluster::PodView>| pods[0].uid = "u9".to_owned(), "gone")]
#[tokio::test]
async fn a_token_is_worth_as_much_as_its_pod_now(
    #[case] change: fn(&mut Vec<countersign_signer::istio::cluster::PodView>),
    #[case] says: &str,
) {
    let world = World::default();
    let signer = serve(settings(), &world).await;
    let token = world.pod("shop", "web", "web-1", "u1", "n1");
    let mut client = connect(signer.address, &signer.ca.root).await.unwrap();
    ask_plainly(&mut client, &token).await.unwrap();
    world.change_pods(change);
    // At once: of the token the answer may be shared for a second, of the Pod never.
    let (code, message) = ask_plainly(&mut client, &token).await.unwrap_err();
    assert_eq!(code, Code::Unauthenticated);
    assert!(message.contains(says), "{message}");
}

#[rstest]
#[case::own_node("istio-system", "ztunnel", "spiffe://cluster.local/ns/shop/sa/web", None)]
#[case::another_node(
    "istio-system",
    "ztunnel",
    "spiffe://cluster.local/ns/shop/sa/far",
    Some(Code::PermissionDenied)
)]
#[case::nobody(
    "istio-system",
    "ztunnel",
    "spiffe://cluster.local/ns/shop/sa/none",
    Some(Code::PermissionDenied)
)]
#[case::ended(
    "istio-system",
    "ztunnel",
    "spiffe://cluster.local/ns/shop/sa/ended",
    Some(Code::PermissionDenied)
)]
#[case::foreign(
    "istio-system",
    "ztunnel",
    "spiffe://other.example/ns/shop/sa/web",
    Some(Code::PermissionDenied)
)]
#[case::another_path(
    "istio-system",
    "ztunnel",
    "spiffe://cluster.local/ns/shop/sa/web/x",
    Some(Code::PermissionDenied)
)]
#[case::no_account(
    "istio-system",
    "ztunnel",
    "spiffe://cluster.local/shop/web",
    Some(Code::PermissionDenied)
)]
#[case::no_id("istio-system", "ztunnel", "shop/web", Some(Code::InvalidArgument))]
#[case::another_account(
    "istio-system",
    "other",
    "spiffe://cluster.local/ns/shop/sa/web",
    Some(Code::PermissionDenied)
)]
#[case::another_namespace(
    "shop",
    "ztunnel",
    "spiffe://cluster.local/ns/shop/sa/web",
    Some(Code::PermissionDenied)
)]
#[tokio::test]
async fn a_nodes_proxy_asks_for_the_workloads_of_its_node(
    #[case] namespace: &str,
    #[case] account: &str,
    #[case] id: &str,
    #[case] refused: Option<Code>,
) {
    let world = World::default();
    let signer = serve(settings(), &world).await;
    world.pod("shop", "web", "web-1", "u1", "n1");
    world.pod("shop", "far", "far-1", "u2", "n2");
    world.pod("shop", "ended", "ended-1", "u3", "n1");
    world.change_pods(|pods| pods[2].live = false);
    let token = world.pod(namespace, account, "proxy", "u4", "n1");
    let mut client = connect(signer.address, &signer.ca.root).await.unwrap();
    let csr = csr(&plain()).unwrap().0;
    match (ask(&mut client, &token, &csr, DAY, Some(id)).await, refused) {
        (Ok(given), None) => assert_eq!(given.uris, [id]),
        (Err((code, message)), Some(expected)) => assert_eq!(code, expected, "{message}"),
        (answered, expected) => panic!("{answered:?} instead of {expected:?}"),
    }
}

#[tokio::test]
async fn a_proxy_without_a_node_asks_for_nobody() {
    let world = World::default();
    let signer = serve(settings(), &world).await;
    world.pod("shop", "web", "web-1", "u1", "");
    let token = world.pod("istio-system", "ztunnel", "proxy", "u4", "");
    let mut client = connect(signer.address, &signer.ca.root).await.unwrap();
    let csr = csr(&plain()).unwrap().0;
    let id = "spiffe://cluster.local/ns/shop/sa/web";
    let (code, _) = ask(&mut client, &token, &csr, DAY, Some(id)).await.unwrap_err();
    assert_eq!(code, Code::PermissionDenied);
}

fn altered() -> String {
    let pem = csr(&plain()).unwrap().0;
    let der = rustls::pki_types::CertificateSigningRequestDer::from_pem_slice(pem.as_bytes()).unwrap();
    let mut der = der.to_vec();
    let last = der.len() - 1;
    der[last] ^= 1;
    as_pem(&der)
}

fn as_pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::prelude::BASE64_STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----\n")
}

fn rsa_2048() -> String {
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    plain().serialize_request(&key).unwrap().pem().unwrap()
}

#[rstest]
#[case::empty(String::new(), Code::InvalidArgument, "PEM")]
#[case::garbage("garbage".to_owned(), Code::InvalidArgument, "PEM")]
#[case::certificate("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(), Code::InvalidArgument, "PEM")]
#[case::two(csr(&plain()).unwrap().0.repeat(2), Code::InvalidArgument, "PEM")]
#[case::no_request(as_pem(&[0x30, 0]), Code::InvalidArgument, "PKCS#10")]
#[case::altered(altered(), Code::InvalidArgument, "not signed")]
#[case::rsa(rsa_2048(), Code::InvalidArgument, "ECC_SIGNATURE_ALGORITHM")]
#[case::long(as_pem(&vec![0x30; 90 << 10]), Code::InvalidArgument, "longer")]
#[case::megabyte(as_pem(&vec![0x30; 1 << 20]), Code::OutOfRange, "too large")]
#[tokio::test]
async fn a_certification_request_must_be_one(#[case] csr: String, #[case] code: Code, #[case] says: &str) {
    let world = World::default();
    let signer = serve(settings(), &world).await;
    let token = world.pod("shop", "web", "web-1", "u1", "n1");
    let mut client = connect(signer.address, &signer.ca.root).await.unwrap();
    let (got, message) = ask(&mut client, &token, &csr, DAY, None).await.unwrap_err();
    assert_eq!(got, code, "{message}");
    assert!(message.contains(says), "{message}");
    ask_plainly(&mut client, &token).await.unwrap();
}

#[rstest]
#[case::as_asked(7200, None, Ok(7200))]
#[case::not_said(0, None, Ok(DAY))]
#[case::nonsense(-5, None, Ok(DAY))]
#[case::too_long(i64::MAX, None, Ok(DAY))]
#[case::too_short(3599, None, Err(Code::InvalidArgument))]
#[case::longer_than_the_profile(DAY, Some((2, KeyType::EcdsaP256)), Ok(7200))]
#[case::profile_beyond_a_day(i64::MAX, Some((2160, KeyType::EcdsaP256)), Ok(DAY))]
#[case::another_key(DAY, Some((2, KeyType::Rsa3072)), Err(Code::InvalidArgument))]
#[tokio::test]
async fn a_life_is_as_long_as_asked_and_allowed(
    #[case] asked: i64,
    #[case] profile: Option<(i64, KeyType)>,
    #[case] expected: Result<i64, Code>,
) {
    let world = World::default();
    let signer = serve(settings(), &world).await;
    let token = world.pod("shop", "web", "web-1", "u1", "n1");
    if let Some((hours, key)) = profile {
        let profile = Profile {
            service_identity: "web".to_owned(),
            key_type: key,
            lifetime: SignedDuration::from_hours(hours),
            renew_after_percent: 60,
        };
        world.profile("shop", "web", profile);
    }
    let mut client = connect(signer.address, &signer.ca.root).await.unwrap();
    let csr = csr(&plain()).unwrap().0;
    match (ask(&mut client, &token, &csr, asked, None).await, expected) {
        (Ok(given), Ok(seconds)) => assert!((seconds - 5..=seconds).contains(&given.seconds), "{}", given.seconds),
        (Err((code, message)), Err(expected)) => assert_eq!(code, expected, "{message}"),
        (answered, expected) => panic!("{answered:?} instead of {expected:?}"),
    }
}

#[tokio::test]
async fn tests_may_have_lives_of_minutes() {
    let world = World::default();
    let minutes = SignedDuration::from_mins;
    let settings = settings().with_lifetimes(minutes(10), minutes(30)).unwrap();
    let signer = serve(settings, &world).await;
    let token = world.pod("shop", "web", "web-1", "u1", "n1");
    let mut client = connect(signer.address, &signer.ca.root).await.unwrap();
    let csr = csr(&plain()).unwrap().0;
    let given = ask(&mut client, &token, &csr, 600, None).await.unwrap();
    assert!((595..=600).contains(&given.seconds), "{}", given.seconds);
}

#[tokio::test]
async fn what_cannot_be_judged_now_is_to_be_asked_again() {
    let world = World::default();
    let signer = serve(settings(), &world).await;
    let token = world.pod("shop", "web", "web-1", "u1", "n1");
    let mut client = connect(signer.address, &signer.ca.root).await.unwrap();
    world.away(true);
    assert_eq!(ask_plainly(&mut client, &token).await.unwrap_err().0, Code::Unavailable);
    world.away(false);
    ask_plainly(&mut client, &token).await.unwrap();
    signer.current.set(None);
    assert_eq!(ask_plainly(&mut client, &token).await.unwrap_err().0, Code::Unavailable);
    signer.current.set(Some(Arc::clone(&signer.ca.authority)));
    world.trust(Vec::new());
    assert_eq!(ask_plainly(&mut client, &token).await.unwrap_err().0, Code::Unavailable);
    let metrics = signer.metrics();
    assert!(metrics.contains(r#"path="istio-ca",outcome="Failed"} 3"#), "{metrics}");
}

/// While a root takes over from another, both are trusted, whichever signed.
#[tokio::test]
async fn a_rotation_of_the_root_needs_no_restart() {
    let world = World::default();
    let signer = serve(settings(), &world).await;
    let token = world.pod("shop", "web", "web-1", "u1", "n1");
    let mut client = connect(signer.address, &signer.ca.root).await.unwrap();
    let new = Ca::new().unwrap();
    let both = [signer.ca.root.clone(), new.root.clone()];
    world.trust(both.to_vec());
    let before = ask_plainly(&mut client, &token).await.unwrap();
    assert_eq!(before.roots, both);
    signer.current.set(Some(Arc::clone(&new.authority)));
    signer.keeper.renew(clock::precise()).unwrap();
    let after = ask_plainly(&mut client, &token).await.unwrap();
    assert_eq!(after.roots, both);
    trusted(&after).unwrap();
    trusted(&Given {
        chain: after.chain.clone(),
        ..before
    })
    .unwrap();
    assert!(
        connect(signer.address, &signer.ca.root).await.is_err(),
        "the new root serves"
    );
    connect(signer.address, &new.root).await.unwrap();
}

#[tokio::test]
async fn a_nodes_proxy_that_starts_costs_one_review() {
    let world = World::default();
    let signer = serve(settings(), &world).await;
    let token = world.pod("istio-system", "ztunnel", "proxy", "u0", "n1");
    for number in 0..30 {
        world.pod(
            "shop",
            &format!("s{number}"),
            &format!("p{number}"),
            &format!("u-{number}"),
            "n1",
        );
    }
    let client = connect(signer.address, &signer.ca.root).await.unwrap();
    let csr = csr(&plain()).unwrap().0;
    let asked = (0..30).map(|number| {
        let (mut client, token, csr) = (client.clone(), token.clone(), csr.clone());
        async move {
            let id = format!("spiffe://cluster.local/ns/shop/sa/s{number}");
            ask(&mut client, &token, &csr, DAY, Some(&id)).await.unwrap();
        }
    });
    futures::future::join_all(asked).await;
    assert!(world.reviews() <= 2, "{} reviews", world.reviews());
}

/// Whoever sends slowly does not keep others from being served, and is cut.
#[tokio::test]
async fn a_handshake_that_does_not_come_is_cut() {
    let world = World::default();
    let signer = serve(settings(), &world).await;
    let mut slow = tokio::net::TcpStream::connect(signer.address).await.unwrap();
    slow.write_all(&[22, 3, 1]).await.unwrap();
    let token = world.pod("shop", "web", "web-1", "u1", "n1");
    let mut client = connect(signer.address, &signer.ca.root).await.unwrap();
    ask_plainly(&mut client, &token).await.unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(8), async {
        let mut byte = [0];
        tokio::io::AsyncReadExt::read(&mut slow, &mut byte).await
    });
    assert!(matches!(closed.await.unwrap(), Ok(0) | Err(_)));
}

/// A world of few names, so that they meet.
fn pods() -> impl Strategy<Value = Vec<(u8, u8, u8, u8, bool)>> {
    let pod = (0..2u8, 0..3u8, 0..4u8, 0..3u8, any::<bool>());
    prop::collection::vec(pod, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Whatever is claimed and asked for, a certificate names the caller's account, or one that a node's proxy has on its node.
    #[test]
    fn nobody_gets_anothers_identity(
        pods in pods(),
        (namespace, account, name, uid) in (0..2u8, 0..3u8, 0..4u8, 0..6u8),
        as_proxy in any::<bool>(),
        (right_audience, bound) in (prop::bool::weighted(0.9), prop::bool::weighted(0.9)),
        wanted in prop::option::weighted(0.7, (0..2u8, 0..3u8, prop::bool::weighted(0.8))),
        asked in asked::asked("shop", "admin"),
    ) {
        let namespaces = ["istio-system", "shop"];
        let accounts = ["ztunnel", "web", "admin"];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let audience = if right_audience { "istio-ca" } else { "vault" };
            let world = World::default();
            let signer = serve(settings(), &world).await;
            let mut names = BTreeSet::new();
            let mut there = Vec::new();
            for (number, (namespace, account, name, node, live)) in pods.iter().enumerate() {
                if names.insert((namespace, name)) {
                    let (namespace, account) = (namespaces[usize::from(*namespace)], accounts[usize::from(*account)]);
                    world.pod(namespace, account, &format!("p{name}"), &format!("u{number}"), &format!("n{node}"));
                    there.push((namespace, account, format!("p{name}"), format!("u{number}"), *node, *live));
                }
            }
            world.pod("istio-system", "ztunnel", "proxy", "proxy-uid", "n0");
            there.push(("istio-system", "ztunnel", "proxy".to_owned(), "proxy-uid".to_owned(), 0, true));
            world.change_pods(|pods| for (pod, known) in pods.iter_mut().zip(&there) { pod.live = known.5 });
            let caller = if as_proxy {
                ("istio-system", "ztunnel", "proxy".to_owned(), "proxy-uid".to_owned())
            } else {
                (namespaces[usize::from(namespace)], accounts[usize::from(account)], format!("p{name}"), format!("u{uid}"))
            };
            let mut status = review(caller.0, caller.1, &caller.2, &caller.3, audience);
            if !bound {
                status.user.as_mut().unwrap().extra = None;
            }
            let token = world.token("a.b.c", status);
            let id = wanted.map(|(namespace, account, own)| {
                let domain = if own { "cluster.local" } else { "other.example" };
                format!("spiffe://{domain}/ns/{}/sa/{}", namespaces[usize::from(namespace)], accounts[usize::from(account)])
            });
            let mut client = connect(signer.address, &signer.ca.root).await.unwrap();
            let csr = String::from_utf8(asked.pem()).unwrap();
            let given = ask(&mut client, &token, &csr, DAY, id.as_deref()).await;

            let own = there.iter().find(|pod| (pod.0, pod.1, &pod.2, &pod.3) == (caller.0, caller.1, &caller.2, &caller.3) && pod.5);
            let proves = own.filter(|_| right_audience && bound);
            let expected = proves.and_then(|own| match &id {
                None => Some(format!("spiffe://cluster.local/ns/{}/sa/{}", own.0, own.1)),
                Some(id) => {
                    let trusted = (own.0, own.1) == ("istio-system", "ztunnel");
                    let here = |pod: &&(&str, &str, String, String, u8, bool)| {
                        pod.5 && pod.4 == own.4 && *id == format!("spiffe://cluster.local/ns/{}/sa/{}", pod.0, pod.1)
                    };
                    there.iter().find(here).filter(|_| trusted).map(|_| id.clone())
                }
            });
            if let Ok(given) = &given {
                let (_, leaf) = X509Certificate::from_der(&given.chain[0]).unwrap();
                assert_eq!((given.others, given.ca, leaf.extensions().len()), (0, false, 6), "of the request only the key");
                assert_eq!(leaf.public_key().raw, asked.key);
            }
            // Here any kind of key will do that is not too weak.
            let readable = PublicKey::from_request(&asked.der).is_ok();
            let uris = given.ok().map(|given| given.uris);
            assert_eq!(uris, expected.filter(|_| readable).map(|id| vec![id]));
        });
    }
}
