//! The connection to the signer: TLS that trusts the roots in a file, and the token in another. Both are read again, the one
//! for each connection, the other for each call.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::metadata::errors::InvalidMetadataValue;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Request, Status, Streaming};
use tower_service::Service;
use zeroize::Zeroizing;

use super::pods::LocalPod;
use super::signer::{Answer, Certificate, Failure, Signer};
use super::tokens::Token;
use crate::key::KeyType;
use crate::node::proto::issue_x509_svid_response::Outcome;
use crate::node::proto::node_agent_client::NodeAgentClient;
use crate::node::proto::{Bundles, IssueJwtSvidRequest, IssueX509SvidRequest, WatchBundlesRequest, Workload, X509Svid};

/// How long a connection may take to come about.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long a call may take.
const CALL_LIMIT: Duration = Duration::from_secs(20);
/// How often it is tried whether a silent connection is still one, and how long that may take.
const PROBE: Duration = Duration::from_secs(20);
const PROBE_LIMIT: Duration = Duration::from_secs(5);

/// Why there is no connection to the signer.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The address is none.
    #[error("--signer: {0:?} is not <host>:<port>")]
    Address(String),
    /// The host is none.
    #[error("--signer: the host is no name that a certificate can have: {0}")]
    Name(#[from] InvalidDnsNameError),
    /// The address does not fit into a URI.
    #[error("--signer: {0}")]
    Uri(#[from] tonic::transport::Error),
    /// The file with roots is not there.
    #[error("the roots of the signer cannot be read from {0}: {1}")]
    Roots(PathBuf, std::io::Error),
    /// The file with roots is none.
    #[error("{0} has no certificate that can be a root: it must be the bundle of the trust domain in PEM")]
    NoRoots(PathBuf),
    /// TLS cannot be configured.
    #[error("TLS cannot be configured: {0}")]
    Tls(#[from] rustls::Error),
    /// There is nobody, or it is not the signer.
    #[error("the signer cannot be reached: {0}")]
    Connect(#[from] std::io::Error),
    /// It took too long.
    #[error("the signer cannot be reached: no connection in {CONNECT_LIMIT:?}")]
    Slow,
}

/// Where the signer is, and how it is known.
#[derive(Clone, Debug)]
pub struct Place {
    /// Host and port.
    pub address: String,
    /// The name in its certificate.
    pub name: ServerName<'static>,
    /// The file with its roots, in PEM.
    pub roots: PathBuf,
    /// The file with the agent's token.
    pub token: PathBuf,
}

impl Place {
    /// The signer at `<host>:<port>`, with the host in its certificate.
    ///
    /// # Errors
    ///
    /// If the address is none.
    pub fn new(address: &str, roots: PathBuf, token: PathBuf) -> Result<Self, LinkError> {
        let wrong = || LinkError::Address(address.to_owned());
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        port.parse::<u16>().map_err(|_| wrong())?;
        Ok(Self {
            name: ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?,
            address: address.to_owned(),
            roots,
            token,
        })
    }
}

/// The signer over the network. Clones are of one connection, which comes about when it is needed.
#[derive(Clone, Debug)]
pub struct Link {
    client: NodeAgentClient<Channel>,
    token: PathBuf,
}

impl Link {
    /// Connects when there is something to ask.
    ///
    /// # Errors
    ///
    /// If the address cannot be that of a server.
    pub fn new(place: Place) -> Result<Self, LinkError> {
        // TLS is the connector's. The scheme says only that the channel is not to make it.
        let endpoint = Endpoint::try_from(format!("http://{}", place.address))?
            .http2_keep_alive_interval(PROBE)
            .keep_alive_timeout(PROBE_LIMIT)
            .keep_alive_while_idle(true);
        let token = place.token.clone();
        let channel = endpoint.connect_with_connector_lazy(Connector(place));
        Ok(Self {
            client: NodeAgentClient::new(channel),
            token,
        })
    }

    /// All bundles, and again at each change, until the signer ends the stream.
    ///
    /// # Errors
    ///
    /// If it does not begin one.
    pub async fn bundles(&self) -> Result<Streaming<Bundles>, Status> {
        let request = self.request(WatchBundlesRequest {}).await?;
        let mut client = self.client.clone();
        in_time(client.watch_bundles(request)).await
    }

    async fn request<M>(&self, message: M) -> Result<Request<M>, Status> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.bearer().await?);
        Ok(request)
    }

    async fn bearer(&self) -> Result<MetadataValue<Ascii>, Status> {
        let unread = |why: &dyn std::fmt::Display| {
            Status::unavailable(format!(
                "the agent's token cannot be read from {}: {why}",
                self.token.display()
            ))
        };
        let read = tokio::fs::read_to_string(&self.token).await;
        let token = Zeroizing::new(read.map_err(|error| unread(&error))?);
        let bearer = Zeroizing::new(format!("Bearer {}", token.trim()));
        let mut value =
            MetadataValue::try_from(bearer.as_str()).map_err(|error: InvalidMetadataValue| unread(&error))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl Signer for Link {
    async fn certify(&self, pod: &LocalPod, request: Vec<u8>) -> Result<Answer, Failure> {
        let message = IssueX509SvidRequest {
            workload: Some(workload(pod)),
            request,
        };
        let request = self.request(message).await.map_err(failure)?;
        let mut client = self.client.clone();
        let answer = in_time(client.issue_x509_svid(request)).await.map_err(failure)?;
        match answer.outcome {
            Some(Outcome::Svid(svid)) => certificate(svid).map(Answer::Certificate),
            Some(Outcome::KeyType(name)) => KeyType::named(&name).map(Answer::OtherKey).ok_or_else(|| {
                Failure::Unavailable(format!(
                    "the signer wants a key of a kind that this agent does not know: {name:?}"
                ))
            }),
            None => Err(Failure::Unavailable("the signer's answer is empty".to_owned())),
        }
    }

    async fn token(&self, pod: &LocalPod, audiences: Vec<String>) -> Result<Token, Failure> {
        let message = IssueJwtSvidRequest {
            workload: Some(workload(pod)),
            audiences,
        };
        let request = self.request(message).await.map_err(failure)?;
        let mut client = self.client.clone();
        let answer = in_time(client.issue_jwt_svid(request)).await.map_err(failure)?;
        Ok(Token {
            spiffe_id: answer.spiffe_id,
            text: Zeroizing::new(answer.token),
            issued_at: time(answer.issued_at)?,
            expires_at: time(answer.expires_at)?,
        })
    }
}

fn time(seconds: i64) -> Result<Timestamp, Failure> {
    Timestamp::from_second(seconds).map_err(|_| Failure::Unavailable("the signer's answer has no time".to_owned()))
}

fn workload(pod: &LocalPod) -> Workload {
    Workload {
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        uid: pod.uid.clone(),
    }
}

fn certificate(svid: X509Svid) -> Result<Certificate, Failure> {
    Ok(Certificate {
        spiffe_id: svid.spiffe_id,
        chain: svid.chain.into_iter().map(CertificateDer::from).collect(),
        refresh_at: time(svid.refresh_at)?,
        not_after: time(svid.not_after)?,
    })
}

async fn in_time<A>(call: impl Future<Output = Result<tonic::Response<A>, Status>>) -> Result<A, Status> {
    match timeout(CALL_LIMIT, call).await {
        Ok(answer) => answer.map(tonic::Response::into_inner),
        Err(_) => Err(Status::deadline_exceeded(format!(
            "the signer did not answer in {CALL_LIMIT:?}"
        ))),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it maps errors")]
fn failure(status: Status) -> Failure {
    match status.code() {
        Code::PermissionDenied => Failure::Refused(status.message().to_owned()),
        Code::InvalidArgument => Failure::Invalid(status.message().to_owned()),
        code => Failure::Unavailable(format!("the signer gives nothing now ({code:?}): {}", status.message())),
    }
}

/// Connects with TLS.
#[derive(Clone)]
struct Connector(Place);

impl Connector {
    async fn connect(self) -> Result<TokioIo<TlsStream<TcpStream>>, LinkError> {
        let Place {
            address, name, roots, ..
        } = self.0;
        let text = tokio::fs::read(&roots).await;
        let text = text.map_err(|error| LinkError::Roots(roots.clone(), error))?;
        let config = trusting(&text, roots)?;
        let connected = timeout(CONNECT_LIMIT, async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            TlsConnector::from(Arc::new(config)).connect(name, stream).await
        });
        let stream = connected.await.map_err(|_| LinkError::Slow)??;
        Ok(TokioIo::new(stream))
    }
}

/// TLS that trusts the certificates in a PEM text, for HTTP/2.
fn trusting(text: &[u8], file: PathBuf) -> Result<ClientConfig, LinkError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(text).flatten());
    if roots.is_empty() {
        return Err(LinkError::NoRoots(file));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = LinkError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, LinkError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("countersign-signer.countersign-system.svc:9443", true)]
    #[case("10.0.0.1:9443", true)]
    #[case("[::1]:9443", true)]
    #[case("countersign-signer", false)]
    #[case("countersign-signer:port", false)]
    #[case("countersign signer:9443", false)]
    fn an_address_is_a_host_and_a_port(#[case] text: &str, #[case] good: bool) {
        let place = Place::new(text, PathBuf::new(), PathBuf::new());
        assert_eq!(place.is_ok(), good, "{place:?}");
    }

    #[test]
    fn a_file_without_roots_trusts_nobody() {
        let error = trusting(b"nothing", PathBuf::from("/roots")).unwrap_err();
        assert!(matches!(error, LinkError::NoRoots(_)), "{error}");
    }
}
