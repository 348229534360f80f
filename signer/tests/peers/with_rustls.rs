//! rustls, with client verification.

use countersign_signer::issue::Path;
use rstest::rstest;
use rustls::{CertificateError, Error};

use crate::issued::{KEY_TYPES, NAME, Profile, Signer};
use crate::tls::handshake;

#[test]
fn both_ends_verify_each_other_with_every_kind_of_key() {
    let signer = Signer::new();
    for server_key in KEY_TYPES {
        let server = signer.issue("api", Path::PodCertificate, server_key, Profile::Names);
        for client_profile in [Profile::Both, Profile::Client, Profile::NoUsage] {
            let client = signer.issue("web", Path::PodCertificate, server_key, client_profile);
            let seen = handshake(
                client.party(&signer.roots(), signer.now).calls().unwrap(),
                server.party(&signer.roots(), signer.now).serves().unwrap(),
                NAME,
            )
            .unwrap();
            assert_eq!(seen, client.chain);
        }
    }
}

#[rstest]
#[case::its_own("api.shop.svc", true)]
#[case::its_short_one("api", true)]
#[case::anothers("api.bank.svc", false)]
#[case::its_own_below("x.api.shop.svc", false)]
fn a_server_is_known_by_its_names_only(#[case] name: &str, #[case] known: bool) {
    let signer = Signer::new();
    let (server, client) = (signer.svid("api"), signer.svid("web"));
    let result = handshake(
        client.party(&signer.roots(), signer.now).calls().unwrap(),
        server.party(&signer.roots(), signer.now).serves().unwrap(),
        name,
    );
    match result {
        Ok(_) => assert!(known),
        Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. })) => assert!(!known),
        Err(error) => panic!("{error}"),
    }
}

#[rstest]
#[case::a_client_does_not_serve(Profile::Client, Profile::Both)]
#[case::a_server_does_not_call(Profile::Names, Profile::Server)]
fn a_certificate_is_for_its_usages_only(#[case] server: Profile, #[case] client: Profile) {
    let signer = Signer::new();
    let issue = |profile| {
        signer.issue(
            "api",
            Path::PodCertificate,
            countersign_signer::key::KeyType::EcdsaP256,
            profile,
        )
    };
    let (server, client) = (issue(server), issue(client));
    let result = handshake(
        client.party(&signer.roots(), signer.now).calls().unwrap(),
        server.party(&signer.roots(), signer.now).serves().unwrap(),
        NAME,
    );
    let error = result.unwrap_err();
    assert!(
        matches!(
            error,
            Error::InvalidCertificate(CertificateError::InvalidPurposeContext { .. })
        ),
        "{error:?}"
    );
}
