//! The agent of a node with the signer's service, over real TLS and a real Unix socket, as other people's clients see it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    dead_code,
    reason = "test code: a panic is how a test fails; each user of the support takes its part"
)]

#[path = "peers/envoy.rs"]
mod envoy;
#[path = "peers/programs.rs"]
mod programs;
#[path = "agent/rig.rs"]
mod rig;
mod support;

#[path = "agent/sds.rs"]
mod sds;
#[path = "agent/signer.rs"]
mod signer;
#[path = "agent/with_envoy.rs"]
mod with_envoy;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_identity::{Bundles, jwt_svid, svid};
use countersign_runtime::clock;
use countersign_runtime::http::Readiness;
use countersign_signer::agent::attest::ProcFs;
use countersign_signer::agent::proto::X509svidRequest;
use countersign_signer::agent::proto::spiffe_workload_api_client::SpiffeWorkloadApiClient;
use countersign_signer::agent::refusal::{Reason, Refusal};
use futures::StreamExt as _;
use rcgen::KeyPair;
use rig::{Key, Node, Says, WEB, bundle, unix};
use rstest::rstest;
use rustls::pki_types::CertificateDer;
use serde_json::json;
use spiffe::{WorkloadApiClient, WorkloadApiError, X509Context};
use support::Ca;
use tokio::time::timeout;
use tonic::Code;

const ID: &str = "spiffe://cluster.local/ns/shop/sa/web";
const ADMIN: &str = "11111111-2222-4333-8444-555555555555";
const SOON: Duration = Duration::from_secs(15);

fn chain(context: &X509Context) -> Vec<CertificateDer<'static>> {
    let svid = context.default_svid().unwrap();
    let certificates = svid.cert_chain().iter();
    certificates
        .map(|certificate| certificate.as_bytes().to_vec().into())
        .collect()
}

/// Who a context names, by our own verification with the bundles of the signer; and its key is the certificate's.
fn verified(context: &X509Context, bundles: &Bundles) -> String {
    let chain = chain(context);
    let verified = svid::verify(&chain, bundles, &svid::Withdrawn::default(), clock::now()).unwrap();
    let key = KeyPair::try_from(context.default_svid().unwrap().private_key().as_bytes()).unwrap();
    let (_, leaf) = x509_parser::parse_x509_certificate(&chain[0]).unwrap();
    let public = rcgen::PublicKeyData::subject_public_key_info(&key);
    assert_eq!(leaf.public_key().raw, public.as_slice());
    verified.id().to_string()
}

fn current(node: &Node) -> Arc<Bundles> {
    Arc::clone(&node.signer.bundles.borrow())
}

#[tokio::test]
async fn a_workload_gets_its_svid_and_its_bundle() {
    let node = Node::start().await.unwrap();
    let context = node.client().await.unwrap().fetch_x509_context().await.unwrap();
    assert_eq!(context.default_svid().unwrap().spiffe_id().to_string(), ID);
    assert_eq!(verified(&context, &current(&node)), ID);
    let trust_domain = spiffe::TrustDomain::new("cluster.local").unwrap();
    let bundle = context.bundle_set().get(&trust_domain).unwrap();
    let roots: Vec<_> = bundle
        .authorities()
        .iter()
        .map(|root| root.as_bytes().to_vec())
        .collect();
    assert_eq!(roots, [node.signer.ca.root.to_vec()]);
    let records = node.signer.books.0.lock().unwrap();
    let record = records.last().unwrap();
    assert_eq!(
        (record.path.name(), record.service_account.as_str()),
        ("workload-api", "web")
    );
}

#[tokio::test]
async fn connections_of_one_pod_share_one_svid_and_another_pod_has_its_own() {
    let node = Node::start().await.unwrap();
    node.pod("shop", "admin", "admin-1", ADMIN);
    node.signer.identity("shop", "admin", &json!({}));
    let first = node.client().await.unwrap().fetch_x509_context().await.unwrap();
    let second = node.client().await.unwrap().fetch_x509_context().await.unwrap();
    assert_eq!(chain(&first), chain(&second));
    let held = node.client().await.unwrap();
    held.fetch_x509_context().await.unwrap();
    node.call_as(Ok(ADMIN));
    let other = node.client().await.unwrap().fetch_x509_context().await.unwrap();
    assert_eq!(
        verified(&other, &current(&node)),
        "spiffe://cluster.local/ns/shop/sa/admin"
    );
    // Who is at the other end does not change while a connection lasts.
    assert_eq!(chain(&held.fetch_x509_context().await.unwrap()), chain(&first));
    let metrics = node.metrics();
    assert!(metrics.contains("countersign_agent_svids 2"), "{metrics}");
    assert!(
        metrics.contains(r#"issuances_total{kind="X509",outcome="Issued"} 2"#),
        "{metrics}"
    );
}

#[rstest]
#[case::p384("ECDSAP384", "1.3.132.0.34")]
#[case::p521("ECDSAP521", "1.3.132.0.35")]
#[tokio::test]
async fn the_key_is_of_the_kind_that_the_service_identity_says(#[case] kind: &str, #[case] curve: &str) {
    let node = Node::start().await.unwrap();
    let profile = json!({"certificate": {"keyAlgorithm": kind}, "spiffePath": "/ns/shop/web/special"});
    node.signer.identity("shop", "web", &profile);
    let context = node.client().await.unwrap().fetch_x509_context().await.unwrap();
    let chain = chain(&context);
    let (_, leaf) = x509_parser::parse_x509_certificate(&chain[0]).unwrap();
    let parameters = leaf.public_key().algorithm.parameters.as_ref().unwrap();
    assert_eq!(parameters.as_oid().unwrap().to_id_string(), curve);
    assert_eq!(
        verified(&context, &current(&node)),
        "spiffe://cluster.local/ns/shop/web/special"
    );
}

#[tokio::test]
async fn new_bundles_come_over_the_open_stream() {
    let node = Node::start().await.unwrap();
    let client = node.client().await.unwrap();
    let mut contexts = client.stream_x509_contexts().await.unwrap();
    let mut keys = client.stream_jwt_bundles().await.unwrap();
    let before = contexts.next().await.unwrap().unwrap();
    assert_eq!(before.bundle_set().len(), 1);
    assert_eq!(keys.next().await.unwrap().unwrap().len(), 1);

    let (partner, key) = (Ca::new().unwrap(), Key::new("partner-key"));
    let mut bundles = (*current(&node)).clone();
    bundles
        .federate(bundle("partner.example", &partner.root, &key))
        .unwrap();
    node.signer.bundles.send_replace(Arc::new(bundles));
    let after = timeout(SOON, contexts.next()).await.unwrap().unwrap().unwrap();
    let foreign = spiffe::TrustDomain::new("partner.example").unwrap();
    let roots = after.bundle_set().get(&foreign).unwrap();
    assert_eq!(roots.authorities()[0].as_bytes(), partner.root.as_ref());
    assert_eq!(chain(&after), chain(&before), "the SVID stays");
    let after = timeout(SOON, keys.next()).await.unwrap().unwrap().unwrap();
    assert!(after.get(&foreign).unwrap().find_jwt_authority("partner-key").is_some());
    assert_eq!(client.fetch_x509_bundles().await.unwrap().len(), 2);

    node.signer
        .bundles
        .send_replace(Arc::new(Bundles::new(current(&node).own().clone())));
    let redacted = timeout(SOON, contexts.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(redacted.bundle_set().len(), 1);
}

#[tokio::test]
async fn a_workload_gets_tokens_and_has_tokens_validated() {
    let node = Node::start().await.unwrap();
    let client = node.client().await.unwrap();
    let svid = client.fetch_jwt_svid(["reports", "ledger"], None).await.unwrap();
    assert_eq!(svid.spiffe_id().to_string(), ID);
    let ours = jwt_svid::verify(svid.token(), "reports", &current(&node), clock::now()).unwrap();
    assert_eq!(ours.id().to_string(), ID);
    let theirs =
        spiffe::JwtSvid::parse_and_validate(svid.token(), &client.fetch_jwt_bundles().await.unwrap(), &["ledger"]);
    assert_eq!(theirs.unwrap().spiffe_id().to_string(), ID);

    client.validate_jwt_token("ledger", svid.token()).await.unwrap();
    assert!(
        client
            .validate_jwt_token("others", svid.token())
            .await
            .unwrap_err()
            .is_invalid_argument()
    );
    let mut altered = svid.token().to_owned();
    altered.replace_range(altered.len() - 4.., "AAAA");
    assert!(
        client
            .validate_jwt_token("ledger", &altered)
            .await
            .unwrap_err()
            .is_invalid_argument()
    );

    let own = spiffe::SpiffeId::new(ID).unwrap();
    let again = client.fetch_jwt_svid(["ledger", "reports"], Some(&own)).await.unwrap();
    assert_eq!(again.token(), svid.token(), "the same audiences, and it is fresh");
    let other = spiffe::SpiffeId::new("spiffe://cluster.local/ns/shop/sa/admin").unwrap();
    assert!(client.fetch_jwt_svid(["reports"], Some(&other)).await.is_err());
    assert!(
        client
            .fetch_jwt_svid([""], None)
            .await
            .unwrap_err()
            .is_invalid_argument()
    );
}

async fn refusal(client: &WorkloadApiClient) -> String {
    match client.fetch_x509_context().await {
        Err(WorkloadApiError::PermissionDenied(message)) => message,
        Err(WorkloadApiError::NoIdentityIssued) => "no identity issued".to_owned(),
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case::without_a_service_identity("other", json!({}), "NoServiceIdentity")]
#[case::by_other_ways_only("web", json!({"delivery": ["IstioCA"]}), "WorkloadAPI")]
#[case::with_a_mistake("web", json!({"certificate": {"duration": "soon"}}), "InvalidServiceIdentity")]
#[tokio::test]
async fn who_has_no_identity_is_denied(#[case] account: &str, #[case] identity: serde_json::Value, #[case] says: &str) {
    let node = Node::start().await.unwrap();
    node.signer.identity("shop", "web", &identity);
    node.pod("shop", account, "pod-2", ADMIN);
    node.call_as(Ok(ADMIN));
    let mut client = SpiffeWorkloadApiClient::new(unix(&node.socket()).await.unwrap());
    let status = client.fetch_x509svid(with_header()).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert!(status.message().contains(says), "{}", status.message());
    assert!(node.metrics().contains(r#"refusals_total{reason="NoIdentity"} 1"#));
    assert!(
        node.signer
            .metrics()
            .contains(r#"path="workload-api",outcome="Refused"} 1"#)
    );
    // Bundles are no secret: who verifies others needs no identity.
    node.client().await.unwrap().fetch_x509_bundles().await.unwrap();
}

fn with_header() -> tonic::Request<X509svidRequest> {
    let mut request = tonic::Request::new(X509svidRequest {});
    request
        .metadata_mut()
        .insert("workload.spiffe.io", "true".parse().unwrap());
    request
}

#[rstest]
#[case::none(None)]
#[case::another(Some("false"))]
#[tokio::test]
async fn without_the_header_nobody_is_served(#[case] header: Option<&str>) {
    let node = Node::start().await.unwrap();
    let mut client = SpiffeWorkloadApiClient::new(unix(&node.socket()).await.unwrap());
    let mut request = tonic::Request::new(X509svidRequest {});
    if let Some(header) = header {
        request
            .metadata_mut()
            .insert("workload.spiffe.io", header.parse().unwrap());
    }
    let status = client.fetch_x509svid(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    client.fetch_x509svid(with_header()).await.unwrap();
}

#[rstest]
#[case::no_pod(Err(Refusal::new(Reason::NotAPod, "it is no Pod's")), "no Pod")]
#[case::unknown(Ok(ADMIN), "knows no Pod")]
#[tokio::test]
async fn who_is_no_pod_of_the_node_is_denied(#[case] caller: Result<&str, Refusal>, #[case] says: &str) {
    let node = Node::start().await.unwrap();
    node.call_as(caller);
    let client = node.client().await.unwrap();
    let message = refusal(&client).await;
    assert!(message.contains(says), "{message}");
    assert!(client.fetch_jwt_svid(["reports"], None).await.is_err());
    assert!(client.fetch_x509_bundles().await.is_err());
    assert!(client.validate_jwt_token("reports", "a.b.c").await.is_err());
}

/// With the real attestor: this process runs in no Pod.
#[tokio::test]
async fn a_process_of_the_host_is_denied() {
    let nobody = Says(Arc::new(Mutex::new(Ok(String::new()))));
    let node = Node::start_with(Arc::new(ProcFs::default()), nobody).await.unwrap();
    node.pod("shop", "web", "web-1", WEB);
    node.signer.identity("shop", "web", &json!({}));
    let message = refusal(&node.client().await.unwrap()).await;
    assert!(message.contains("runs in no Pod"), "{message}");
    assert!(node.metrics().contains(r#"refusals_total{reason="NotAPod"} 1"#));
}

#[tokio::test]
async fn while_the_signer_cannot_be_asked_what_there_is_is_served() {
    let mut node = Node::start().await.unwrap();
    node.ready.wait_for(|ready| *ready == Readiness::Ready).await.unwrap();
    let before = node.client().await.unwrap().fetch_x509_context().await.unwrap();
    node.signer.world.away(true);
    let after = node.client().await.unwrap().fetch_x509_context().await.unwrap();
    assert_eq!(chain(&after), chain(&before));
    node.pod("shop", "web", "web-2", ADMIN);
    node.call_as(Ok(ADMIN));
    let mut client = SpiffeWorkloadApiClient::new(unix(&node.socket()).await.unwrap());
    let status = client.fetch_x509svid(with_header()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    node.signer.world.away(false);
    let recovered = timeout(SOON, async {
        while client.fetch_x509svid(with_header()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    recovered.await.unwrap();
}

#[tokio::test]
async fn with_its_pod_a_stream_ends() {
    let node = Node::start().await.unwrap();
    let mut contexts = node.client().await.unwrap().stream_x509_contexts().await.unwrap();
    contexts.next().await.unwrap().unwrap();
    node.pods.remove(WEB);
    let ended = timeout(SOON, contexts.next()).await.unwrap().unwrap();
    assert!(matches!(ended, Err(WorkloadApiError::PermissionDenied(_))), "{ended:?}");
    let metrics = node.metrics();
    assert!(metrics.contains("countersign_agent_svids 0"), "{metrics}");
}

#[tokio::test]
async fn an_agent_that_ends_ends_its_streams() {
    let node = Node::start().await.unwrap();
    let client = node.client().await.unwrap();
    let mut contexts = client.stream_x509_contexts().await.unwrap();
    contexts.next().await.unwrap().unwrap();
    node.stop();
    assert!(timeout(SOON, contexts.next()).await.unwrap().unwrap().is_err());
}
