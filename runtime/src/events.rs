//! Events: what `kubectl describe` shows of an object's past.
//!
//! kube's own recorder remembers every event for six minutes and walks through all of them at each new one, which the first audit
//! of a large cluster, or ten thousand policies that start together, would feel. Whoever publishes here does so when something
//! changed, so that there is nothing to fold together.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::time::timeout;
use tracing::debug;

use crate::client::CALL_LIMIT;
use crate::clock;

/// How much of an object's name goes into that of an event, in characters: with the time behind it, it must still be one.
const LONGEST_NAME: usize = 200;
/// The longest note that the API server takes, in bytes.
const LONGEST_NOTE: usize = 1024;

/// Whether somebody should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// It is as it should be.
    Normal,
    /// Somebody should look at it.
    Warning,
}

impl EventType {
    fn name(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Happening {
    /// Whether somebody should look.
    pub event_type: EventType,
    /// To what it happened.
    pub about: ObjectReference,
    /// Why, in one word.
    pub reason: String,
    /// What was done or tried, in one word.
    pub action: &'static str,
    /// What happened, for people. It is cut after 1,024 bytes.
    pub note: String,
}

/// Publishes events.
#[derive(Clone)]
pub struct Publisher {
    client: Client,
    controller: &'static str,
    identity: Arc<str>,
}

impl Publisher {
    /// A publisher. `controller` is what the events come from, as `countersign.dev/operator`; `identity` is what this replica is
    /// called.
    pub fn new(client: Client, controller: &'static str, identity: &str) -> Self {
        Self {
            client,
            controller,
            identity: identity.into(),
        }
    }

    /// Publishes an event, and says whether that could be done. That it could not is logged, and no reason to do anything again.
    pub async fn publish(&self, happening: Happening) -> bool {
        let event = event(happening, self.controller, &self.identity, clock::precise());
        let namespace = event.metadata.namespace.as_deref().unwrap_or_default();
        let api = Api::<Event>::namespaced(self.client.clone(), namespace);
        let params = PostParams::default();
        match timeout(CALL_LIMIT, api.create(&params, &event)).await {
            Ok(Ok(_)) => return true,
            Ok(Err(error)) => debug!(%error, "an event could not be published"),
            Err(_) => debug!("an event could not be published in time"),
        }
        false
    }
}

fn event(happening: Happening, controller: &str, identity: &str, time: Timestamp) -> Event {
    let about = &happening.about;
    // Where kubectl looks for those of an object without a namespace.
    let namespace = about.namespace.clone().filter(|namespace| !namespace.is_empty());
    let name = name(about.name.as_deref().unwrap_or_default());
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{name}.{:x}", time.as_nanosecond())),
            namespace: Some(namespace.unwrap_or_else(|| "default".to_owned())),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(time)),
        action: Some(happening.action.to_owned()),
        reason: Some(happening.reason),
        note: Some(shortened(&happening.note)),
        type_: Some(happening.event_type.name().to_owned()),
        regarding: Some(happening.about),
        reporting_controller: Some(controller.to_owned()),
        reporting_instance: Some(identity.to_owned()),
        ..Event::default()
    }
}

/// Names of RBAC objects may hold what names of events may not.
fn name(object: &str) -> String {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let mapped: String = object
        .chars()
        .take(LONGEST_NAME)
        .map(|c| if allowed(c) { c } else { '-' })
        .collect();
    let trimmed = mapped.trim_matches(['-', '.']);
    if trimmed.is_empty() {
        "object".to_owned()
    } else {
        trimmed.to_owned()
    }
}

fn shortened(note: &str) -> String {
    if note.len() <= LONGEST_NOTE {
        return note.to_owned();
    }
    let end = note.floor_char_boundary(LONGEST_NOTE - 3);
    format!("{}...", &note[..end])
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn long_notes_are_cut_between_characters() {
        assert_eq!(shortened("short"), "short");
        let cut = shortened(&"é".repeat(600));
        assert!(cut.len() <= LONGEST_NOTE && cut.ends_with("é..."));
    }

    #[rstest]
    #[case("checkout", "checkout")]
    #[case("system:auth-delegator", "system-auth-delegator")]
    #[case("::", "object")]
    #[case("", "object")]
    fn an_event_has_a_name_that_the_api_server_takes(#[case] object: &str, #[case] expected: &str) {
        assert_eq!(name(object), expected);
    }

    #[rstest]
    #[case::namespaced(Some("shop"), "shop")]
    #[case::of_the_cluster(None, "default")]
    #[case::empty(Some(""), "default")]
    fn an_event_is_where_kubectl_looks_for_it(#[case] of: Option<&str>, #[case] expected: &str) {
        let happening = Happening {
            event_type: EventType::Warning,
            about: ObjectReference {
                name: Some("a".repeat(253)),
                namespace: of.map(str::to_owned),
                ..ObjectReference::default()
            },
            reason: "Invalid".to_owned(),
            action: "Reconcile",
            note: "mend it".to_owned(),
        };
        let event = event(happening, "countersign.dev/test", "one", Timestamp::UNIX_EPOCH);
        assert_eq!(event.metadata.namespace.as_deref(), Some(expected));
        assert_eq!(event.metadata.name, Some(format!("{}.0", "a".repeat(200))));
        assert_eq!(event.type_.as_deref(), Some("Warning"));
    }
}
