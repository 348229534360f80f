use jiff::SignedDuration;
use kube::core::DynamicObject;
use proptest::prelude::*;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType,
};
use rstest::rstest;
use serde_json::json;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;

use super::*;
use crate::identities::Entry;
use crate::pod_certificate::{ObjectFact, PodFact};

const OWN: &str = "spiffe://example.org/ns/shop/sa/api";

fn index() -> Index {
    let mut index = Index::new("example.org".parse().unwrap());
    for (namespace, account) in [("shop", "api"), ("shop", "admin"), ("bank", "api")] {
        let object = json!({
            "metadata": {"namespace": namespace, "name": account, "uid": "i"},
            "spec": {"serviceAccountName": account, "delivery": ["CertificateSigningRequest"],
                     "certificate": {"duration": "6h", "dnsNames": [format!("{account}.{namespace}.svc")]}},
        });
        index.insert(Entry::read(&serde_json::from_value::<DynamicObject>(object).unwrap()));
    }
    index.listed(|_| true);
    index
}

fn uri(uri: &str) -> SanType {
    SanType::URI(Ia5String::try_from(uri).unwrap())
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(Ia5String::try_from(name).unwrap())
}

fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![uri(OWN)];
    params
}

fn pem(params: &CertificateParams) -> Vec<u8> {
    params
        .serialize_request(&KeyPair::generate().unwrap())
        .unwrap()
        .pem()
        .unwrap()
        .into_bytes()
}

fn request(params: &CertificateParams) -> Request {
    let extra = |key: &str, value: &str| (format!("authentication.kubernetes.io/{key}"), vec![value.to_owned()]);
    Request {
        name: "csr".into(),
        uid: "csr-uid".into(),
        created: None,
        username: "system:serviceaccount:shop:api".into(),
        user_uid: "api-uid".into(),
        extra: [extra("pod-name", "api-1"), extra("pod-uid", "api-1-uid")].into(),
        pem: pem(params),
        usages: vec!["digital signature".into(), "client auth".into()],
        duration: Some(SignedDuration::from_hours(6)),
    }
}

fn facts() -> Facts {
    let object = |uid: &str| ObjectFact {
        uid: uid.into(),
        deleting: false,
    };
    Facts {
        pod: Some(PodFact {
            object: object("api-1-uid"),
            service_account: "api".into(),
            node: "node-1".into(),
            ended: false,
        }),
        service_account: Some(object("api-uid")),
    }
}

fn refused(request: &Request, facts: &Facts) -> Reason {
    check(request, facts, &index()).unwrap_err().reason
}

#[test]
fn a_workload_gets_its_own_identity() {
    let mut params = params();
    params.subject_alt_names.push(dns("api.shop.svc"));
    params.distinguished_name.push(DnType::CommonName, "api.shop.svc");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    let (grant, _) = check(&request(&params), &facts(), &index()).unwrap();
    assert_eq!(grant.spiffe_id.to_string(), OWN);
    assert_eq!(grant.lifetime, SignedDuration::from_hours(6));
}

fn with(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = params();
    change(&mut params);
    params
}

#[rstest]
#[case::none(with(|p| p.subject_alt_names.clear()), Reason::NamesNotAllowed)]
#[case::anothers(with(|p| p.subject_alt_names = vec![uri("spiffe://example.org/ns/shop/sa/admin")]), Reason::NamesNotAllowed)]
#[case::another_trust_domain(with(|p| p.subject_alt_names = vec![uri("spiffe://other.org/ns/shop/sa/api")]), Reason::NamesNotAllowed)]
#[case::extra_uri(with(|p| p.subject_alt_names.push(uri("spiffe://example.org/ns/bank/sa/api"))), Reason::NamesNotAllowed)]
#[case::twice(with(|p| p.subject_alt_names.push(uri(OWN))), Reason::NamesNotAllowed)]
#[case::extra_dns(with(|p| p.subject_alt_names.push(dns("api.bank.svc"))), Reason::NamesNotAllowed)]
#[case::address(with(|p| p.subject_alt_names.push(SanType::IpAddress([10, 0, 0, 1].into()))), Reason::NamesNotAllowed)]
#[case::mail(with(|p| p.subject_alt_names.push(SanType::Rfc822Name(Ia5String::try_from("a@b.example").unwrap()))), Reason::NamesNotAllowed)]
#[case::common_name(with(|p| p.distinguished_name.push(DnType::CommonName, "system:masters")), Reason::NamesNotAllowed)]
#[case::organization(with(|p| p.distinguished_name.push(DnType::OrganizationName, "system:masters")), Reason::NamesNotAllowed)]
#[case::authority(with(|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)), Reason::AuthorityNotAllowed)]
#[case::signs(with(|p| p.key_usages = vec![KeyUsagePurpose::KeyCertSign]), Reason::AuthorityNotAllowed)]
#[case::encipherment(with(|p| p.key_usages = vec![KeyUsagePurpose::KeyEncipherment]), Reason::UsagesNotAllowed)]
#[case::any(with(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any]), Reason::UsagesNotAllowed)]
#[case::code(with(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning]), Reason::UsagesNotAllowed)]
#[case::unknown(with(|p| p.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0])]), Reason::InvalidRequest)]
fn whoever_asks_for_more_gets_nothing(#[case] params: CertificateParams, #[case] reason: Reason) {
    assert_eq!(refused(&request(&params), &facts()), reason);
}

#[rstest]
#[case(&["client auth"])]
#[case(&["digital signature"])]
#[case(&["digital signature", "key encipherment", "client auth"])]
#[case(&["digital signature", "client auth", "cert sign"])]
#[case(&["digital signature", "client auth", "any"])]
#[case(&[])]
fn other_usages_are_refused(#[case] usages: &[&str]) {
    let request = Request {
        usages: usages.iter().map(|usage| (*usage).to_owned()).collect(),
        ..request(&params())
    };
    assert_eq!(refused(&request, &facts()), Reason::UsagesNotAllowed);
}

#[rstest]
#[case("system:node:node-1")]
#[case("admin")]
#[case("system:serviceaccount:shop")]
#[case("system:serviceaccount:shop:")]
#[case("system:serviceaccount:shop:api:x")]
fn who_is_no_workload_is_refused(#[case] username: &str) {
    let request = Request {
        username: username.into(),
        ..request(&params())
    };
    assert_eq!(refused(&request, &facts()), Reason::RequesterMismatch);
}

#[test]
fn a_token_without_a_pod_is_not_enough() {
    for key in ["pod-name", "pod-uid"] {
        let key = format!("authentication.kubernetes.io/{key}");
        let mut request = request(&params());
        request.extra.get_mut(&key).unwrap().push("two".into());
        assert_eq!(refused(&request, &facts()), Reason::RequesterMismatch);
        request.extra.remove(&key);
        assert_eq!(refused(&request, &facts()), Reason::RequesterMismatch);
    }
}

#[test]
fn the_workload_must_live() {
    let wrong = |change: fn(&mut Facts)| {
        let mut facts = facts();
        change(&mut facts);
        refused(&request(&params()), &facts)
    };
    let pod = |facts: &mut Facts| facts.pod.clone().unwrap();
    assert_eq!(wrong(|facts| facts.pod = None), Reason::PodNotFound);
    assert_eq!(
        wrong(|facts| facts.pod.as_mut().unwrap().object.uid = "x".into()),
        Reason::PodReplaced
    );
    assert_eq!(
        wrong(|facts| facts.pod.as_mut().unwrap().ended = true),
        Reason::PodEnded
    );
    assert_eq!(
        wrong(|facts| facts.pod.as_mut().unwrap().object.deleting = true),
        Reason::PodEnded
    );
    let other = wrong(|facts| facts.pod.as_mut().unwrap().service_account = "admin".into());
    assert_eq!(other, Reason::ServiceAccountMismatch);
    assert_eq!(
        wrong(|facts| facts.service_account = None),
        Reason::ServiceAccountMismatch
    );
    let replaced = wrong(|facts| facts.service_account.as_mut().unwrap().uid = "x".into());
    assert_eq!(replaced, Reason::ServiceAccountMismatch);
    assert!(!pod(&mut facts()).ended);
}

#[rstest]
#[case(600, Err(Reason::InvalidDuration))]
#[case(3600, Ok(3600))]
#[case(21600, Ok(21600))]
#[case(21601, Err(Reason::InvalidDuration))]
fn a_life_beyond_the_profile_is_refused(#[case] seconds: i64, #[case] expected: Result<i64, Reason>) {
    let request = Request {
        duration: Some(SignedDuration::from_secs(seconds)),
        ..request(&params())
    };
    let granted = check(&request, &facts(), &index()).map(|(grant, _)| grant.lifetime.as_secs());
    assert_eq!(granted.map_err(|refusal| refusal.reason), expected);
}

#[test]
fn what_cannot_be_read_is_refused() {
    let good = request(&params());
    let two = [good.pem.clone(), good.pem.clone()].concat();
    for pem in [
        Vec::new(),
        two,
        vec![b'A'; 1 << 20],
        b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n".to_vec(),
    ] {
        let request = Request { pem, ..good.clone() };
        assert_eq!(refused(&request, &facts()), Reason::InvalidRequest);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whoever asks, and whatever names are asked for: a certificate is the requester's own, and only if it asked for that.
    #[test]
    fn nobody_gets_anothers_identity(
        namespace in "shop|bank",
        account in "api|admin",
        pod_account in "api|admin",
        uid in "api-uid|other",
        uris in prop::collection::vec(("shop|bank", "api|admin"), 0..3),
        names in prop::collection::vec("(api|admin)\\.(shop|bank)\\.svc", 0..3),
        authority in any::<bool>(),
    ) {
        let mut params = params();
        params.subject_alt_names = uris.iter().map(|(namespace, account)| uri(&format!("spiffe://example.org/ns/{namespace}/sa/{account}"))).collect();
        params.subject_alt_names.extend(names.iter().map(|name| dns(name)));
        if authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        }
        let mut request = request(&params);
        request.username = format!("system:serviceaccount:{namespace}:{account}");
        request.user_uid = uid;
        let mut facts = facts();
        facts.pod.as_mut().unwrap().service_account = pod_account.clone();
        if let Ok((grant, _)) = check(&request, &facts, &index()) {
            prop_assert_eq!(&grant.namespace, &namespace);
            prop_assert_eq!((&grant.service_account, &pod_account), (&account, &account));
            prop_assert_eq!(uris, [(namespace.clone(), account.clone())]);
            prop_assert_eq!(grant.spiffe_id.path(), format!("/ns/{namespace}/sa/{account}"));
            let own = format!("{account}.{namespace}.svc");
            prop_assert!(names.iter().all(|name| *name == own));
            prop_assert!(!authority);
        }
    }

    /// No cut or flipped byte is taken for a good request, and none panics.
    #[test]
    fn a_damaged_request_is_refused(cut in any::<prop::sample::Index>(), flip in 0..8u8) {
        let key = KeyPair::generate().unwrap();
        let der = params().serialize_request(&key).unwrap().der().to_vec();
        let at = cut.index(der.len());
        let grant = index().grant("shop", "api", Path::CertificateSigningRequest, None).unwrap();
        prop_assert!(check_content(&der[..at], &grant, KeyType::EcdsaP256).is_err());
        let mut flipped = der.clone();
        flipped[at] ^= 1 << flip;
        // What is around the signed part may be written in more than one way; that part may not.
        if let Ok(taken) = PublicKey::from_request(&flipped) {
            let signed = |der: &[u8]| X509CertificationRequest::from_der(der).unwrap().1.certification_request_info.raw.to_vec();
            prop_assert_eq!(signed(&flipped), signed(&der));
            prop_assert_eq!(taken.subject_public_key_info(), key.subject_public_key_info());
        }
    }
}
