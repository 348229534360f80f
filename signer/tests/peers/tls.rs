//! Real handshakes of rustls, both ends in memory or over a socket, with a clock that the test holds.

use std::io::{Read, Write};
use std::ops::DerefMut;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::time_provider::TimeProvider;
use rustls::{
    ClientConfig, ClientConnection, Connection, ConnectionCommon, Error, RootCertStore, ServerConfig, ServerConnection,
    SideData,
};

/// A clock that stands.
#[derive(Clone, Copy, Debug)]
pub struct Held(pub Timestamp);

impl TimeProvider for Held {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.as_second()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// What one end of a connection has.
pub struct Party {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
    pub roots: Vec<CertificateDer<'static>>,
    pub clock: Held,
}

impl Party {
    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        for root in &self.roots {
            roots.add(root.clone()).unwrap();
        }
        Arc::new(roots)
    }

    /// As a server that asks for a certificate.
    pub fn serves(&self) -> Result<ServerConfig, Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(self.roots(), Arc::clone(&provider))
            .build()
            .unwrap();
        let mut config = ServerConfig::builder_with_details(provider, Arc::new(self.clock))
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.chain.clone(), self.key.clone_key())?;
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    /// As a client that shows a certificate.
    pub fn calls(&self) -> Result<ClientConfig, Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_details(provider, Arc::new(self.clock))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(self.roots())
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())?;
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

/// A handshake in memory. Gives what the server saw of the client.
pub fn handshake(
    client: ClientConfig,
    server: ServerConfig,
    name: &str,
) -> Result<Vec<CertificateDer<'static>>, Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = Connection::from(ClientConnection::new(Arc::new(client), name)?);
    let mut server = Connection::from(ServerConnection::new(Arc::new(server))?);
    while client.is_handshaking() || server.is_handshaking() {
        carry(&mut client, &mut server)?;
        carry(&mut server, &mut client)?;
    }
    Ok(owned(server.peer_certificates()))
}

fn carry(from: &mut Connection, to: &mut Connection) -> Result<(), Error> {
    let mut sent = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut sent).unwrap();
    }
    let mut sent = sent.as_slice();
    while !sent.is_empty() {
        to.read_tls(&mut sent).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}

/// Sends a line over a socket, and gives the line that comes back with what the other end showed.
pub fn speak<S: SideData>(
    mut connection: impl DerefMut<Target = ConnectionCommon<S>>,
    mut socket: impl Read + Write,
    line: &str,
) -> std::io::Result<(String, Vec<CertificateDer<'static>>)> {
    let mut stream = rustls::Stream::new(&mut connection, &mut socket);
    stream.write_all(format!("{line}\n").as_bytes())?;
    let mut answer = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte)? == 1 && byte[0] != b'\n' {
        answer.push(byte[0]);
    }
    let shown = owned(connection.peer_certificates());
    connection.send_close_notify();
    connection.complete_io(&mut socket)?;
    Ok((String::from_utf8_lossy(&answer).into_owned(), shown))
}

/// The client's end of a connection.
pub fn client(config: ClientConfig, name: &str) -> ClientConnection {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

/// The server's end of a connection.
pub fn server(config: ServerConfig) -> ServerConnection {
    ServerConnection::new(Arc::new(config)).unwrap()
}

fn owned(chain: Option<&[CertificateDer<'_>]>) -> Vec<CertificateDer<'static>> {
    chain
        .unwrap_or_default()
        .iter()
        .map(|certificate| certificate.clone().into_owned())
        .collect()
}
