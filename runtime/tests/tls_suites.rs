//! What is negotiated with clients that offer little.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests may fail loudly")]

use std::sync::Arc;

use countersign_runtime::tls::{Current, ask, server_config};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rstest::rstest;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{CipherSuite, ClientConfig, ClientConnection, Error, RootCertStore, ServerConfig, ServerConnection};

/// Shakes hands with a client that offers one suite, and gives what was agreed on.
fn agreed(
    server: ServerConfig,
    offered: CipherSuite,
    root: &rustls::pki_types::CertificateDer<'static>,
) -> Result<CipherSuite, Error> {
    let mut provider = default_provider();
    provider.cipher_suites.retain(|suite| suite.suite() == offered);
    let mut roots = RootCertStore::empty();
    roots.add(root.clone())?;
    let client = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut client = ClientConnection::new(Arc::new(client), "localhost".try_into().unwrap())?;
    let mut server = ServerConnection::new(Arc::new(server))?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut sent = Vec::new();
        client.write_tls(&mut sent).unwrap();
        server.read_tls(&mut sent.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut answered = Vec::new();
        server.write_tls(&mut answered).unwrap();
        client.read_tls(&mut answered.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    Ok(client.negotiated_cipher_suite().unwrap().suite())
}

/// FAPI 2.0 Security Profile section 5.2.1: of TLS 1.2, what BCP 195 names (RFC 9325 section 4.2) and nothing else.
#[rstest]
#[case(CipherSuite::TLS13_AES_128_GCM_SHA256, true)]
#[case(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, true)]
#[case(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, true)]
#[case(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, true)]
#[case(CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, false)]
fn of_tls_1_2_only_recommended_suites_are_taken(#[case] offered: CipherSuite, #[case] taken: bool) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let key = default_provider().key_provider.load_private_key(key).unwrap();
    let current = Current::default();
    current.set(Arc::new(rustls::sign::CertifiedKey::new(vec![cert.der().clone()], key)));
    for config in [server_config(&current).unwrap(), ask::server_config(&current).unwrap()] {
        let agreed = agreed(config, offered, cert.der());
        assert_eq!(agreed.ok(), taken.then_some(offered));
    }
}
