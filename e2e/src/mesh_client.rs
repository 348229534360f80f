//! A caller in the mesh, with whatever identity a test gives it.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use time::{Duration, OffsetDateTime};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::{Answer, Request, Testbed};

/// One connection of a caller to a sidecar.
pub struct MeshConnection(TlsStream<TcpStream>);

impl MeshConnection {
    /// Sends a further request; a reset if the sidecar has closed it.
    pub async fn send(&mut self, request: &Request) -> Answer {
        Answer::within_limit(request.exchange(&mut self.0)).await
    }
}

/// Speaks mutual TLS to a sidecar, as another sidecar would.
#[derive(Clone)]
pub struct MeshClient {
    config: Arc<ClientConfig>,
}

impl MeshClient {
    /// A caller whose certificate the mesh's own authority signed for `spiffe_id`.
    pub fn new(testbed: &Testbed, spiffe_id: &str) -> Result<Self> {
        let now = OffsetDateTime::now_utc();
        Self::signed_by_mesh(testbed, spiffe_id, now - Duration::minutes(2), now + Duration::hours(1))
    }

    /// A caller whose certificate was good until an hour ago.
    pub fn expired(testbed: &Testbed, spiffe_id: &str) -> Result<Self> {
        let now = OffsetDateTime::now_utc();
        Self::signed_by_mesh(testbed, spiffe_id, now - Duration::hours(2), now - Duration::hours(1))
    }

    /// A caller whose certificate says `spiffe_id`, signed by an authority that the mesh does not know.
    pub fn foreign(testbed: &Testbed, spiffe_id: &str) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let now = OffsetDateTime::now_utc();
        let key = KeyPair::generate()?;
        let leaf = leaf(spiffe_id, now - Duration::minutes(2), now + Duration::hours(1))?.signed_by(&key, &ca)?;
        Self::with(testbed, Some((vec![leaf.der().clone()], key)))
    }

    /// A caller that speaks TLS but shows no certificate.
    pub fn anonymous(testbed: &Testbed) -> Result<Self> {
        Self::with(testbed, None)
    }

    /// Sends `request` to a Pod's own address, through its sidecar.
    pub async fn send(&self, address: SocketAddr, request: &Request) -> Answer {
        Answer::within_limit(async { request.exchange(self.stream(address).await?).await }).await
    }

    /// A connection to a Pod's sidecar, for several requests that keep it open.
    pub async fn connect(&self, address: SocketAddr) -> Result<MeshConnection> {
        Ok(MeshConnection(self.stream(address).await?))
    }

    async fn stream(&self, address: SocketAddr) -> Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(&self.config));
        let name = ServerName::IpAddress(address.ip().into());
        Ok(connector.connect(name, stream).await?)
    }

    fn signed_by_mesh(testbed: &Testbed, id: &str, from: OffsetDateTime, to: OffsetDateTime) -> Result<Self> {
        let certificate = mesh_ca(testbed, "ca-cert.pem")?;
        let authority = KeyPair::from_pem(&mesh_ca(testbed, "ca-key.pem")?)?;
        let issuer = Issuer::from_ca_cert_pem(&certificate, authority)?;
        let key = KeyPair::generate()?;
        let leaf = leaf(id, from, to)?.signed_by(&key, &issuer)?;
        let chain = vec![
            leaf.der().clone(),
            CertificateDer::from_pem_slice(certificate.as_bytes())?,
        ];
        Self::with(testbed, Some((chain, key)))
    }

    fn with(testbed: &Testbed, identity: Option<(Vec<CertificateDer<'static>>, KeyPair)>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(
            mesh_ca(testbed, "root-cert.pem")?.as_bytes(),
        )?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyName(inner)));
        let mut config = match identity {
            Some((chain, key)) => {
                let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
                builder.with_client_auth_cert(chain, key)?
            }
            None => builder.with_no_client_auth(),
        };
        // What a sidecar offers; a permissive listener tells the mesh's TLS from a workload's own by it.
        config.alpn_protocols = vec![b"istio".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
        })
    }
}

fn mesh_ca(testbed: &Testbed, file: &str) -> Result<String> {
    let path = testbed.data().join("mesh-ca").join(file);
    fs::read_to_string(&path).with_context(|| format!("{}: is this a testbed with --istio?", path.display()))
}

fn leaf(spiffe_id: &str, from: OffsetDateTime, to: OffsetDateTime) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.subject_alt_names = vec![SanType::URI(spiffe_id.try_into()?)];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    params.not_before = from;
    params.not_after = to;
    Ok(params)
}

/// Checks that the mesh's authority signed the server's certificate, whatever name is in it: sidecars have SPIFFE IDs
/// and no host names.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use CertificateError::{NotValidForName, NotValidForNameContext};
        match self
            .0
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        {
            // The name is looked at after the chain.
            Err(rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
