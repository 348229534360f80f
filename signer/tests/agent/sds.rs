//! The agent as Envoy sees it: the secret discovery service.

use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::secret::Type;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{Secret, SpiffeCertValidatorConfig};
use envoy_types::pb::envoy::service::discovery::v3::{DiscoveryRequest, DiscoveryResponse};
use envoy_types::pb::envoy::service::secret::v3::secret_discovery_service_client::SecretDiscoveryServiceClient;
use prost::Message as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::*;

fn request(names: &[&str]) -> DiscoveryRequest {
    DiscoveryRequest {
        resource_names: names.iter().map(|name| (*name).to_owned()).collect(),
        type_url: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret".to_owned(),
        ..DiscoveryRequest::default()
    }
}

fn secrets(response: &DiscoveryResponse) -> Vec<Secret> {
    let read = response.resources.iter();
    read.map(|resource| Secret::decode(resource.value.as_slice()).unwrap())
        .collect()
}

async fn client(node: &Node) -> SecretDiscoveryServiceClient<Channel> {
    SecretDiscoveryServiceClient::new(unix(&node.socket()).await.unwrap())
}

fn bytes(source: Option<&envoy_types::pb::envoy::config::core::v3::DataSource>) -> Vec<u8> {
    match source.and_then(|source| source.specifier.clone()) {
        Some(Specifier::InlineBytes(bytes)) => bytes,
        other => panic!("{other:?}"),
    }
}

fn trust_domains(secret: &Secret) -> Vec<String> {
    let Some(Type::ValidationContext(context)) = &secret.r#type else {
        panic!("{secret:?}");
    };
    let config = context
        .custom_validator_config
        .as_ref()
        .unwrap()
        .typed_config
        .as_ref()
        .unwrap();
    let config = SpiffeCertValidatorConfig::decode(config.value.as_slice()).unwrap();
    config.trust_domains.into_iter().map(|each| each.name).collect()
}

#[tokio::test]
async fn envoy_fetches_a_key_a_certificate_and_whom_to_trust() {
    let node = Node::start().await.unwrap();
    let mut client = client(&node).await;
    let response = client
        .fetch_secrets(request(&["default", "ROOTCA"]))
        .await
        .unwrap()
        .into_inner();
    let secrets = secrets(&response);
    let own = secrets.iter().find(|secret| secret.name == "default").unwrap();
    let Some(Type::TlsCertificate(certificate)) = &own.r#type else {
        panic!("{own:?}");
    };
    let pem = bytes(certificate.certificate_chain.as_ref());
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem).map(Result::unwrap).collect();
    let verified = svid::verify(&chain, &current(&node), &svid::Withdrawn::default(), clock::now()).unwrap();
    assert_eq!(verified.id().to_string(), ID);
    let key = PrivatePkcs8KeyDer::from_pem_slice(&bytes(certificate.private_key.as_ref())).unwrap();
    rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&PrivateKeyDer::from(key)).unwrap();
    let roots = secrets.iter().find(|secret| secret.name == "ROOTCA").unwrap();
    assert_eq!(trust_domains(roots), ["cluster.local"]);
}

#[tokio::test]
async fn envoy_is_sent_what_changes_and_nothing_else() {
    let node = Node::start().await.unwrap();
    let (to, requests) = mpsc::channel(4);
    to.send(request(&["ALL", "default"])).await.unwrap();
    let mut client = client(&node).await;
    let mut answers = client
        .stream_secrets(ReceiverStream::new(requests))
        .await
        .unwrap()
        .into_inner();
    let first = answers.message().await.unwrap().unwrap();
    assert_eq!(first.resources.len(), 2);
    let accepted = DiscoveryRequest {
        version_info: first.version_info.clone(),
        response_nonce: first.nonce.clone(),
        ..request(&["ALL", "default"])
    };
    to.send(accepted).await.unwrap();
    let silent = timeout(Duration::from_millis(300), answers.message()).await;
    assert!(silent.is_err(), "an answer to an answer: {silent:?}");

    let mut bundles = (*current(&node)).clone();
    let partner = Ca::new().unwrap();
    bundles
        .federate(bundle("partner.example", &partner.root, &Key::new("k2")))
        .unwrap();
    node.signer.bundles.send_replace(Arc::new(bundles));
    let second = timeout(SOON, answers.message()).await.unwrap().unwrap().unwrap();
    assert_ne!(
        (&second.nonce, &second.version_info),
        (&first.nonce, &first.version_info)
    );
    let all = secrets(&second)
        .into_iter()
        .find(|secret| secret.name == "ALL")
        .unwrap();
    assert_eq!(trust_domains(&all), ["cluster.local", "partner.example"]);

    // Other names, and then what is not there.
    let other = DiscoveryRequest {
        response_nonce: second.nonce.clone(),
        ..request(&["spiffe://partner.example"])
    };
    to.send(other).await.unwrap();
    let third = timeout(SOON, answers.message()).await.unwrap().unwrap().unwrap();
    assert_eq!(trust_domains(&secrets(&third)[0]), ["partner.example"]);
    let anothers = DiscoveryRequest {
        response_nonce: third.nonce.clone(),
        ..request(&["spiffe://cluster.local/ns/shop/sa/admin"])
    };
    to.send(anothers).await.unwrap();
    let status = timeout(SOON, answers.message()).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
}

#[rstest]
#[case::another_type(DiscoveryRequest { type_url: "type.googleapis.com/envoy.config.cluster.v3.Cluster".to_owned(), ..request(&[]) })]
#[case::too_many(request(&["x"; 65]))]
#[tokio::test]
async fn only_secrets_are_served(#[case] request: DiscoveryRequest) {
    let node = Node::start().await.unwrap();
    let status = client(&node).await.fetch_secrets(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
}

#[tokio::test]
async fn who_is_no_pod_gets_no_secret() {
    let node = Node::start().await.unwrap();
    node.call_as(Err(Refusal::new(Reason::NotAPod, "it is no Pod's")));
    let mut client = client(&node).await;
    let status = client.fetch_secrets(request(&["ROOTCA"])).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let (_to, requests) = mpsc::channel(1);
    let status = client.stream_secrets(ReceiverStream::new(requests)).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
}
