//! OpenSSL, as strict as it can be.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use countersign_crds::certificate_authority::CaKeyAlgorithm;
use countersign_signer::issue::Path;
use countersign_signer::key::KeyType;
use rstest::rstest;

use crate::issued::{DOMAIN, Files, KEY_TYPES, NAME, Profile, Signer, write_roots};
use crate::programs::run;
use crate::tls;

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn verify(roots: &std::path::Path, files: &Files, purpose: &str) -> anyhow::Result<String> {
    let (intermediates, leaf) = (files.intermediates.to_str().unwrap(), files.leaf.to_str().unwrap());
    let roots = roots.to_str().unwrap();
    run(
        "openssl",
        [
            "verify",
            "-x509_strict",
            "-purpose",
            purpose,
            "-no-CApath",
            "-no-CAstore",
            "-CAfile",
            roots,
            "-untrusted",
            intermediates,
            leaf,
        ],
    )
}

#[rstest]
fn a_chain_is_verified_for_its_purposes(
    #[values(CaKeyAlgorithm::EcdsaP256, CaKeyAlgorithm::EcdsaP384)] algorithm: CaKeyAlgorithm,
) {
    let signer = Signer::of(DOMAIN, algorithm);
    let folder = tempfile::tempdir().unwrap();
    let roots = write_roots(folder.path(), "own", &signer.roots());
    for key_type in KEY_TYPES {
        for (profile, server, client) in [
            (Profile::Both, true, true),
            (Profile::Names, true, true),
            (Profile::NoUsage, true, true),
            (Profile::Server, true, false),
            (Profile::Client, false, true),
        ] {
            let svid = signer.issue("api", Path::PodCertificate, key_type, profile);
            let files = svid.write(folder.path(), "svid");
            for (purpose, expected) in [("sslserver", server), ("sslclient", client)] {
                let verified = verify(&roots, &files, purpose);
                assert_eq!(
                    verified.is_ok(),
                    expected,
                    "{key_type:?} {profile:?} {purpose}: {verified:?}"
                );
            }
        }
    }
}

#[test]
fn a_chain_of_another_authority_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let roots = write_roots(folder.path(), "another", &Signer::new().roots());
    let files = Signer::new().svid("api").write(folder.path(), "svid");
    let error = verify(&roots, &files, "sslserver").unwrap_err().to_string();
    assert!(error.contains("unable to get local issuer certificate"), "{error}");
}

fn common<'a>(files: &'a Files, roots: &'a std::path::Path) -> [&'a std::ffi::OsStr; 10] {
    [
        "-cert".as_ref(),
        files.leaf.as_ref(),
        "-key".as_ref(),
        files.key.as_ref(),
        "-cert_chain".as_ref(),
        files.intermediates.as_ref(),
        "-CAfile".as_ref(),
        roots.as_ref(),
        "-verify_return_error".as_ref(),
        "-x509_strict".as_ref(),
    ]
}

#[rstest]
fn it_serves_rustls(#[values(KeyType::EcdsaP256, KeyType::Rsa3072)] key_type: KeyType) {
    let signer = Signer::new();
    let folder = tempfile::tempdir().unwrap();
    let roots = write_roots(folder.path(), "own", &signer.roots());
    let server = signer.issue("api", Path::PodCertificate, key_type, Profile::Names);
    let files = server.write(folder.path(), "server");
    let mut program = Command::new("openssl");
    program
        .args([
            "s_server",
            "-accept",
            "127.0.0.1:0",
            "-rev",
            "-naccept",
            "1",
            "-Verify",
            "3",
        ])
        .args(common(&files, &roots))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut running = Running(program.spawn().unwrap());
    let said = BufReader::new(running.0.stdout.take().unwrap());
    let address = said
        .lines()
        .map(Result::unwrap)
        .find_map(|line| line.strip_prefix("ACCEPT ").map(ToOwned::to_owned))
        .unwrap();
    let client = signer.svid("web").party(&signer.roots(), signer.now);
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let (answer, shown) = tls::speak(tls::client(client.calls().unwrap(), NAME), socket, "hello").unwrap();
    assert_eq!(answer, "olleh");
    assert_eq!(shown, server.chain);
}

#[test]
fn it_calls_rustls() {
    let signer = Signer::new();
    let folder = tempfile::tempdir().unwrap();
    let roots = write_roots(folder.path(), "own", &signer.roots());
    let client = signer.svid("web");
    let files = client.write(folder.path(), "client");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut program = Command::new("openssl");
    program
        .args([
            "s_client",
            "-connect",
            &address,
            "-servername",
            NAME,
            "-verify_hostname",
            NAME,
            "-quiet",
        ])
        .args(common(&files, &roots))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut running = Running(program.spawn().unwrap());
    running.0.stdin.as_mut().unwrap().write_all(b"hello\n").unwrap();
    let server = signer.svid("api").party(&signer.roots(), signer.now);
    let (socket, _) = listener.accept().unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let (asked, shown) = tls::speak(tls::server(server.serves().unwrap()), socket, "welcome").unwrap();
    assert_eq!(asked, "hello");
    assert_eq!(shown, client.chain);
    let mut answer = String::new();
    BufReader::new(running.0.stdout.take().unwrap())
        .read_line(&mut answer)
        .unwrap();
    assert_eq!(answer, "welcome\n");
}
