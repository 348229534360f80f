//! Which certificates prove a SPIFFE ID.
#![allow(clippy::unwrap_used, reason = "tests want to fail at once")]

mod support;

use countersign_identity::svid::{LeafRule, SigningRule, SvidError, Withdrawn, check_leaf, check_signing, verify};
use countersign_identity::{Bundles, Fingerprint, SpiffeIdError};
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose as Purpose, GeneralSubtree, IsCa,
    KeyUsagePurpose as Usage, NameConstraints, SerialNumber,
};
use rstest::rstest;
use rustls_pki_types::CertificateDer;
use support::*;

type P = CertificateParams;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// A root, an intermediate below it, and who trusts the root.
struct World {
    root: Authority,
    intermediate: Authority,
    bundles: Bundles,
}

impl World {
    fn new() -> Self {
        Self::with(&authority_params("root"), &authority_params("intermediate"))
    }

    fn with(root: &CertificateParams, intermediate: &CertificateParams) -> Self {
        let root = Authority::root(root);
        Self {
            intermediate: root.intermediate(intermediate),
            bundles: Bundles::new(bundle(DOMAIN, &[&root])),
            root,
        }
    }

    fn check(&self, leaf: &CertificateParams) -> Result<String, SvidError> {
        self.check_chain(&[self.intermediate.leaf(leaf), self.intermediate.certificate.clone()])
    }

    fn check_chain(&self, chain: &[CertificateDer<'_>]) -> Result<String, SvidError> {
        verify(chain, &self.bundles, &Withdrawn::default(), now()).map(|svid| svid.id().to_string())
    }
}

#[test]
fn a_good_chain_proves_its_spiffe_id() {
    let world = World::new();
    let leaf = world.intermediate.leaf(&leaf_params());
    let chain = [leaf.clone(), world.intermediate.certificate.clone()];
    let svid = verify(&chain, &world.bundles, &Withdrawn::default(), now()).unwrap();
    assert_eq!(svid.id().to_string(), ID);
    assert_eq!(svid.fingerprint(), Fingerprint::of(&leaf));
    assert_eq!((svid.not_before(), svid.not_after()), (at(NOW - HOUR), at(NOW + HOUR)));
    assert!(!svid.serial().is_empty());
    assert_eq!(check_leaf(&leaf).unwrap().to_string(), ID);
    assert_eq!(
        check_signing(&world.intermediate.certificate),
        Ok(Some(domain(DOMAIN).id()))
    );
}

#[test]
fn what_the_standard_leaves_open_is_accepted() {
    let world = World::new();
    let accepts = |what: &str, change: fn(&mut CertificateParams)| {
        let mut params = leaf_params();
        change(&mut params);
        assert_eq!(world.check(&params).as_deref(), Ok(ID), "{what}");
    };
    accepts("no extended key usage", |leaf| leaf.extended_key_usages.clear());
    accepts("another extended key usage", |leaf| {
        leaf.extended_key_usages.push(Purpose::EmailProtection);
    });
    accepts("more key usages", |leaf| {
        leaf.key_usages.extend([Usage::KeyEncipherment, Usage::KeyAgreement]);
    });
    accepts("no basic constraints", |leaf| leaf.is_ca = IsCa::NoCa);
    accepts("no subject, critical names", |leaf| {
        leaf.distinguished_name = rcgen::DistinguishedName::new();
    });
    let direct = world.root.leaf(&leaf_params());
    assert_eq!(
        world.check_chain(std::slice::from_ref(&direct)).as_deref(),
        Ok(ID),
        "no intermediate"
    );
    let root = world.root.certificate.clone();
    assert_eq!(
        world.check_chain(&[direct, root]).as_deref(),
        Ok(ID),
        "the root comes along"
    );
    let second = world.intermediate.intermediate(&authority_params("second"));
    let chain = [
        second.leaf(&leaf_params()),
        world.intermediate.certificate.clone(),
        second.certificate.clone(),
    ];
    assert_eq!(world.check_chain(&chain).as_deref(), Ok(ID), "in any order");
}

#[rstest]
#[case::two_uris(|leaf: &mut P| leaf.subject_alt_names.push(uri("spiffe://example.com/other")), LeafRule::SeveralUris(2))]
#[case::the_same_twice(|leaf: &mut P| leaf.subject_alt_names.push(uri(ID)), LeafRule::SeveralUris(2))]
#[case::another_scheme_too(|leaf: &mut P| leaf.subject_alt_names.push(uri("https://example.com")), LeafRule::SeveralUris(2))]
#[case::no_uri(|leaf: &mut P| leaf.subject_alt_names.retain(|name| !matches!(name, rcgen::SanType::URI(_))), LeafRule::NoUri)]
#[case::no_names(|leaf: &mut P| leaf.subject_alt_names.clear(), LeafRule::NoUri)]
#[case::https(|leaf: &mut P| leaf.subject_alt_names = vec![uri("https://example.com/a")], LeafRule::SpiffeId(SpiffeIdError::Scheme))]
#[case::upper_case(
    |leaf: &mut P| leaf.subject_alt_names = vec![uri("spiffe://EXAMPLE.com/a")],
    LeafRule::SpiffeId(SpiffeIdError::TrustDomainCharacter)
)]
#[case::no_path(|leaf: &mut P| leaf.subject_alt_names = vec![uri("spiffe://example.com")], LeafRule::NoPath)]
#[case::root_path(
    |leaf: &mut P| leaf.subject_alt_names = vec![uri("spiffe://example.com/")],
    LeafRule::SpiffeId(SpiffeIdError::Segment)
)]
#[case::ca(|leaf: &mut P| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained), LeafRule::Ca)]
#[case::no_key_usage(|leaf: &mut P| leaf.key_usages.clear(), LeafRule::NoKeyUsage)]
#[case::key_usage_not_critical(
    |leaf: &mut P| { leaf.key_usages.clear(); leaf.custom_extensions.push(extension(15, false, &[3, 2, 7, 0x80])) },
    LeafRule::KeyUsageNotCritical
)]
#[case::key_usage_twice(|leaf: &mut P| leaf.custom_extensions.push(extension(15, true, &[3, 2, 7, 0x80])), LeafRule::Form)]
#[case::no_digital_signature(|leaf: &mut P| leaf.key_usages = vec![Usage::KeyAgreement], LeafRule::NoDigitalSignature)]
#[case::key_cert_sign(|leaf: &mut P| leaf.key_usages.push(Usage::KeyCertSign), LeafRule::KeyCertSign)]
#[case::crl_sign(|leaf: &mut P| leaf.key_usages.push(Usage::CrlSign), LeafRule::CrlSign)]
#[case::only_server(|leaf: &mut P| leaf.extended_key_usages = vec![Purpose::ServerAuth], LeafRule::ExtendedKeyUsage)]
#[case::only_client(|leaf: &mut P| leaf.extended_key_usages = vec![Purpose::ClientAuth], LeafRule::ExtendedKeyUsage)]
#[case::any(|leaf: &mut P| leaf.extended_key_usages = vec![Purpose::Any], LeafRule::ExtendedKeyUsage)]
#[case::names_not_critical(
    |leaf: &mut P| {
        leaf.distinguished_name = rcgen::DistinguishedName::new();
        leaf.subject_alt_names.clear();
        let id = ID.as_bytes();
        let length = u8::try_from(id.len()).unwrap();
        let names = [&[0x30, length + 2, 0x86, length], id].concat();
        leaf.custom_extensions.push(extension(17, false, &names));
    },
    LeafRule::NamesNotCritical
)]
#[case::malformed_basic_constraints(
    |leaf: &mut P| { leaf.is_ca = IsCa::NoCa; leaf.custom_extensions.push(extension(19, true, &[0x30, 1])) },
    LeafRule::Form
)]
fn a_leaf_that_breaks_a_rule_is_refused(#[case] change: fn(&mut CertificateParams), #[case] rule: LeafRule) {
    let mut params = leaf_params();
    change(&mut params);
    assert_eq!(World::new().check(&params), Err(SvidError::Leaf(rule)));
}

#[rstest]
#[case::not_a_ca(|ca: &mut P| ca.is_ca = IsCa::ExplicitNoCa, SvidError::Signing(SigningRule::NotCa))]
#[case::no_basic_constraints(|ca: &mut P| ca.is_ca = IsCa::NoCa, SvidError::Signing(SigningRule::NotCa))]
#[case::no_key_usage(|ca: &mut P| ca.key_usages.clear(), SvidError::Signing(SigningRule::NoKeyUsage))]
#[case::key_usage_not_critical(
    |ca: &mut P| { ca.key_usages.clear(); ca.custom_extensions.push(extension(15, false, &[3, 2, 2, 4])) },
    SvidError::Signing(SigningRule::KeyUsageNotCritical)
)]
#[case::no_key_cert_sign(
    |ca: &mut P| ca.key_usages = vec![Usage::DigitalSignature],
    SvidError::Signing(SigningRule::NoKeyCertSign)
)]
#[case::only_for_servers(
    |ca: &mut P| ca.extended_key_usages = vec![Purpose::ServerAuth],
    SvidError::Signing(SigningRule::ExtendedKeyUsage)
)]
#[case::two_uris(
    |ca: &mut P| ca.subject_alt_names.push(uri("spiffe://example.org")),
    SvidError::Signing(SigningRule::SeveralUris(2))
)]
#[case::another_uri(
    |ca: &mut P| ca.subject_alt_names = vec![uri("https://example.com")],
    SvidError::Signing(SigningRule::SpiffeId(SpiffeIdError::Scheme))
)]
#[case::a_path(
    |ca: &mut P| ca.subject_alt_names = vec![uri("spiffe://example.com/ca")],
    SvidError::Signing(SigningRule::Path)
)]
#[case::another_trust_domain(
    |ca: &mut P| ca.subject_alt_names = vec![uri("spiffe://example.org")],
    SvidError::SigningTrustDomain(domain("example.org"))
)]
#[case::expired(|ca: &mut P| ca.not_after = time(NOW - 1), SvidError::IntermediateExpired(at(NOW - 1)))]
#[case::not_yet_valid(|ca: &mut P| ca.not_before = time(NOW + 1), SvidError::IntermediateNotYetValid(at(NOW + 1)))]
#[case::uri_constraints(
    |ca: &mut P| ca.custom_extensions.push(extension(30, true, b"\x30\x0f\xa0\x0d\x30\x0b\x86\x09other.com")),
    SvidError::NameConstraints
)]
#[case::dns_constraints(
    |ca: &mut P| ca.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("example.org".to_owned())],
        excluded_subtrees: vec![],
    }),
    SvidError::NameConstraints
)]
#[case::critical_extension(|ca: &mut P| ca.custom_extensions.push(extension(99, true, &[5, 0])), SvidError::CriticalExtension)]
fn an_intermediate_that_breaks_a_rule_is_refused(#[case] change: fn(&mut CertificateParams), #[case] error: SvidError) {
    let mut params = authority_params("intermediate");
    change(&mut params);
    let world = World::with(&authority_params("root"), &params);
    assert_eq!(world.check(&leaf_params()), Err(error));
}

#[test]
fn an_intermediate_may_say_nothing_of_spiffe() {
    let mut params = authority_params("intermediate");
    params.subject_alt_names.clear();
    params.extended_key_usages = vec![Purpose::ServerAuth, Purpose::ClientAuth];
    let world = World::with(&authority_params("root"), &params);
    assert_eq!(world.check(&leaf_params()).as_deref(), Ok(ID));
}

#[test]
fn path_lengths_hold_also_that_of_the_root() {
    let constrained = |name, length| {
        let mut params = authority_params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(length));
        params
    };
    let world = World::with(&constrained("root", 1), &constrained("intermediate", 0));
    assert_eq!(world.check(&leaf_params()).as_deref(), Ok(ID));
    let second = world.intermediate.intermediate(&authority_params("second"));
    let chain = [
        second.leaf(&leaf_params()),
        second.certificate.clone(),
        world.intermediate.certificate.clone(),
    ];
    assert_eq!(world.check_chain(&chain), Err(SvidError::PathLength));
    let world = World::with(&constrained("root", 0), &authority_params("intermediate"));
    assert_eq!(world.check(&leaf_params()), Err(SvidError::PathLength));
    assert_eq!(world.check_chain(&[world.root.leaf(&leaf_params())]).as_deref(), Ok(ID));
}

#[test]
fn a_leaf_is_valid_within_its_time_only() {
    let world = World::new();
    let chain = [
        world.intermediate.leaf(&leaf_params()),
        world.intermediate.certificate.clone(),
    ];
    let check = |seconds| verify(&chain, &world.bundles, &Withdrawn::default(), at(seconds)).map(|_| ());
    assert_eq!(check(NOW - HOUR - 1), Err(SvidError::NotYetValid(at(NOW - HOUR))));
    assert_eq!(check(NOW - HOUR), Ok(()));
    assert_eq!(check(NOW + HOUR), Ok(()));
    assert_eq!(check(NOW + HOUR + 1), Err(SvidError::Expired(at(NOW + HOUR))));
}

#[test]
fn a_root_counts_within_its_time_only_and_a_renewed_one_takes_over() {
    let mut expired = authority_params("root");
    expired.not_after = time(NOW - 1);
    let mut world = World::with(&expired, &authority_params("intermediate"));
    assert_eq!(world.check(&leaf_params()), Err(SvidError::RootExpired(at(NOW - 1))));
    let renewed = world.root.renewed(&authority_params("root"));
    let mut bundle = world.bundles.own().clone();
    assert!(bundle.add_root(countersign_identity::bundle::Root::read(renewed).unwrap()));
    world.bundles = Bundles::new(bundle);
    assert_eq!(world.check(&leaf_params()).as_deref(), Ok(ID));

    let mut early = authority_params("root");
    early.not_before = time(NOW + 1);
    let world = World::with(&early, &authority_params("intermediate"));
    assert_eq!(
        world.check(&leaf_params()),
        Err(SvidError::RootNotYetValid(at(NOW + 1)))
    );
}

#[test]
fn a_foreign_trust_domain_is_refused_until_it_is_federated_with_and_its_roots_prove_only_its_own() {
    let mut world = World::new();
    let foreign_root = Authority::root(&authority_params("root"));
    let mut foreign = leaf_params();
    foreign.subject_alt_names = vec![uri("spiffe://example.org/a")];
    let theirs = [foreign_root.leaf(&foreign)];
    assert_eq!(
        world.check_chain(&theirs),
        Err(SvidError::ForeignTrustDomain(domain("example.org")))
    );
    world.bundles.federate(bundle("example.org", &[&foreign_root])).unwrap();
    assert_eq!(world.check_chain(&theirs).as_deref(), Ok("spiffe://example.org/a"));
    // Each of the two makes an identity of the other.
    let posing = [foreign_root.leaf(&leaf_params())];
    assert_eq!(world.check_chain(&posing), Err(SvidError::Signature));
    let posing = [world.root.leaf(&foreign)];
    assert_eq!(world.check_chain(&posing), Err(SvidError::Signature));
    let stranger = Authority::root(&authority_params("stranger"));
    assert_eq!(
        world.check_chain(&[stranger.leaf(&leaf_params()), stranger.certificate.clone()]),
        Err(SvidError::UnknownIssuer)
    );
}

#[test]
fn what_was_withdrawn_is_refused() {
    let mut params = authority_params("intermediate");
    params.serial_number = Some(SerialNumber::from_slice(&[0x81, 2, 3]));
    let world = World::with(&authority_params("root"), &params);
    let leaf = world.intermediate.leaf(&leaf_params());
    let chain = [leaf.clone(), world.intermediate.certificate.clone()];
    for certificate in [&leaf, &world.intermediate.certificate, &world.root.certificate] {
        let fingerprint = Fingerprint::of(certificate);
        let mut withdrawn = Withdrawn::default();
        withdrawn.add_fingerprint(fingerprint);
        assert_eq!(
            verify(&chain, &world.bundles, &withdrawn, now()),
            Err(SvidError::Withdrawn(fingerprint))
        );
    }
    let mut withdrawn = Withdrawn::default();
    withdrawn.add_serial(&[0x81, 2, 3]);
    assert_eq!(
        verify(&chain, &world.bundles, &withdrawn, now()),
        Err(SvidError::Withdrawn(Fingerprint::of(&world.intermediate.certificate)))
    );
    // Another intermediate of the same root is still good.
    let other = world.root.intermediate(&authority_params("other"));
    let chain = [other.leaf(&leaf_params()), other.certificate.clone()];
    assert!(verify(&chain, &world.bundles, &withdrawn, now()).is_ok());
    // The root is taken out of the bundle.
    let mut bundle = world.bundles.own().clone();
    assert!(bundle.remove_root(Fingerprint::of(&world.root.certificate)));
    assert_eq!(
        verify(&chain, &Bundles::new(bundle), &Withdrawn::default(), now()),
        Err(SvidError::NoRoot(domain(DOMAIN)))
    );
}

#[test]
fn a_path_around_a_withdrawn_intermediate_is_found() {
    let world = World::new();
    // The same intermediate's key, certified by a second root.
    let second_root = Authority::root(&authority_params("second root"));
    let mut own = bundle(DOMAIN, &[&world.root, &second_root]);
    own.sequence = Some(2);
    let crossed = second_root.certify(&world.intermediate, &authority_params("intermediate"));
    let chain = [
        world.intermediate.leaf(&leaf_params()),
        world.intermediate.certificate.clone(),
        crossed.clone(),
    ];
    let mut withdrawn = Withdrawn::default();
    withdrawn.add_fingerprint(Fingerprint::of(&world.intermediate.certificate));
    let bundles = Bundles::new(own);
    assert!(verify(&chain, &bundles, &withdrawn, now()).is_ok());
    withdrawn.add_fingerprint(Fingerprint::of(&crossed));
    assert!(matches!(
        verify(&chain, &bundles, &withdrawn, now()),
        Err(SvidError::Withdrawn(_))
    ));
}

#[test]
fn what_is_missing_damaged_or_followed_by_more_is_refused() {
    let world = World::new();
    assert_eq!(world.check_chain(&[]), Err(SvidError::Empty));
    let leaf = world.intermediate.leaf(&leaf_params());
    assert_eq!(
        world.check_chain(std::slice::from_ref(&leaf)),
        Err(SvidError::UnknownIssuer)
    );
    let bytes = leaf.to_vec();
    let intermediate = world.intermediate.certificate.clone();
    for length in 0..bytes.len() {
        let cut = CertificateDer::from(bytes[..length].to_vec());
        assert_eq!(
            world.check_chain(&[cut, intermediate.clone()]),
            Err(SvidError::Leaf(LeafRule::Form)),
            "{length}"
        );
    }
    let longer = CertificateDer::from([bytes.as_slice(), &[0]].concat());
    assert_eq!(
        world.check_chain(&[longer, intermediate.clone()]),
        Err(SvidError::Leaf(LeafRule::Form))
    );
    // Whatever byte is changed, it does not become somebody else's, and is not accepted.
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let result = world.check_chain(&[CertificateDer::from(changed), intermediate.clone()]);
        assert!(result.is_err(), "byte {at}: {result:?}");
    }
    let mut damaged = intermediate.to_vec();
    damaged.truncate(100);
    assert!(world.check_chain(&[leaf, CertificateDer::from(damaged)]).is_err());
}

#[test]
fn every_kind_of_key_that_a_bundle_takes_can_sign() {
    for algorithm in [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ECDSA_P521_SHA512,
        &rcgen::PKCS_ED25519,
        &rcgen::PKCS_RSA_SHA256,
    ] {
        let root = Authority::root_with(&authority_params("root"), algorithm);
        let bundles = Bundles::new(bundle(DOMAIN, &[&root]));
        let chain = [root.leaf(&leaf_params())];
        let result = verify(&chain, &bundles, &Withdrawn::default(), now());
        assert!(result.is_ok(), "{algorithm:?}: {result:?}");
    }
}
