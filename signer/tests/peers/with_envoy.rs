//! Envoy with its SPIFFE validator, at both ends of a connection.

use std::os::unix::net::UnixStream;
use std::path::Path as FilePath;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

use crate::envoy::{Envoy, REQUEST, TLS};
use crate::issued::{DOMAIN, Files, NAME, Signer, Svid, write_roots};
use crate::tls;

/// What an end shows, and whom it expects.
fn context(files: &Files, roots: &FilePath, other: &str) -> Value {
    json!({
        "tls_certificates": [{
            "certificate_chain": {"filename": files.chain}, "private_key": {"filename": files.key},
        }],
        "validation_context": {
            "custom_validator_config": {
                "name": "envoy.tls.cert_validator.spiffe",
                "typed_config": {
                    "@type": format!("{TLS}.SPIFFECertValidatorConfig"),
                    "trust_domains": [{"name": DOMAIN, "trust_bundle": {"filename": roots}}],
                },
            },
            "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": {"exact": other}}],
        },
    })
}

/// The first line of an answer to rustls.
fn ask_directly(
    envoy: &Envoy,
    svid: &Svid,
    roots: &[CertificateDer<'static>],
    signer: &Signer,
) -> std::io::Result<String> {
    let socket = UnixStream::connect(envoy.inner()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let client = svid.party(roots, signer.now).calls().unwrap();
    Ok(tls::speak(tls::client(client, NAME), socket, REQUEST)?.0)
}

#[test]
fn both_ends_verify_each_other() {
    let signer = Signer::new();
    let folder = tempfile::tempdir().unwrap();
    let roots = write_roots(folder.path(), "own", &signer.roots());
    let (server, client) = (signer.svid("api"), signer.svid("web"));
    let (serving, calling) = (
        server.write(folder.path(), "server"),
        client.write(folder.path(), "client"),
    );
    let mut envoy = Envoy::start(
        &context(&serving, &roots, &client.id),
        &context(&calling, &roots, &server.id),
        &[],
    );
    envoy.until(200, &format!("x-client: {}", client.id));
    // And with another kind of client: one that is expected, one that is not, and one of another authority.
    let own = signer.roots();
    let told = ask_directly(&envoy, &client, &own, &signer).unwrap();
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    ask_directly(&envoy, &signer.svid("other"), &own, &signer).unwrap_err();
    let foreign = Signer::of(
        "other.example",
        countersign_crds::certificate_authority::CaKeyAlgorithm::EcdsaP256,
    );
    ask_directly(&envoy, &foreign.svid("web"), &own, &signer).unwrap_err();
}

#[test]
fn another_server_is_refused() {
    let signer = Signer::new();
    let folder = tempfile::tempdir().unwrap();
    let roots = write_roots(folder.path(), "own", &signer.roots());
    let client = signer.svid("web");
    let impostor = Signer::new().svid("api");
    let (serving, calling) = (
        impostor.write(folder.path(), "server"),
        client.write(folder.path(), "client"),
    );
    let mut envoy = Envoy::start(
        &context(&serving, &roots, &client.id),
        &context(&calling, &roots, &impostor.id),
        &[],
    );
    envoy.until(503, "CERTIFICATE_VERIFY_FAILED");
}
