//! Events: what `kubectl describe` shows of an object's past.
//!
//! kube's own recorder walks through all events of the last minutes at each new one, which the first audit of a large
//! cluster would feel.

use std::sync::Arc;

use countersign_runtime::client::CALL_LIMIT;
use countersign_runtime::clock;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::time::timeout;
use tracing::debug;

/// The controller that events come from.
const CONTROLLER: &str = "countersign.dev/webhook";
/// How much of an object's name goes into that of an event.
const LONGEST_NAME: usize = 200;
/// The longest note that the API server takes, in bytes.
const LONGEST_NOTE: usize = 1024;

/// Publishes events. That one could not be published is no reason to do anything again.
#[derive(Clone)]
pub struct Events {
    client: Client,
    identity: Arc<str>,
}

impl Events {
    /// Makes a publisher; `identity` is what this replica is called.
    pub fn new(client: Client, identity: &str) -> Self {
        Self {
            client,
            identity: identity.into(),
        }
    }

    /// Something that is as it should be.
    pub async fn normal(&self, about: ObjectReference, reason: &str, action: &str, note: String) {
        self.publish("Normal", about, reason, action, &note).await;
    }

    /// Something that somebody should look at.
    pub async fn warning(&self, about: ObjectReference, reason: &str, action: &str, note: String) {
        self.publish("Warning", about, reason, action, &note).await;
    }

    async fn publish(&self, kind: &str, about: ObjectReference, reason: &str, action: &str, note: &str) {
        let time = clock::precise();
        // With the time behind it, the name must still be one.
        let name: String = about
            .name
            .iter()
            .flat_map(|name| name.chars())
            .take(LONGEST_NAME)
            .collect();
        let namespace = about.namespace.clone().filter(|namespace| !namespace.is_empty());
        let namespace = namespace.unwrap_or_else(|| "default".to_owned());
        let event = Event {
            metadata: ObjectMeta {
                name: Some(format!("{}.{:x}", event_name(&name), time.as_nanosecond())),
                namespace: Some(namespace.clone()),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(time)),
            action: Some(action.to_owned()),
            reason: Some(reason.to_owned()),
            note: Some(shortened(note)),
            type_: Some(kind.to_owned()),
            regarding: Some(about),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.identity.to_string()),
            ..Event::default()
        };
        let api = Api::<Event>::namespaced(self.client.clone(), &namespace);
        let params = PostParams::default();
        match timeout(CALL_LIMIT, api.create(&params, &event)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => debug!(%error, "an event could not be published"),
            Err(_) => debug!("an event could not be published in time"),
        }
    }
}

/// Names of RBAC objects may hold what names of events may not.
fn event_name(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let mapped: String = name.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
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
    fn an_event_has_a_name_that_the_api_server_takes(#[case] name: &str, #[case] expected: &str) {
        assert_eq!(event_name(name), expected);
    }
}
