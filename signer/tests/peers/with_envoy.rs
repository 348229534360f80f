//! Envoy with its SPIFFE validator, at both ends of a connection.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path as FilePath;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

use crate::issued::{DOMAIN, Files, NAME, Signer, Svid, write_roots};
use crate::programs::peer;
use crate::tls;

const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";

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

fn pipe(folder: &FilePath, name: &str) -> Value {
    json!({"pipe": {"path": folder.join(name)}})
}

fn http(route: &Value) -> Value {
    json!([{
        "name": "http",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "http",
            "http_filters": [{
                "name": "router",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            }],
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        },
    }])
}

/// One Envoy that calls itself: the client's end is the cluster of `outer`, the server's the listener `inner`.
fn configuration(folder: &FilePath, server: &Value, client: &Value) -> Value {
    let all = json!({"prefix": "/"});
    json!({
        "node": {"id": "test", "cluster": "test"},
        "static_resources": {
            "listeners": [
                {
                    "name": "outer",
                    "address": pipe(folder, "outer"),
                    "filter_chains": [{"filters": http(&json!({"match": all, "route": {"cluster": "inner"}}))}],
                },
                {
                    "name": "inner",
                    "address": pipe(folder, "inner"),
                    "filter_chains": [{
                        "filters": http(&json!({
                            "match": all,
                            "direct_response": {"status": 200},
                            "response_headers_to_add": [
                                {"header": {"key": "x-client", "value": "%DOWNSTREAM_PEER_URI_SAN%"}},
                            ],
                        })),
                        "transport_socket": {
                            "name": "tls",
                            "typed_config": {
                                "@type": format!("{TLS}.DownstreamTlsContext"),
                                "require_client_certificate": true,
                                "common_tls_context": server,
                            },
                        },
                    }],
                },
            ],
            "clusters": [{
                "name": "inner",
                "type": "STATIC",
                "load_assignment": {
                    "cluster_name": "inner",
                    "endpoints": [{"lb_endpoints": [{"endpoint": {"address": pipe(folder, "inner")}}]}],
                },
                "transport_socket": {
                    "name": "tls",
                    "typed_config": {"@type": format!("{TLS}.UpstreamTlsContext"), "common_tls_context": client},
                },
            }],
        },
    })
}

struct Envoy(Child);

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(folder: &FilePath, configuration: &Value) -> Envoy {
    let path = folder.join("envoy.json");
    std::fs::write(&path, configuration.to_string()).unwrap();
    let log = std::fs::File::create(folder.join("envoy.log")).unwrap();
    let child = Command::new(peer("envoy"))
        .args([
            "--disable-hot-restart",
            "--concurrency",
            "1",
            "--log-level",
            "warning",
            "--config-path",
        ])
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut envoy = Envoy(child);
    for _ in 0..200 {
        if UnixStream::connect(folder.join("outer")).is_ok() {
            return envoy;
        }
        if envoy.0.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{}", std::fs::read_to_string(folder.join("envoy.log")).unwrap());
}

const REQUEST: &str = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// The answer through both ends.
fn ask(folder: &FilePath) -> String {
    let mut socket = UnixStream::connect(folder.join("outer")).unwrap();
    socket.write_all(REQUEST.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

/// The first line of an answer to rustls.
fn ask_directly(
    folder: &FilePath,
    svid: &Svid,
    roots: &[CertificateDer<'static>],
    signer: &Signer,
) -> std::io::Result<String> {
    let socket = UnixStream::connect(folder.join("inner")).unwrap();
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
    let _envoy = start(
        folder.path(),
        &configuration(
            folder.path(),
            &context(&serving, &roots, &client.id),
            &context(&calling, &roots, &server.id),
        ),
    );
    let answer = ask(folder.path());
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(&format!("x-client: {}", client.id)), "{answer}");
    // And with another kind of client: one that is expected, one that is not, and one of another authority.
    let own = signer.roots();
    let told = ask_directly(folder.path(), &client, &own, &signer).unwrap();
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    ask_directly(folder.path(), &signer.svid("other"), &own, &signer).unwrap_err();
    let foreign = Signer::of(
        "other.example",
        countersign_crds::certificate_authority::CaKeyAlgorithm::EcdsaP256,
    );
    ask_directly(folder.path(), &foreign.svid("web"), &own, &signer).unwrap_err();
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
    let _envoy = start(
        folder.path(),
        &configuration(
            folder.path(),
            &context(&serving, &roots, &client.id),
            &context(&calling, &roots, &impostor.id),
        ),
    );
    let answer = ask(folder.path());
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
}
