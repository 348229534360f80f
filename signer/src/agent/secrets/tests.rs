use std::sync::Arc;

use countersign_identity::Bundles;
use countersign_identity::bundle::Root;
use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rstest::rstest;
use zeroize::Zeroizing;

use super::*;

const ID: &str = "spiffe://cluster.local/ns/shop/sa/web";

fn bundle(trust_domain: &str) -> Bundle {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let mut bundle = Bundle::new(trust_domain.parse().unwrap());
    bundle.add_root(Root::read(root.der().clone()).unwrap());
    bundle
}

fn view() -> View {
    let mut bundles = Bundles::new(bundle("cluster.local"));
    bundles.federate(bundle("partner.example")).unwrap();
    View {
        svid: Some(Arc::new(Svid {
            spiffe_id: ID.to_owned(),
            chain: vec![vec![1, 2, 3].into()],
            key_der: Zeroizing::new(vec![4]),
            key_pem: Zeroizing::new("the key".to_owned()),
            refresh_at: Timestamp::UNIX_EPOCH,
            not_after: Timestamp::UNIX_EPOCH,
        })),
        bundles: Arc::new(bundles),
    }
}

fn asked(names: &[&str], view: &View) -> Result<Vec<Secret>, Refusal> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let resources = secrets(&names, view)?;
    let read = |any: &Any| {
        assert_eq!(
            any.type_url,
            "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
        );
        Secret::decode(any.value.as_slice()).unwrap()
    };
    Ok(resources.iter().map(read).collect())
}

/// The trust domains that a secret trusts, each with its roots.
fn trusted(secret: &Secret) -> Vec<(String, Vec<u8>)> {
    let Some(Type::ValidationContext(context)) = &secret.r#type else {
        panic!("{secret:?}");
    };
    assert!(
        context.trusted_ca.is_none(),
        "roots of one trust domain must not be those of another"
    );
    let validator = context.custom_validator_config.as_ref().unwrap();
    assert_eq!(validator.name, "envoy.tls.cert_validator.spiffe");
    let config = validator.typed_config.as_ref().unwrap();
    assert_eq!(
        config.type_url,
        "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig"
    );
    let config = SpiffeCertValidatorConfig::decode(config.value.as_slice()).unwrap();
    let each = config.trust_domains.into_iter();
    each.map(|each| {
        let Some(Specifier::InlineBytes(pem)) = each.trust_bundle.unwrap().specifier else {
            panic!("not inline");
        };
        (each.name, pem)
    })
    .collect()
}

#[rstest]
#[case::by_default("default")]
#[case::by_its_id(ID)]
fn the_own_svid_has_two_names(#[case] name: &str) {
    let secret = asked(&[name], &view()).unwrap().remove(0);
    assert_eq!(secret.name, name);
    let Some(Type::TlsCertificate(certificate)) = secret.r#type else {
        panic!("{secret:?}");
    };
    assert_eq!(certificate.private_key, Some(inline(b"the key".to_vec())));
    let chain = pem::certificates(&[vec![1, 2, 3].into()]);
    assert_eq!(certificate.certificate_chain, Some(inline(chain.into_bytes())));
}

#[rstest]
#[case::own("ROOTCA", &["cluster.local"])]
#[case::own_by_id("spiffe://cluster.local", &["cluster.local"])]
#[case::foreign("spiffe://partner.example", &["partner.example"])]
#[case::all("ALL", &["cluster.local", "partner.example"])]
fn each_trust_domain_is_trusted_with_its_own_roots(#[case] name: &str, #[case] expected: &[&str]) {
    let view = view();
    let secret = asked(&[name], &view).unwrap().remove(0);
    let expected: Vec<_> = expected
        .iter()
        .map(|name| {
            let bundle = view.bundles.of(&name.parse().unwrap()).unwrap();
            ((*name).to_owned(), bundle.to_pem().into_bytes())
        })
        .collect();
    assert_eq!(trusted(&secret), expected);
}

#[test]
fn without_names_all_are_meant() {
    let names: Vec<_> = asked(&[], &view())
        .unwrap()
        .into_iter()
        .map(|secret| secret.name)
        .collect();
    assert_eq!(names, [ID, "spiffe://cluster.local", "spiffe://partner.example"]);
}

#[rstest]
#[case::anothers("spiffe://cluster.local/ns/shop/sa/admin")]
#[case::unknown_trust_domain("spiffe://elsewhere.example")]
#[case::anything("x")]
fn nobody_gets_anothers(#[case] name: &str) {
    let refusal = asked(&["default", name], &view()).unwrap_err();
    assert_eq!(refusal.reason, Reason::NotEntitled);
    assert!(refusal.message.contains(name));
}

#[rstest]
#[case(&[], true)]
#[case(&["default"], true)]
#[case(&["ROOTCA", ID], true)]
#[case(&["ROOTCA", "ALL", "spiffe://cluster.local"], false)]
fn who_asks_for_bundles_only_needs_no_identity(#[case] names: &[&str], #[case] expected: bool) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(want_svid(&names), expected);
}
