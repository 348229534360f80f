//! The API server, as somebody.

use e2e::Namespace;
use kube::Client;
use serde_json::Value;

/// A user of the API server in one namespace.
pub struct Server {
    client: Client,
    namespace: String,
    user: Option<&'static str>,
}

impl Server {
    /// An administrator.
    pub fn admin(namespace: &Namespace) -> Self {
        Self {
            client: namespace.testbed().client(),
            namespace: namespace.name().to_owned(),
            user: None,
        }
    }

    /// The same as another user, who may do everything too.
    pub fn with_user(namespace: &Namespace, user: &'static str) -> Self {
        Self {
            user: Some(user),
            ..Self::admin(namespace)
        }
    }

    /// Makes an object.
    pub async fn create(&self, path: &str, object: &Value) -> Result<Value, String> {
        self.send("POST", path, "application/json", object).await
    }

    /// Changes an object.
    pub async fn patch(&self, path: &str, change: &Value) -> Result<Value, String> {
        self.send("PATCH", path, "application/strategic-merge-patch+json", change)
            .await
    }

    /// Sends a request. In `path`, `{ns}` stands for the namespace.
    async fn send(&self, method: &str, path: &str, content: &str, body: &Value) -> Result<Value, String> {
        let path = path.replace("{ns}", &format!("namespaces/{}", self.namespace));
        let mut request = axum::http::Request::builder()
            .method(method)
            .uri(&path)
            .header("Content-Type", content);
        if let Some(user) = self.user {
            request = request
                .header("Impersonate-User", user)
                .header("Impersonate-Group", "system:masters");
        }
        let request = request.body(body.to_string().into_bytes()).unwrap();
        match self.client.request::<Value>(request).await {
            Ok(answer) => Ok(answer),
            Err(kube::Error::Api(status)) => Err(status.message.clone()),
            Err(error) => panic!("{method} {path}: {error}"),
        }
    }
}
