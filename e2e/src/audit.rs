//! The API server's audit log: who asked for what, for tests that count writes.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// One request that was answered.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// `create`, `patch`, `get`, `watch`, …
    pub verb: String,
    /// The client, as it calls itself.
    #[serde(default)]
    pub user_agent: String,
    /// The user, as authenticated.
    pub user: User,
    /// What the request was about; absent for paths such as `/readyz`.
    pub object_ref: Option<Object>,
    /// The answer.
    pub response_status: Option<Status>,
    /// The path and query.
    #[serde(rename = "requestURI")]
    pub request_uri: String,
    stage: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// A user of the API server.
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    /// The user's name; empty where nobody was authenticated.
    #[serde(default)]
    pub username: String,
}

/// What a request was about.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Object {
    /// The API group; empty for the core group.
    pub api_group: String,
    /// The plural name of the kind.
    pub resource: String,
    /// `status`, `token`, … or empty.
    pub subresource: String,
    /// The namespace, or empty.
    pub namespace: String,
    /// The name; empty for lists and for most creations.
    pub name: String,
}

/// The answer to a request.
#[derive(Debug, Clone, Deserialize)]
pub struct Status {
    /// The HTTP status code.
    #[serde(default)]
    pub code: u16,
}

impl Entry {
    /// Whether the request could change something.
    pub fn is_write(&self) -> bool {
        matches!(
            self.verb.as_str(),
            "create" | "update" | "patch" | "delete" | "deletecollection"
        )
    }

    /// Whether the user has no right to it. A 403 may have other reasons: a namespace that is being deleted takes nothing.
    pub fn is_denied(&self) -> bool {
        self.annotations
            .get("authorization.k8s.io/decision")
            .is_some_and(|decision| decision == "forbid")
    }

    /// Whether it was about `resource` of `group`, in whatever subresource.
    pub fn is_about(&self, group: &str, resource: &str) -> bool {
        self.object_ref
            .as_ref()
            .is_some_and(|object| object.api_group == group && object.resource == resource)
    }
}

/// Reads every completed request from an audit log; a watch counts once, when it has begun.
pub(crate) fn read(path: &Path) -> Result<Vec<Entry>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    // The last line may still be being written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut entries = Vec::new();
    for line in whole.lines() {
        let entry: Entry = serde_json::from_str(line).context("a line of the audit log is not an event")?;
        let counted = if entry.verb == "watch" {
            "ResponseStarted"
        } else {
            "ResponseComplete"
        };
        if entry.stage == counted {
            entries.push(entry);
        }
    }
    Ok(entries)
}
