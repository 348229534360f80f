//! A small HTTPS server with a certificate of its own.

use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Serves until it is dropped.
pub struct Server {
    /// The certificate that it is to be trusted by, in PEM.
    pub authority: String,
    port: u16,
    task: JoinHandle<()>,
}

impl Server {
    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves `body` at `path`; beside it an answer that is too large, and a redirect away from https.
pub async fn serve(path: &'static str, body: String) -> Server {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // One after the other will do, and a client that leaves is its own affair.
            let _ = answer(&acceptor, stream, path, &body).await;
        }
    });
    Server {
        authority: cert.pem(),
        port,
        task,
    }
}

async fn answer(acceptor: &TlsAcceptor, stream: TcpStream, path: &str, body: &str) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut request = vec![0; 4096];
    let length = stream.read(&mut request).await?;
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    let asked = request.split(' ').nth(1).unwrap_or_default();
    let large = "x".repeat(70_000);
    let (status, header, body) = match asked {
        asked if asked == path => ("200 OK", "", body),
        "/large" => ("200 OK", "", large.as_str()),
        "/to-plain-http" => ("302 Found", "location: http://127.0.0.1:1/jwks\r\n", ""),
        _ => ("404 Not Found", "", ""),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\n{header}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}
