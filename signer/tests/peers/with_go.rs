//! Go's crypto/tls with go-spiffe.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path as FilePath;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use countersign_crds::certificate_authority::CaKeyAlgorithm;
use countersign_signer::issue::Path;
use countersign_signer::key::KeyType;
use rstest::rstest;

use crate::issued::{DOMAIN, Files, NAME, Profile, Signer, write_roots};
use crate::programs::{peer, run};
use crate::tls;

/// Keys that go-spiffe reads. It knows no Ed25519.
const KEY_TYPES: [KeyType; 5] = [
    KeyType::EcdsaP256,
    KeyType::EcdsaP384,
    KeyType::EcdsaP521,
    KeyType::Rsa3072,
    KeyType::Rsa4096,
];

/// The arguments that serving and calling have in common.
fn arguments(what: &str, roots: &FilePath, files: &Files, other: &str) -> Vec<OsString> {
    let words = [what, DOMAIN].map(OsString::from);
    let paths = [roots, &files.chain, &files.key].map(OsString::from);
    words.into_iter().chain(paths).chain([OsString::from(other)]).collect()
}

fn start(roots: &FilePath, files: &Files, other: &str) -> (Child, String) {
    let mut child = Command::new(peer("peers"))
        .args(arguments("serve", roots, files, other))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    let mut said = BufReader::new(child.stdout.as_mut().unwrap());
    said.read_line(&mut address).unwrap();
    (child, address.trim().to_owned())
}

/// What a server that ended complained of.
fn complaint(mut child: Child) -> String {
    let mut text = String::new();
    child.stderr.as_mut().unwrap().read_to_string(&mut text).unwrap();
    child.wait().unwrap();
    text
}

#[rstest]
fn both_ends_authorize_each_other(
    #[values(CaKeyAlgorithm::EcdsaP256, CaKeyAlgorithm::EcdsaP384)] algorithm: CaKeyAlgorithm,
) {
    let signer = Signer::of(DOMAIN, algorithm);
    let folder = tempfile::tempdir().unwrap();
    let roots = write_roots(folder.path(), "own", &signer.roots());
    for key_type in KEY_TYPES {
        let server = signer.issue("api", Path::PodCertificate, key_type, Profile::Both);
        let client = signer.issue("web", Path::WorkloadApi, key_type, Profile::Both);
        let server_files = server.write(folder.path(), "server");
        let client_files = client.write(folder.path(), "client");
        let (child, address) = start(&roots, &server_files, &client.id);
        let mut call = arguments("call", &roots, &client_files, &server.id);
        call.push(address.into());
        let said = run(peer("peers"), &call).unwrap();
        assert_eq!(said, client.id, "{key_type:?}: the client as the server saw it");
        assert_eq!(complaint(child), "");
    }
}

#[test]
fn whoever_is_not_expected_is_refused() {
    let signer = Signer::new();
    let folder = tempfile::tempdir().unwrap();
    let roots = write_roots(folder.path(), "own", &signer.roots());
    let (server, client) = (signer.svid("api"), signer.svid("web"));
    let server_files = server.write(folder.path(), "server");
    let client_files = client.write(folder.path(), "client");
    let (child, address) = start(&roots, &server_files, "spiffe://example.org/ns/shop/sa/other");
    let mut call = arguments("call", &roots, &client_files, &server.id);
    call.push(address.into());
    run(peer("peers"), &call).unwrap_err();
    let said = complaint(child);
    assert!(said.contains("unexpected ID"), "{said}");
}

#[test]
fn it_serves_rustls() {
    let signer = Signer::new();
    let folder = tempfile::tempdir().unwrap();
    let roots = write_roots(folder.path(), "own", &signer.roots());
    let (server, client) = (signer.svid("api"), signer.svid("web"));
    let (child, address) = start(&roots, &server.write(folder.path(), "server"), &client.id);
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let party = client.party(&signer.roots(), signer.now);
    let (said, shown) = tls::speak(tls::client(party.calls().unwrap(), NAME), socket, "hello").unwrap();
    assert_eq!(said, client.id);
    assert_eq!(shown, server.chain);
    assert_eq!(complaint(child), "");
}

#[test]
fn it_calls_rustls() {
    let signer = Signer::new();
    let folder = tempfile::tempdir().unwrap();
    let roots = write_roots(folder.path(), "own", &signer.roots());
    let (server, client) = (signer.svid("api"), signer.svid("web"));
    let files = client.write(folder.path(), "client");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut call = arguments("call", &roots, &files, &server.id);
    call.push(listener.local_addr().unwrap().to_string().into());
    let calling = std::thread::spawn(move || run(peer("peers"), &call));
    let (socket, _) = listener.accept().unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let party = server.party(&signer.roots(), signer.now);
    let (said, shown) = tls::speak(tls::server(party.serves().unwrap()), socket, "welcome").unwrap();
    assert_eq!(said, server.id, "the server as the client saw it");
    assert_eq!(shown, client.chain);
    assert_eq!(calling.join().unwrap().unwrap(), "welcome");
}

#[test]
fn it_reads_the_bundle() {
    let signer = Signer::new();
    let mut bundle = signer.kept.bundle();
    bundle.sequence = Some(7);
    bundle.refresh_hint = Some(300);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.json");
    std::fs::write(&path, bundle.to_jwks()).unwrap();
    let said = run(peer("peers"), ["bundle", DOMAIN, path.to_str().unwrap()]).unwrap();
    assert_eq!(said, "1 1 7 5m0s", "authorities, keys for JWT-SVIDs, sequence, hint");
}
