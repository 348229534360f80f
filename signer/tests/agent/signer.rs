//! What the signer gives agents: only what workloads of their own node may have.

use countersign_signer::istio::proto::istio_certificate_service_client::IstioCertificateServiceClient;
use countersign_signer::node::AUDIENCE;
use countersign_signer::node::proto::issue_x509_svid_response::Outcome;
use countersign_signer::node::proto::node_agent_client::NodeAgentClient;
use countersign_signer::node::proto::{
    IssueJwtSvidRequest, IssueX509SvidRequest, WatchBundlesRequest, Workload, X509Svid,
};
use proptest::prelude::*;
use rcgen::CertificateParams;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::*;
use crate::rig::{AGENT_TOKEN, Signer};
use crate::support::review;

fn workload(namespace: &str, name: &str, uid: &str) -> Workload {
    Workload {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
    }
}

fn csr() -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    CertificateParams::default()
        .serialize_request(&key)
        .unwrap()
        .der()
        .to_vec()
}

fn with_token<M>(token: &str, message: M) -> Request<M> {
    let mut request = Request::new(message);
    if !token.is_empty() {
        let value = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    request
}

async fn ask(
    client: &mut NodeAgentClient<Channel>,
    token: &str,
    workload: impl Into<Option<Workload>>,
    request: Vec<u8>,
) -> Result<X509Svid, Status> {
    let message = IssueX509SvidRequest {
        workload: workload.into(),
        request,
    };
    let answer = client.issue_x509_svid(with_token(token, message)).await?;
    match answer.into_inner().outcome {
        Some(Outcome::Svid(svid)) => Ok(svid),
        other => panic!("{other:?}"),
    }
}

/// A signer with the Pod shop/web-1 on node n1, and what else a test wants.
async fn signer() -> Signer {
    let signer = Signer::serve().await.unwrap();
    signer.identity("shop", "web", &json!({}));
    signer.world.pod("shop", "web", "web-1", WEB, "n1");
    signer
}

#[rstest]
#[case::no_token("", Code::Unauthenticated, "no token")]
#[case::unknown("eyJ.unknown.sig", Code::Unauthenticated, "does not accept")]
#[case::of_a_workload(
    "eyJ.workload.sig",
    Code::Unauthenticated,
    "not the service account of the nodes' agents"
)]
#[case::of_istio("eyJ.istio.sig", Code::Unauthenticated, "audience countersign-signer")]
#[case::of_another_namespace(
    "eyJ.namespace.sig",
    Code::Unauthenticated,
    "not the service account of the nodes' agents"
)]
#[case::of_an_agent_that_ended("eyJ.ended.sig", Code::Unauthenticated, "has ended")]
#[case::of_an_agent_without_a_node("eyJ.nodeless.sig", Code::Unauthenticated, "no node")]
#[tokio::test]
async fn only_agents_are_answered(#[case] token: &str, #[case] code: Code, #[case] says: &str) {
    let signer = signer().await;
    let world = &signer.world;
    let (system, agent) = ("countersign-system", "countersign-agent");
    world.pod("shop", "countersign-agent", "fake", "u-fake", "n1");
    world.pod(system, agent, "agent-2", "u-ended", "n1");
    world.change_pods(|pods| pods.last_mut().unwrap().live = false);
    world.pod(system, agent, "agent-3", "u-nodeless", "");
    world.token("eyJ.workload.sig", review("shop", "web", "web-1", WEB, AUDIENCE));
    world.token(
        "eyJ.istio.sig",
        review(system, agent, "agent-1", "agent-uid", "istio-ca"),
    );
    world.token("eyJ.namespace.sig", review("shop", agent, "fake", "u-fake", AUDIENCE));
    world.token("eyJ.ended.sig", review(system, agent, "agent-2", "u-ended", AUDIENCE));
    world.token(
        "eyJ.nodeless.sig",
        review(system, agent, "agent-3", "u-nodeless", AUDIENCE),
    );
    let mut client = signer.client().await.unwrap();
    let web = || workload("shop", "web-1", WEB);
    let message = IssueJwtSvidRequest {
        workload: Some(web()),
        audiences: vec!["reports".to_owned()],
    };
    for status in [
        ask(&mut client, token, web(), csr()).await.unwrap_err(),
        client.issue_jwt_svid(with_token(token, message)).await.unwrap_err(),
        client
            .watch_bundles(with_token(token, WatchBundlesRequest {}))
            .await
            .unwrap_err(),
    ] {
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().contains(says), "{}", status.message());
    }
    ask(&mut client, AGENT_TOKEN, web(), csr()).await.unwrap();
}

#[rstest]
#[case::not_named(None, Code::InvalidArgument)]
#[case::without_uid(Some(workload("shop", "web-1", "")), Code::InvalidArgument)]
#[case::another_uid(Some(workload("shop", "web-1", ADMIN)), Code::NotFound)]
#[case::another_namespace(Some(workload("other", "web-1", WEB)), Code::NotFound)]
#[case::another_node(Some(workload("shop", "far-1", "u-far")), Code::PermissionDenied)]
#[case::without_node(Some(workload("shop", "waits-1", "u-waits")), Code::PermissionDenied)]
#[case::ended(Some(workload("shop", "ended-1", "u-ended")), Code::FailedPrecondition)]
#[case::no_identity(Some(workload("shop", "plain-1", "u-plain")), Code::PermissionDenied)]
#[tokio::test]
async fn only_workloads_of_the_node_are_certified(#[case] named: Option<Workload>, #[case] code: Code) {
    let signer = signer().await;
    signer.world.pod("shop", "web", "far-1", "u-far", "n2");
    signer.world.pod("shop", "web", "waits-1", "u-waits", "");
    signer.world.pod("shop", "plain", "plain-1", "u-plain", "n1");
    signer.world.pod("shop", "web", "ended-1", "u-ended", "n1");
    signer.world.change_pods(|pods| pods.last_mut().unwrap().live = false);
    let mut client = signer.client().await.unwrap();
    let status = ask(&mut client, AGENT_TOKEN, named.clone(), csr()).await.unwrap_err();
    assert_eq!(status.code(), code, "{status}");
    let message = IssueJwtSvidRequest {
        workload: named,
        audiences: vec!["reports".to_owned()],
    };
    let status = client
        .issue_jwt_svid(with_token(AGENT_TOKEN, message))
        .await
        .unwrap_err();
    assert_eq!(status.code(), code, "{status}");
    let metrics = signer.metrics();
    assert!(
        metrics.contains(r#"path="workload-api",outcome="Refused"} 2"#),
        "{metrics}"
    );
    assert!(
        signer
            .books
            .0
            .lock()
            .unwrap()
            .iter()
            .all(|record| record.service_account != "web")
    );
}

fn altered() -> Vec<u8> {
    let mut der = csr();
    *der.last_mut().unwrap() ^= 1;
    der
}

#[rstest]
#[case::empty(Vec::new(), Code::InvalidArgument)]
#[case::garbage(vec![0x30; 90 << 10], Code::InvalidArgument)]
#[case::altered(altered(), Code::InvalidArgument)]
#[case::megabyte(vec![0x30; 1 << 20], Code::OutOfRange)]
#[tokio::test]
async fn a_certification_request_must_be_one(#[case] request: Vec<u8>, #[case] code: Code) {
    let signer = signer().await;
    let mut client = signer.client().await.unwrap();
    let status = ask(&mut client, AGENT_TOKEN, workload("shop", "web-1", WEB), request)
        .await
        .unwrap_err();
    assert_eq!(status.code(), code, "{status}");
}

/// One port for both, so that there is one Service and one certificate.
#[tokio::test]
async fn istios_proxies_are_served_on_the_same_port() {
    let signer = signer().await;
    let token = signer.world.pod("shop", "web", "web-9", "u9", "n1");
    let mut client = IstioCertificateServiceClient::new(signer.channel().await.unwrap());
    let request = crate::support::csr(&CertificateParams::default()).unwrap().0;
    let message = crate::support::message(&token, &request, 7200, None).unwrap();
    let given = client.create_certificate(message).await.unwrap().into_inner();
    assert!(given.cert_chain.len() >= 3);
}

/// Of the request nothing is taken but the key.
#[tokio::test]
async fn a_request_cannot_ask_for_more() {
    let signer = signer().await;
    let mut params = CertificateParams::new(vec!["bank.example".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.subject_alt_names.push(rcgen::SanType::URI(
        "spiffe://cluster.local/ns/shop/sa/admin".try_into().unwrap(),
    ));
    let key = KeyPair::generate().unwrap();
    let request = params.serialize_request(&key).unwrap().der().to_vec();
    let mut client = signer.client().await.unwrap();
    let svid = ask(&mut client, AGENT_TOKEN, workload("shop", "web-1", WEB), request)
        .await
        .unwrap();
    let (_, leaf) = x509_parser::parse_x509_certificate(&svid.chain[0]).unwrap();
    assert!(!leaf.is_ca());
    let names = &leaf.subject_alternative_name().unwrap().unwrap().value.general_names;
    assert_eq!(*names, [x509_parser::prelude::GeneralName::URI(ID)]);
}

/// Whoever took an empty bundle would trust nobody.
#[tokio::test]
async fn bundles_are_sent_when_there_is_a_root() {
    let signer = signer().await;
    let there = Arc::clone(&signer.bundles.borrow());
    let empty = countersign_identity::Bundle::new("cluster.local".parse().unwrap());
    signer.bundles.send_replace(Arc::new(Bundles::new(empty)));
    let mut client = signer.client().await.unwrap();
    let mut bundles = client
        .watch_bundles(with_token(AGENT_TOKEN, WatchBundlesRequest {}))
        .await
        .unwrap()
        .into_inner();
    let silent = timeout(Duration::from_millis(300), bundles.message()).await;
    assert!(silent.is_err(), "{silent:?}");
    signer.bundles.send_replace(there);
    timeout(SOON, bundles.message()).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn bundles_are_sent_again_when_they_change() {
    let signer = signer().await;
    let mut client = signer.client().await.unwrap();
    let mut bundles = client
        .watch_bundles(with_token(AGENT_TOKEN, WatchBundlesRequest {}))
        .await
        .unwrap()
        .into_inner();
    let first = bundles.message().await.unwrap().unwrap();
    assert_eq!(first.own.unwrap().trust_domain, "cluster.local");
    assert!(first.federated.is_empty());
    // What is the same is not sent again.
    signer.bundles.send_modify(|_| {});
    let (partner, key) = (Ca::new().unwrap(), Key::new("k2"));
    signer.bundles.send_modify(|bundles| {
        let mut more = (**bundles).clone();
        more.federate(bundle("partner.example", &partner.root, &key)).unwrap();
        *bundles = Arc::new(more);
    });
    let second = timeout(SOON, bundles.message()).await.unwrap().unwrap().unwrap();
    let names: Vec<_> = second
        .federated
        .iter()
        .map(|bundle| bundle.trust_domain.as_str())
        .collect();
    assert_eq!(names, ["partner.example"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Whoever asks and whatever for, an SVID names the account of a live Pod on the node of the agent that asks.
    #[test]
    fn nobody_gets_anothers_identity(
        pods in prop::collection::vec((0..2u8, 0..3u8, 0..4u8, 0..2u8, any::<bool>()), 1..6),
        (namespace, name, uid) in (0..2u8, 0..4u8, 0..6u8),
        (by_agent, right_audience, agent_lives) in (prop::bool::weighted(0.85), prop::bool::weighted(0.9), prop::bool::weighted(0.9)),
        listed in prop::collection::vec(any::<bool>(), 6),
        asks_for_token in any::<bool>(),
    ) {
        let namespaces = ["shop", "bank"];
        let accounts = ["web", "admin", "countersign-agent"];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let signer = Signer::serve().await.unwrap();
            let mut there: Vec<(&str, &str, String, String, u8, bool)> = Vec::new();
            for (number, (namespace, account, name, node, live)) in pods.iter().enumerate() {
                let (namespace, account) = (namespaces[usize::from(*namespace)], accounts[usize::from(*account)]);
                let name = format!("p{name}");
                if there.iter().all(|pod| (pod.0, &pod.2) != (namespace, &name)) {
                    signer.world.pod(namespace, account, &name, &format!("u{number}"), &format!("n{node}"));
                    signer.world.change_pods(|pods| pods.last_mut().unwrap().live = *live);
                    there.push((namespace, account, name, format!("u{number}"), *node, *live));
                }
            }
            signer.world.change_pods(|pods| pods[0].live = agent_lives);
            let identified = |namespace: &str, account: &str| {
                let at = |of: &[&str], name| of.iter().position(|one| *one == name).unwrap();
                listed[at(&namespaces, namespace) * 3 + at(&accounts, account)]
            };
            for namespace in namespaces {
                for account in accounts.into_iter().filter(|account| identified(namespace, account)) {
                    signer.identity(namespace, account, &json!({}));
                }
            }
            let audience = if right_audience { AUDIENCE } else { "istio-ca" };
            // A Pod of the same name of account, in another namespace, asks for itself.
            let status = match there.first().filter(|_| !by_agent) {
                Some(pod) => review(pod.0, pod.1, &pod.2, &pod.3, audience),
                None => review("countersign-system", "countersign-agent", "agent-1", "agent-uid", audience),
            };
            let agent_asks = (by_agent || there.is_empty()) && right_audience && agent_lives;
            let token = signer.world.token("a.b.c", status);
            let named = (namespaces[usize::from(namespace)], format!("p{name}"), format!("u{uid}"));
            let mut client = signer.client().await.unwrap();
            let asked = workload(named.0, &named.1, &named.2);
            let given = if asks_for_token {
                let message = IssueJwtSvidRequest { workload: Some(asked), audiences: vec!["reports".to_owned()] };
                let given = client.issue_jwt_svid(with_token(&token, message)).await;
                given.ok().map(|given| {
                    let given = given.into_inner();
                    let bundles = Arc::clone(&signer.bundles.borrow());
                    let verified = jwt_svid::verify(&given.token, "reports", &bundles, clock::now()).unwrap();
                    assert_eq!(verified.id().to_string(), given.spiffe_id);
                    given.spiffe_id
                })
            } else {
                let given = ask(&mut client, &token, asked, csr()).await;
                given.ok().map(|svid| {
                    let chain: Vec<CertificateDer<'static>> = svid.chain.into_iter().map(CertificateDer::from).collect();
                    let bundles = Arc::clone(&signer.bundles.borrow());
                    let verified = svid::verify(&chain, &bundles, &svid::Withdrawn::default(), clock::now()).unwrap();
                    assert_eq!(verified.id().to_string(), svid.spiffe_id);
                    svid.spiffe_id
                })
            };
            // The agent is on n1.
            let own = there.iter().find(|pod| (pod.0, &pod.2, &pod.3) == (named.0, &named.1, &named.2));
            let may = own.filter(|pod| agent_asks && pod.4 == 1 && pod.5 && identified(pod.0, pod.1));
            assert_eq!(given, may.map(|pod| format!("spiffe://cluster.local/ns/{}/sa/{}", pod.0, pod.1)));
        });
    }
}
