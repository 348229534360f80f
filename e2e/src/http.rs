//! HTTP/1.1 by hand: a request is sent byte for byte as a test writes it, which no ordinary client would do.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(10);

/// Pairs as the body of a form (RFC 6749 appendix B).
pub fn form(pairs: &[(&str, &str)]) -> String {
    let encode = |text: &str| -> String {
        let each = text.bytes().map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        });
        each.collect()
    };
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    pairs.join("&")
}

/// A request. Nothing in it is checked, escaped or merged.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    target: Vec<u8>,
    host: Option<String>,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    keep_alive: bool,
}

impl Request {
    /// A request for exactly the bytes of `target`.
    pub fn new(method: &str, target: impl AsRef<[u8]>) -> Self {
        Self {
            method: method.to_owned(),
            target: target.as_ref().to_vec(),
            host: Some("test".to_owned()),
            headers: Vec::new(),
            body: Vec::new(),
            keep_alive: false,
        }
    }

    /// A `GET`.
    pub fn get(target: impl AsRef<[u8]>) -> Self {
        Self::new("GET", target)
    }

    /// Sets the `Host` header.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// Leaves the `Host` header out.
    #[must_use]
    pub fn without_host(mut self) -> Self {
        self.host = None;
        self
    }

    /// Adds a header; one of the same name stays.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Leaves the connection open for a further one.
    #[must_use]
    pub fn keep_alive(mut self) -> Self {
        self.keep_alive = true;
        self
    }

    /// Adds `Authorization: Bearer TOKEN`.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    /// Sets the body, and `Content-Length` with it.
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Sends it in the clear.
    pub async fn send_plain(&self, address: SocketAddr) -> Answer {
        let answer = async { self.exchange(TcpStream::connect(address).await?).await };
        Answer::within_limit(answer).await
    }

    /// Sends it over TLS to the server of this name.
    pub async fn send_tls(&self, address: SocketAddr, name: &str, config: rustls::ClientConfig) -> Answer {
        let answer = async {
            let name = ServerName::try_from(name.to_owned())?;
            let stream = TcpStream::connect(address).await?;
            let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
            self.exchange(connector.connect(name, stream).await?).await
        };
        Answer::within_limit(answer).await
    }

    /// Sends it over `stream` and reads the answer to its end.
    pub(crate) async fn exchange(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<Response> {
        stream.write_all(&self.bytes()).await?;
        stream.flush().await?;
        let mut bytes = Vec::new();
        let mut chunk = vec![0; 16 * 1024];
        // A proxy that refuses keeps the connection for another second.
        while !Response::is_complete(&bytes) {
            // TLS peers often end without saying so; what came before counts.
            match stream.read(&mut chunk).await {
                Ok(0) => break,
                Ok(length) => bytes.extend_from_slice(&chunk[..length]),
                Err(_) if !bytes.is_empty() => break,
                Err(error) => return Err(error.into()),
            }
        }
        Response::parse(&bytes).context("the connection ended without an answer")
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = [self.method.as_bytes(), b" ", &self.target, b" HTTP/1.1\r\n"].concat();
        let mut line = |name: &str, value: &[u8]| bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        if let Some(host) = &self.host {
            line("Host", host.as_bytes());
        }
        for (name, value) in &self.headers {
            line(name, value);
        }
        if !self.body.is_empty() {
            line("Content-Length", self.body.len().to_string().as_bytes());
        }
        if !self.keep_alive {
            line("Connection", b"close");
        }
        bytes.extend(b"\r\n");
        bytes.extend(&self.body);
        bytes
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub enum Answer {
    /// An HTTP response.
    Response(Response),
    /// No response: refused, reset, or a handshake that failed; with the reason.
    Reset(String),
}

impl Answer {
    pub(crate) async fn within_limit(answer: impl Future<Output = Result<Response>>) -> Self {
        match tokio::time::timeout(LIMIT, answer).await {
            Ok(Ok(response)) => Self::Response(response),
            Ok(Err(error)) => Self::Reset(format!("{error:#}")),
            Err(_) => Self::Reset(format!("no answer within {} s", LIMIT.as_secs())),
        }
    }

    /// The status code, or nothing for a reset.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Response(response) => Some(response.status),
            Self::Reset(_) => None,
        }
    }

    /// Whether there was no response.
    pub fn is_reset(&self) -> bool {
        matches!(self, Self::Reset(_))
    }

    /// The body; empty for a reset.
    pub fn body(&self) -> &str {
        match self {
            Self::Response(response) => &response.body,
            Self::Reset(_) => "",
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Response(response) => write!(out, "{}", response.status),
            Self::Reset(_) => out.write_str("reset"),
        }
    }
}

/// An HTTP response.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers, in order, with lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body, chunks joined.
    pub body: String,
}

impl Response {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let name = name.to_ascii_lowercase();
        self.headers
            .iter()
            .find(|(one, _)| *one == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether the answer says of itself that it ends here.
    fn is_complete(bytes: &[u8]) -> bool {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return false;
        };
        let Some(response) = Self::parse(&bytes[..end + 4]) else {
            return false;
        };
        let body = &bytes[end + 4..];
        match response.header("content-length") {
            Some(length) => length.parse().is_ok_and(|length: usize| body.len() >= length),
            None => response.header("transfer-encoding") == Some("chunked") && body.ends_with(b"\r\n0\r\n\r\n"),
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, rest) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let chunked = headers
            .iter()
            .any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        let body = if chunked { join_chunks(rest) } else { rest.to_owned() };
        Some(Self { status, headers, body })
    }
}

fn join_chunks(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else {
            break;
        };
        let Some(chunk) = after.get(..size) else { break };
        body.push_str(chunk);
        rest = after.get(size + 2..).unwrap_or_default();
    }
    body
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "test code: a panic is how a test fails")]

    use super::*;

    #[test]
    fn a_request_is_sent_as_written() {
        let request = Request::new("POST", b"/a%2Fb/../c;x=\xff")
            .header("X", "1")
            .header("X", "2")
            .body("hi");
        let expected = b"POST /a%2Fb/../c;x=\xff HTTP/1.1\r\nHost: test\r\nX: 1\r\nX: 2\r\nContent-Length: 2\r\n\
                         Connection: close\r\n\r\nhi";
        assert_eq!(request.bytes(), expected);
    }

    #[test]
    fn chunks_are_joined() {
        let bytes =
            b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nRBAC\r\n8\r\n: denied\r\n0\r\n\r\n";
        let response = Response::parse(bytes).unwrap();
        assert_eq!((response.status, response.body.as_str()), (403, "RBAC: denied"));
    }

    #[test]
    fn an_answer_ends_where_it_says() {
        let complete = |bytes: &str| Response::is_complete(bytes.as_bytes());
        assert!(complete("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
        assert!(complete("HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n"));
        assert!(complete(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
        ));
        assert!(!complete("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh"));
        assert!(!complete(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"
        ));
        assert!(!complete("HTTP/1.1 200 OK\r\n\r\nuntil the end"));
        assert!(!complete("HTTP/1.1 200 OK\r\nContent-Le"));
    }

    #[test]
    fn no_status_line_is_no_response() {
        assert!(Response::parse(b"").is_none());
    }
}
