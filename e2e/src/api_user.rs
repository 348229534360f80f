//! The API server, asked as somebody: what it takes, and what it says when it does not.

use anyhow::Result;
use axum::http;
use kube::Client;
use serde_json::Value;

use crate::{Namespace, Testbed};

/// Somebody who asks the API server; at first with every right.
#[derive(Clone)]
pub struct ApiUser {
    client: Client,
    namespace: String,
    user: Option<(String, Vec<String>)>,
}

impl ApiUser {
    /// With every right. In paths, `{ns}` stands for the namespace.
    pub fn admin(namespace: &Namespace) -> Self {
        Self::admin_of(namespace.testbed(), namespace.name())
    }

    /// The same for a namespace by name.
    pub fn admin_of(testbed: &Testbed, namespace: &str) -> Self {
        Self {
            client: testbed.client(),
            namespace: namespace.to_owned(),
            user: None,
        }
    }

    /// Whoever has this token.
    pub async fn by_token(namespace: &Namespace, token: &str) -> Result<Self> {
        let client = namespace.testbed().client_by_token(token).await?;
        Ok(Self {
            client,
            ..Self::admin(namespace)
        })
    }

    /// The client that it asks by.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Another user, with the rights of these groups beside its own.
    #[must_use]
    pub fn impersonate(mut self, user: &str, groups: &[&str]) -> Self {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        self.user = Some((user.to_owned(), groups));
        self
    }

    /// Asks whether an object could be made. Nothing is kept. The error is what the API server says.
    pub async fn try_create(&self, path: &str, object: &Value) -> Result<Value, String> {
        let path = format!("{path}?dryRun=All");
        self.send("POST", &path, "application/json", object).await
    }

    /// Makes an object.
    pub async fn create(&self, path: &str, object: &Value) -> Result<Value, String> {
        self.send("POST", path, "application/json", object).await
    }

    /// Changes an object by a merge patch (RFC 7386).
    pub async fn patch(&self, path: &str, change: &Value) -> Result<Value, String> {
        self.send("PATCH", path, "application/merge-patch+json", change).await
    }

    /// Sends any request with a body.
    pub async fn send(&self, method: &str, path: &str, content: &str, body: &Value) -> Result<Value, String> {
        let path = path.replace("{ns}", &format!("namespaces/{}", self.namespace));
        let mut request = http::Request::builder()
            .method(method)
            .uri(&path)
            .header(http::header::CONTENT_TYPE, content);
        if let Some((user, groups)) = &self.user {
            request = request.header("Impersonate-User", user);
            for group in groups {
                request = request.header("Impersonate-Group", group);
            }
        }
        let said = |error: &dyn std::fmt::Display| format!("{method} {path}: {error}");
        let request = request
            .body(body.to_string().into_bytes())
            .map_err(|error| said(&error))?;
        match self.client.request::<Value>(request).await {
            Ok(answer) => Ok(answer),
            Err(kube::Error::Api(status)) => Err(status.message.clone()),
            Err(error) => Err(said(&error)),
        }
    }
}
