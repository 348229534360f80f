use countersign_identity::jwt_svid::{self, JwtSigner, JwtSvidError};
use countersign_identity::svid::{self, SvidError, Withdrawn};
use jiff::{SignedDuration, Timestamp};
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, SanType};
use rustls::pki_types::CertificateDer;

use super::*;

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

/// What signs for a trust domain, and could for any other.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    tokens: JwtSigner,
    bundle: Bundle,
}

fn authority(domain: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(rcgen::DnType::CommonName, domain);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let tokens = JwtSigner::from_pkcs8(domain, key.serialized_der()).unwrap();
    let mut bundle = Bundle::new(domain.parse().unwrap());
    bundle.add_pem(issuer.pem().as_bytes()).unwrap();
    bundle.add_jwt_key(tokens.verification_key().unwrap());
    Authority { issuer, tokens, bundle }
}

fn certificate(signer: &Authority, id: &str) -> Vec<CertificateDer<'static>> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.is_ca = rcgen::IsCa::ExplicitNoCa;
    params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(id.to_owned()).unwrap())];
    let leaf = params.signed_by(&KeyPair::generate().unwrap(), &signer.issuer).unwrap();
    vec![leaf.der().clone()]
}

fn token(signer: &Authority, id: &str) -> String {
    let random = aws_lc_rs::rand::SystemRandom::new();
    let lifetime = SignedDuration::from_mins(5);
    let id = id.parse().unwrap();
    signer.tokens.sign(&id, &["a"], lifetime, now(), "t", &random).unwrap()
}

#[test]
fn a_foreign_bundle_verifies_its_own_trust_domain_and_no_other() {
    let (own, foreign, third) = (authority("own.example"), authority("a.example"), authority("b.example"));
    let fetched = [&foreign, &third].map(|of| (of.bundle.trust_domain().clone(), of.bundle.clone()));
    let bundles = combined(own.bundle.clone(), &BTreeMap::from(fetched));
    let check = |signer: &Authority, id: &str| {
        svid::verify(&certificate(signer, id), &bundles, &Withdrawn::default(), now()).map(|svid| svid.id().to_string())
    };
    for (signer, id) in [
        (&own, "spiffe://own.example/x"),
        (&foreign, "spiffe://a.example/x"),
        (&third, "spiffe://b.example/x"),
    ] {
        assert_eq!(check(signer, id).unwrap(), id);
        assert!(jwt_svid::verify(&token(signer, id), "a", &bundles, now()).is_ok());
    }
    for (signer, id) in [
        (&foreign, "spiffe://own.example/x"),
        (&foreign, "spiffe://b.example/x"),
        (&own, "spiffe://a.example/x"),
    ] {
        assert!(check(signer, id).is_err(), "{id}");
        let token = jwt_svid::verify(&token(signer, id), "a", &bundles, now());
        assert_eq!(token, Err(JwtSvidError::NoKey), "{id}");
    }
    let unknown = check(&foreign, "spiffe://c.example/x");
    assert!(matches!(unknown, Err(SvidError::ForeignTrustDomain(_))), "{unknown:?}");
}

#[test]
fn nobody_else_speaks_for_the_own_trust_domain() {
    let (own, impostor) = (authority("own.example"), authority("own.example"));
    let fetched = BTreeMap::from([(impostor.bundle.trust_domain().clone(), impostor.bundle)]);
    let bundles = combined(own.bundle.clone(), &fetched);
    assert_eq!(bundles.own(), &own.bundle);
    assert_eq!(bundles.federated().count(), 0);
}
