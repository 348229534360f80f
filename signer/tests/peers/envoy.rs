//! A real Envoy that calls itself: the client's end is the cluster behind the listener `outer`, the server's the listener `inner`.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::programs::peer;

/// Where Envoy's messages for TLS are.
pub const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";
/// A request, after which the connection ends.
pub const REQUEST: &str = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

const HTTP: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// A cluster of one address.
pub fn cluster(name: &str, socket: &Path, options: Value) -> Value {
    let mut options = options;
    options["@type"] = format!("type.googleapis.com/{OPTIONS}").into();
    let endpoints = json!([{"lb_endpoints": [{"endpoint": {"address": pipe(socket)}}]}]);
    json!({
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
        "typed_extension_protocol_options": {OPTIONS: options},
    })
}

fn pipe(path: &Path) -> Value {
    json!({"pipe": {"path": path}})
}

fn http(route: &Value) -> Value {
    // An answer of Envoy's own says why the handshake failed, if it did.
    let why =
        json!({"text_format_source": {"inline_string": "%LOCAL_REPLY_BODY% %UPSTREAM_TRANSPORT_FAILURE_REASON%"}});
    let hosts = json!([{"name": "all", "domains": ["*"], "routes": [route]}]);
    json!([{
        "name": "http",
        "typed_config": {
            "@type": HTTP,
            "stat_prefix": "http",
            "http_filters": [{"name": "router", "typed_config": {"@type": ROUTER}}],
            "route_config": {"virtual_hosts": hosts},
            "local_reply_config": {"body_format": why},
        },
    }])
}

fn configuration(folder: &Path, server: &Value, client: &Value, more: &[Value]) -> Value {
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
    let once = json!({
        "common_http_protocol_options": {"max_requests_per_connection": 1},
        "explicit_http_config": {"http_protocol_options": {}},
    });
    let mut inner = cluster("inner", &folder.join("inner"), once);
    inner["transport_socket"] = json!({"name": "tls", "typed_config": calling});
    let clusters: Vec<&Value> = std::iter::once(&inner).chain(more).collect();
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
            "clusters": clusters,
        },
    })
}

/// It runs for as long as this lives.
pub struct Envoy {
    process: Child,
    folder: TempDir,
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Envoy {
    /// Starts one. Of each end: what it shows and whom it expects (Envoy's `CommonTlsContext`). Besides: further clusters, for
    /// what the ends are configured by.
    pub fn start(server: &Value, client: &Value, more: &[Value]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("envoy.json");
        let configuration = configuration(folder.path(), server, client, more);
        std::fs::write(&path, configuration.to_string()).unwrap();
        let log = std::fs::File::create(folder.path().join("envoy.log")).unwrap();
        let process = Command::new(peer("envoy"))
            .args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"])
            .arg("--config-path")
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { process, folder }
    }

    /// Where the server's end listens.
    pub fn inner(&self) -> PathBuf {
        self.folder.path().join("inner")
    }

    /// What it says.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("envoy.log")).unwrap()
    }

    /// The answer through both ends; empty while it does not listen.
    fn ask(&self) -> String {
        let mut answer = String::new();
        if let Ok(mut socket) = UnixStream::connect(self.folder.path().join("outer")) {
            socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            socket.write_all(REQUEST.as_bytes()).unwrap();
            socket.read_to_string(&mut answer).unwrap();
        }
        answer
    }

    /// Asks until the answer is of this status and says this. Panics if that does not come.
    pub fn until(&mut self, status: u16, says: &str) {
        let wanted = format!("HTTP/1.1 {status}");
        let mut last = String::new();
        for _ in 0..300 {
            last = self.ask();
            if last.starts_with(&wanted) && last.contains(says) {
                return;
            }
            if self.process.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!(
            "{last:?} instead of {status} with {says:?}; Envoy says:\n{}",
            self.log()
        );
    }
}
