//! A real Envoy that lives by the agent's secrets, at both ends of a connection.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::*;
use crate::programs::peer;

const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";
const HTTP: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const OPTIONS: &str = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// What an end shows, and whom it expects: both by the agent.
fn context(trusted: &str, other: &str) -> Value {
    let agent = json!({
        "resource_api_version": "V3",
        "api_config_source": {
            "api_type": "GRPC",
            "transport_api_version": "V3",
            "grpc_services": [{"envoy_grpc": {"cluster_name": "agent"}}],
        },
    });
    json!({
        "tls_certificate_sds_secret_configs": [{"name": "default", "sds_config": agent}],
        "combined_validation_context": {
            "default_validation_context": {
                "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": {"exact": other}}],
            },
            "validation_context_sds_secret_config": {"name": trusted, "sds_config": agent},
        },
    })
}

fn http(route: &Value) -> Value {
    let hosts = json!([{"name": "all", "domains": ["*"], "routes": [route]}]);
    json!([{
        "name": "http",
        "typed_config": {
            "@type": HTTP,
            "stat_prefix": "http",
            "http_filters": [{"name": "router", "typed_config": {"@type": ROUTER}}],
            "route_config": {"virtual_hosts": hosts},
        },
    }])
}

fn pipe(path: &Path) -> Value {
    json!({"pipe": {"path": path}})
}

fn cluster(name: &str, path: &Path) -> Value {
    let endpoints = json!([{"lb_endpoints": [{"endpoint": {"address": pipe(path)}}]}]);
    json!({"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": endpoints}})
}

fn options(options: &Value) -> Value {
    let mut options = options.clone();
    options["@type"] = OPTIONS.into();
    json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options})
}

/// One Envoy that calls itself: the client's end is the cluster of `outer`, the server's the listener `inner`.
fn configuration(folder: &Path, agent: &Path, server: &Value, client: &Value) -> Value {
    let all = json!({"prefix": "/"});
    let answer = json!({
        "match": all,
        "direct_response": {"status": 200},
        "response_headers_to_add": [{"header": {"key": "x-client", "value": "%DOWNSTREAM_PEER_URI_SAN%"}}],
    });
    let serving = json!({
        "@type": format!("{TLS}.DownstreamTlsContext"),
        "require_client_certificate": true,
        "common_tls_context": server,
    });
    let calling = json!({"@type": format!("{TLS}.UpstreamTlsContext"), "common_tls_context": client});
    // A handshake for each request.
    let once = json!({"max_requests_per_connection": 1});
    let mut inner = cluster("inner", &folder.join("inner"));
    inner["transport_socket"] = json!({"name": "tls", "typed_config": calling});
    inner["typed_extension_protocol_options"] = options(&json!({
        "common_http_protocol_options": once,
        "explicit_http_config": {"http_protocol_options": {}},
    }));
    let mut secrets = cluster("agent", agent);
    secrets["typed_extension_protocol_options"] =
        options(&json!({"explicit_http_config": {"http2_protocol_options": {}}}));
    json!({
        "node": {"id": "test", "cluster": "test"},
        "static_resources": {
            "listeners": [
                {
                    "name": "outer",
                    "address": pipe(&folder.join("outer")),
                    "filter_chains": [{"filters": http(&json!({"match": all, "route": {"cluster": "inner"}}))}],
                },
                {
                    "name": "inner",
                    "address": pipe(&folder.join("inner")),
                    "filter_chains": [{
                        "filters": http(&answer),
                        "transport_socket": {"name": "tls", "typed_config": serving},
                    }],
                },
            ],
            "clusters": [inner, secrets],
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

fn start(folder: &Path, configuration: &Value) -> Envoy {
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
    Envoy(child)
}

/// The answer through both ends; empty while Envoy does not listen.
async fn ask(folder: &Path) -> String {
    let path = folder.join("outer");
    let asked = tokio::task::spawn_blocking(move || {
        let mut answer = String::new();
        if let Ok(mut socket) = UnixStream::connect(path) {
            socket
                .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                .unwrap();
            socket.read_to_string(&mut answer).unwrap();
        }
        answer
    });
    asked.await.unwrap()
}

/// Asks until the answer is of this status.
async fn answers(folder: &Path, status: &str) -> String {
    let wanted = format!("HTTP/1.1 {status}");
    let mut last = String::new();
    for _ in 0..150 {
        last = ask(folder).await;
        if last.starts_with(&wanted) {
            return last;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let log = std::fs::read_to_string(folder.join("envoy.log")).unwrap_or_default();
    panic!("{last:?} instead of {status}; Envoy says:\n{log}");
}

#[rstest]
#[case::by_the_own_roots("ROOTCA")]
#[case::by_all_roots("ALL")]
#[tokio::test(flavor = "multi_thread")]
async fn both_ends_live_by_the_agents_secrets(#[case] trusted: &str) {
    let node = Node::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let context = context(trusted, ID);
    let configuration = configuration(folder.path(), &node.socket(), &context, &context);
    let _envoy = start(folder.path(), &configuration);
    let answer = answers(folder.path(), "200").await;
    assert!(answer.contains(&format!("x-client: {ID}")), "{answer}");

    // Another root: what Envoy is sent it takes, and its own certificate is not trusted any more.
    let other = bundle("cluster.local", &Ca::new().unwrap().root, &Key::new("k2"));
    let before = current(&node);
    node.signer.bundles.send_replace(Arc::new(Bundles::new(other.clone())));
    answers(folder.path(), "503").await;
    // The root of before as that of a foreign trust domain does not bring it back.
    let mut forged = Bundles::new(other);
    let partner = bundle("partner.example", &node.signer.ca.root, &Key::new("k3"));
    forged.federate(partner).unwrap();
    node.signer.bundles.send_replace(Arc::new(forged));
    tokio::time::sleep(Duration::from_secs(1)).await;
    answers(folder.path(), "503").await;
    node.signer.bundles.send_replace(before);
    answers(folder.path(), "200").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_expected_is_refused() {
    let node = Node::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = context("ALL", "spiffe://cluster.local/ns/shop/sa/admin");
    let configuration = configuration(folder.path(), &node.socket(), &server, &context("ALL", ID));
    let _envoy = start(folder.path(), &configuration);
    let answer = answers(folder.path(), "503").await;
    // It came as far as the other end's judgement.
    let log = std::fs::read_to_string(folder.path().join("envoy.log")).unwrap();
    assert!(!answer.contains("x-client"), "{answer} {log}");
}
