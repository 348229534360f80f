//! A small HTTPS server with a certificate of its own, for what the operator fetches.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::Result;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What is answered at a path.
#[derive(Debug, Clone)]
pub struct Page {
    /// The path.
    pub path: String,
    /// The status line's code and reason, such as `200 OK`.
    pub status: String,
    /// A header line without its end; empty for none.
    pub header: String,
    /// The body.
    pub body: String,
}

impl Page {
    /// A page that is there.
    pub fn found(path: &str, body: &str) -> Self {
        Self {
            path: path.to_owned(),
            status: "200 OK".to_owned(),
            header: String::new(),
            body: body.to_owned(),
        }
    }
}

/// Serves until it is dropped.
pub struct HttpsServer {
    /// The certificate that it is to be trusted by, in PEM.
    pub authority: String,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl HttpsServer {
    /// Serves `pages` at an address of this host, at a free port. Other paths are not found.
    pub async fn serve(ip: IpAddr, pages: Vec<Page>) -> Result<Self> {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec![ip.to_string()])?;
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((ip, 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // One after the other will do, and a client that leaves is its own affair.
                let _ = answer(&acceptor, stream, &pages).await;
            }
        });
        Ok(Self {
            authority: cert.pem(),
            address,
            task,
        })
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }
}

impl Drop for HttpsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(acceptor: &TlsAcceptor, stream: TcpStream, pages: &[Page]) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut request = vec![0; 4096];
    let length = stream.read(&mut request).await?;
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    let asked = request.split(' ').nth(1).unwrap_or_default();
    let page = pages.iter().find(|page| page.path == asked);
    let (status, header, body) = page.map_or(("404 Not Found", "", ""), |page| {
        (page.status.as_str(), page.header.as_str(), page.body.as_str())
    });
    let header = if header.is_empty() {
        String::new()
    } else {
        format!("{header}\r\n")
    };
    let head = format!(
        "HTTP/1.1 {status}\r\n{header}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}
