//! Files that tell a client where the API server is and who the client is.

use std::fs;
use std::path::Path;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::network::NODE;

/// Writes a kubeconfig with a token.
pub(super) fn write(path: &Path, ca: &str, token: &str) -> Result<()> {
    // JSON is YAML.
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "testbed", "cluster": {
            "server": format!("https://{NODE}:6443"),
            "certificate-authority-data": STANDARD.encode(ca),
        }}],
        "users": [{"name": "me", "user": {"token": token}}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "me"}}],
        "current-context": "testbed",
    });
    Ok(fs::write(path, serde_json::to_vec_pretty(&config)?)?)
}
