use jiff::SignedDuration;
use kube::core::DynamicObject;
use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use rstest::rstest;
use serde_json::{Value, json};

use super::super::RequestKey;
use super::*;
use crate::identities::Entry;
use crate::key::KeyType;

fn index(identities: &[(&str, &Value)]) -> Index {
    let mut index = Index::new("example.org".parse().unwrap());
    for (namespace, spec) in identities {
        let metadata = json!({"namespace": namespace, "name": spec["serviceAccountName"], "uid": "i"});
        let object = json!({"metadata": metadata, "spec": spec});
        index.insert(Entry::read(&serde_json::from_value::<DynamicObject>(object).unwrap()));
    }
    index.listed(|_| true);
    index
}

fn api() -> Index {
    index(&[("shop", &json!({"serviceAccountName": "api"}))])
}

fn pkcs10(params: &CertificateParams, key: &KeyPair) -> RequestKey {
    RequestKey::Pkcs10(params.serialize_request(key).unwrap().der().to_vec())
}

fn named(name: &str) -> Named {
    Named {
        name: name.into(),
        uid: format!("{name}-uid"),
    }
}

fn request() -> Request {
    Request {
        name: "req".into(),
        namespace: "shop".into(),
        uid: "req-uid".into(),
        created: None,
        pod: named("api-1"),
        service_account: named("api"),
        node: named("node-1"),
        longest: SignedDuration::from_hours(2),
        annotations: [].into(),
        key: pkcs10(&CertificateParams::default(), &KeyPair::generate().unwrap()),
    }
}

fn object(name: &str) -> ObjectFact {
    ObjectFact {
        uid: format!("{name}-uid"),
        deleting: false,
    }
}

fn facts() -> Facts {
    Facts {
        pod: Some(PodFact {
            object: object("api-1"),
            service_account: "api".into(),
            node: "node-1".into(),
            ended: false,
        }),
        service_account: Some(object("api")),
        node: Some(object("node-1")),
    }
}

/// Something that is not as it should be.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    NoPod,
    PodUid,
    PodReplaced,
    PodDeleting,
    PodEnded,
    OtherAccount,
    OtherAccountInPod,
    NoAccount,
    AccountReplaced,
    AccountDeleting,
    OtherNode,
    NotScheduled,
    NoNode,
    NodeReplaced,
    NodeDeleting,
    OtherNamespace,
    Annotation,
    EmptyUids,
    Weak,
    Huge,
    Truncated,
    NotItsKey,
    OtherKeyType,
}

fn pod(facts: &mut Facts) -> &mut PodFact {
    facts.pod.as_mut().unwrap()
}

fn apply(wrong: Wrong, request: &mut Request, facts: &mut Facts) {
    match wrong {
        Wrong::NoPod => facts.pod = None,
        Wrong::PodUid => request.pod.uid = "another".into(),
        Wrong::PodReplaced => pod(facts).object.uid = "another".into(),
        Wrong::PodDeleting => pod(facts).object.deleting = true,
        Wrong::PodEnded => pod(facts).ended = true,
        Wrong::OtherAccount => request.service_account = named("admin"),
        Wrong::OtherAccountInPod => pod(facts).service_account = "admin".into(),
        Wrong::NoAccount => facts.service_account = None,
        Wrong::AccountReplaced => facts.service_account.as_mut().unwrap().uid = "another".into(),
        Wrong::AccountDeleting => facts.service_account.as_mut().unwrap().deleting = true,
        Wrong::OtherNode => request.node = named("node-2"),
        Wrong::NotScheduled => pod(facts).node = String::new(),
        Wrong::NoNode => facts.node = None,
        Wrong::NodeReplaced => facts.node.as_mut().unwrap().uid = "another".into(),
        Wrong::NodeDeleting => facts.node.as_mut().unwrap().deleting = true,
        // What is read is what is there.
        Wrong::OtherNamespace => {
            request.namespace = "bank".into();
            *facts = Facts::default();
        }
        Wrong::Annotation => drop(request.annotations.insert("example.com/san".into())),
        Wrong::EmptyUids => {
            request.pod.uid = String::new();
            pod(facts).object.uid = String::new();
        }
        Wrong::Weak => {
            let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
            request.key = pkcs10(&CertificateParams::default(), &key);
        }
        Wrong::Huge => request.key = RequestKey::Pkcs10(vec![0x30; 1 << 20]),
        Wrong::Truncated => {
            if let RequestKey::Pkcs10(der) = &mut request.key {
                der.pop();
            }
        }
        Wrong::NotItsKey => {
            if let RequestKey::Pkcs10(der) = &mut request.key {
                *der.last_mut().unwrap() ^= 1;
            }
        }
        Wrong::OtherKeyType => {
            request.key = pkcs10(
                &CertificateParams::default(),
                &KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap(),
            );
        }
    }
}

const ALL: [Wrong; 23] = [
    Wrong::NoPod,
    Wrong::PodUid,
    Wrong::PodReplaced,
    Wrong::PodDeleting,
    Wrong::PodEnded,
    Wrong::OtherAccount,
    Wrong::OtherAccountInPod,
    Wrong::NoAccount,
    Wrong::AccountReplaced,
    Wrong::AccountDeleting,
    Wrong::OtherNode,
    Wrong::NotScheduled,
    Wrong::NoNode,
    Wrong::NodeReplaced,
    Wrong::NodeDeleting,
    Wrong::OtherNamespace,
    Wrong::Annotation,
    Wrong::EmptyUids,
    Wrong::Weak,
    Wrong::Huge,
    Wrong::Truncated,
    Wrong::NotItsKey,
    Wrong::OtherKeyType,
];

#[test]
fn a_pod_gets_the_identity_of_its_service_account() {
    let (grant, key) = check(&request(), &facts(), &api()).unwrap();
    assert_eq!(grant.spiffe_id.to_string(), "spiffe://example.org/ns/shop/sa/api");
    assert_eq!(grant.lifetime, SignedDuration::from_hours(2));
    assert_eq!(key.key_type(), KeyType::EcdsaP256);
}

#[test]
fn a_key_alone_is_taken_from_older_versions() {
    let key = KeyPair::generate().unwrap();
    let request = Request {
        key: RequestKey::Info(key.subject_public_key_info()),
        ..request()
    };
    let (_, taken) = check(&request, &facts(), &api()).unwrap();
    assert_eq!(taken.subject_public_key_info(), key.subject_public_key_info());
}

#[rstest]
#[case(Wrong::NoPod, Reason::PodNotFound)]
#[case(Wrong::PodUid, Reason::PodReplaced)]
#[case(Wrong::PodReplaced, Reason::PodReplaced)]
#[case(Wrong::PodDeleting, Reason::PodEnded)]
#[case(Wrong::PodEnded, Reason::PodEnded)]
#[case(Wrong::OtherAccount, Reason::ServiceAccountMismatch)]
#[case(Wrong::OtherAccountInPod, Reason::ServiceAccountMismatch)]
#[case(Wrong::NoAccount, Reason::ServiceAccountMismatch)]
#[case(Wrong::AccountReplaced, Reason::ServiceAccountMismatch)]
#[case(Wrong::AccountDeleting, Reason::ServiceAccountMismatch)]
#[case(Wrong::OtherNode, Reason::NodeMismatch)]
#[case(Wrong::NotScheduled, Reason::NodeMismatch)]
#[case(Wrong::NoNode, Reason::NodeMismatch)]
#[case(Wrong::NodeReplaced, Reason::NodeMismatch)]
#[case(Wrong::NodeDeleting, Reason::NodeMismatch)]
#[case(Wrong::OtherNamespace, Reason::PodNotFound)]
#[case(Wrong::Annotation, Reason::UnknownAnnotation)]
#[case(Wrong::EmptyUids, Reason::PodReplaced)]
#[case(Wrong::Weak, Reason::UnsupportedKeyType)]
#[case(Wrong::Huge, Reason::InvalidRequest)]
#[case(Wrong::Truncated, Reason::InvalidRequest)]
#[case(Wrong::NotItsKey, Reason::InvalidRequest)]
#[case(Wrong::OtherKeyType, Reason::UnsupportedKeyType)]
fn what_is_wrong_is_refused_with_its_reason(#[case] wrong: Wrong, #[case] reason: Reason) {
    let (mut request, mut facts) = (request(), facts());
    apply(wrong, &mut request, &mut facts);
    let refusal = check(&request, &facts, &api()).unwrap_err();
    assert_eq!(refusal.reason, reason, "{refusal}");
    if reason == Reason::UnsupportedKeyType {
        assert!(
            refusal.message.contains("use ECDSAP256") || refusal.message.contains("for ECDSAP256"),
            "{refusal}"
        );
    }
}

/// What is written in a request besides its key reaches nobody: the names of the certificate come from the grant.
#[test]
fn the_names_in_a_request_are_nothing() {
    let names = vec![
        "admin.bank.svc".to_owned(),
        "spiffe://example.org/ns/bank/sa/admin".to_owned(),
    ];
    let mut params = CertificateParams::new(names).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let request = Request {
        key: pkcs10(&params, &KeyPair::generate().unwrap()),
        ..request()
    };
    let (grant, _) = check(&request, &facts(), &api()).unwrap();
    assert_eq!(grant.spiffe_id.to_string(), "spiffe://example.org/ns/shop/sa/api");
    assert!(grant.dns_names.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However many things are wrong, and wherever there are identities: refused.
    #[test]
    fn nothing_wrong_gets_through(wrongs in prop::collection::vec(0..ALL.len(), 1..4)) {
        let everywhere = index(&[
            ("shop", &json!({"serviceAccountName": "api"})),
            ("shop", &json!({"serviceAccountName": "admin"})),
            ("bank", &json!({"serviceAccountName": "api"})),
            ("bank", &json!({"serviceAccountName": "admin"})),
        ]);
        let (mut request, mut facts) = (request(), facts());
        for at in &wrongs {
            // The facts may be gone already.
            if facts.pod.is_some() && facts.service_account.is_some() && facts.node.is_some() {
                apply(ALL[*at], &mut request, &mut facts);
            }
        }
        // Two wrongs can make one right: another service account in both, which is then the Pod's own.
        if let Ok((grant, _)) = check(&request, &facts, &everywhere) {
            let account = &facts.pod.as_ref().unwrap().service_account;
            prop_assert_eq!(grant.spiffe_id.path(), format!("/ns/{}/sa/{}", request.namespace, account));
            prop_assert_eq!(&request.service_account.name, account);
        }
    }

    /// Whatever a request and the facts are made of, a certificate is for what the Pod runs as, in its own namespace.
    #[test]
    fn a_certificate_is_always_the_pods_own(
        (namespace, account, pod_account, account_uid, fact_uid, pod_uid, fact_pod_uid) in
            ("shop|bank", "api|admin", "api|admin", "a|b", "a|b", "p|q", "p|q"),
    ) {
        let both = index(&[
            ("shop", &json!({"serviceAccountName": "api"})),
            ("bank", &json!({"serviceAccountName": "admin"})),
        ]);
        let (mut request, mut facts) = (request(), facts());
        request.namespace = namespace.clone();
        request.service_account = Named { name: account.clone(), uid: account_uid.clone() };
        request.pod.uid = pod_uid.clone();
        facts.service_account.as_mut().unwrap().uid = fact_uid.clone();
        pod(&mut facts).object.uid = fact_pod_uid.clone();
        pod(&mut facts).service_account = pod_account.clone();
        let granted = check(&request, &facts, &both).map(|(grant, _)| grant.spiffe_id.to_string());
        let own = matches!((namespace.as_str(), pod_account.as_str()), ("shop", "api") | ("bank", "admin"));
        if own && account == pod_account && account_uid == fact_uid && pod_uid == fact_pod_uid {
            prop_assert_eq!(granted, Ok(format!("spiffe://example.org/ns/{namespace}/sa/{pod_account}")));
        } else {
            prop_assert!(granted.is_err());
        }
    }
}
