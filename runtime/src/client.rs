//! The one client of the Kubernetes API.

use std::time::Duration;

use kube::{Client, Config};

/// How long one call may take. Watches are not bound by it.
pub const CALL_LIMIT: Duration = Duration::from_secs(10);

/// Bookmarks come about once a minute on a watch on which nothing happens, so a connection that is silent for longer is
/// dead, and no event arrives on it.
const SILENCE_LIMIT: Duration = Duration::from_secs(100);

/// What keeps a binary from talking to the API server.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is neither a service account nor a kubeconfig.
    #[error("no way to reach the API server: {0}")]
    Config(#[from] kube::config::InferConfigError),
    /// The configuration cannot be used.
    #[error("the client for the API server cannot be made: {0}")]
    Client(#[from] Box<kube::Error>),
}

/// Connects as the Pod's service account, or by `KUBECONFIG`. Nothing is sent yet. `user_agent` is how the binary calls
/// itself to the API server, in audit logs too: `countersign-operator/0.1.0`.
pub async fn connect(user_agent: &'static str) -> Result<Client, ClientError> {
    let mut config = Config::infer().await?;
    config.connect_timeout = Some(CALL_LIMIT);
    config.read_timeout = Some(SILENCE_LIMIT);
    config
        .headers
        .push((http::header::USER_AGENT, http::HeaderValue::from_static(user_agent)));
    Client::try_from(config).map_err(|error| ClientError::Client(Box::new(error)))
}
