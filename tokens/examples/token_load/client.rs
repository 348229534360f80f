//! A client that costs little, so that the server is what is measured: HTTP/1.1 over TLS, on connections that stay.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use countersign_runtime::clock;
use futures::future::try_join_all;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::orders::Ready;

/// Where the load goes.
pub struct Load {
    port: u16,
    tls: TlsConnector,
}

/// What was sent, and answered rightly.
pub struct Sent {
    /// How long each took, in microseconds, the shortest first.
    pub times: Vec<u64>,
    /// How long all took together.
    pub took: Duration,
}

impl Load {
    pub fn to(ready: &Ready) -> Result<Self> {
        let (_, port) = ready.issuer.rsplit_once(':').context("an issuer without a port")?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ready.ca.as_bytes())?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            port: port.parse()?,
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    pub async fn connect(&self, number: usize) -> Result<Vec<Connection>> {
        let mut all = Vec::new();
        for _ in 0..number {
            let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
            stream.set_nodelay(true)?;
            let stream = self.tls.connect(ServerName::try_from("localhost")?, stream).await?;
            all.push(Connection {
                stream,
                read: Vec::with_capacity(8192),
            });
        }
        Ok(all)
    }

    /// Sends requests, one at a time on each connection. Each must be answered with `holds`.
    pub async fn send(&self, connections: &mut [Connection], requests: &[Vec<u8>], holds: &str) -> Result<Sent> {
        let next = AtomicUsize::new(0);
        let begin = clock::instant();
        let each = connections.iter_mut().map(|connection| {
            let next = &next;
            async move {
                let mut times = Vec::new();
                while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sent = clock::instant();
                    let body = connection.ask(request).await?;
                    times.push(u64::try_from(sent.elapsed().as_micros())?);
                    let body = std::str::from_utf8(body)?;
                    ensure!(body.contains(holds), "a wrong answer: {body}");
                }
                anyhow::Ok(times)
            }
        });
        let mut times = try_join_all(each).await?.concat();
        let took = begin.elapsed();
        times.sort_unstable();
        Ok(Sent { times, took })
    }
}

/// A connection that stays.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    read: Vec<u8>,
}

impl Connection {
    /// Sends a request, and gives the body of its answer.
    async fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        self.read.clear();
        loop {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                bail!("the server closed the connection");
            }
            if let Some((head, length)) = head(&self.read)?
                && self.read.len() >= head + length
            {
                ensure!(
                    self.read.starts_with(b"HTTP/1.1 200 "),
                    "refused: {}",
                    String::from_utf8_lossy(&self.read)
                );
                return Ok(&self.read[head..head + length]);
            }
        }
    }

    /// The access token that a request gets.
    pub async fn token(&mut self, request: &[u8]) -> Result<String> {
        let told: Value = serde_json::from_slice(self.ask(request).await?)?;
        let token = told["access_token"].as_str();
        Ok(token.context("no token")?.to_owned())
    }
}

/// How long the head of an answer is, and the body after it, once the head is there.
fn head(read: &[u8]) -> Result<Option<(usize, usize)>> {
    const END: &[u8] = b"\r\n\r\n";
    let Some(end) = read.windows(END.len()).position(|part| part == END) else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&read[..end])?;
    let mut fields = text.lines().filter_map(|line| line.split_once(": "));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let (_, length) = length.context("no content-length")?;
    Ok(Some((end + END.len(), length.parse()?)))
}
