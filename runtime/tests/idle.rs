//! How long a connection by HTTP/1.1 may lie idle before it is closed.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests may fail loudly")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use countersign_runtime::https::{Limits, Server};
use countersign_runtime::tls::Current;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Asks twice on one connection, with a second between; tells how often there was an answer.
async fn answers(head: Duration) -> usize {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let key = default_provider().key_provider.load_private_key(key).unwrap();
    let current = Current::default();
    current.set(Arc::new(rustls::sign::CertifiedKey::new(vec![cert.der().clone()], key)));
    let limits = Limits {
        connections: 4,
        streams: 4,
        head,
        age: None,
    };
    let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &current, limits)
        .await
        .unwrap();
    let address = server.address().unwrap();
    tokio::spawn(server.run(Router::new().fallback(|| async { "here" }), CancellationToken::new()));

    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(client));
    let mut stream = connector
        .connect("localhost".try_into().unwrap(), stream)
        .await
        .unwrap();
    let mut answered = 0;
    for pause in [Duration::ZERO, Duration::from_secs(3)] {
        sleep(pause).await;
        if stream.write_all(REQUEST).await.is_err() {
            break;
        }
        let mut answer = [0; 1024];
        match stream.read(&mut answer).await {
            Ok(1..) => answered += 1,
            _ => break,
        }
    }
    answered
}

#[tokio::test]
async fn a_connection_may_lie_idle_for_as_long_as_a_head_may_take() {
    assert_eq!(answers(Duration::from_secs(20)).await, 2);
    assert_eq!(answers(Duration::from_millis(1500)).await, 1);
}
