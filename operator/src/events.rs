//! Events: what `kubectl describe` shows of a policy's past.
//!
//! kube's own recorder remembers every event for six minutes and walks through all of them at each new one, which ten
//! thousand policies that start together would feel. An event is published only when readiness changes, so there is
//! nothing to fold together.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, MicroTime};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::time::timeout;
use tracing::debug;

use crate::metrics::{Failure, Metrics, Verb};
use countersign_runtime::client::CALL_LIMIT;
use countersign_runtime::clock;
use countersign_runtime::lease::Leadership;

/// The controller that events come from.
const CONTROLLER: &str = "countersign.dev/operator";
/// How much of an object's name goes into that of an event.
const LONGEST_NAME: usize = 200;
/// The longest note that the API server takes.
const LONGEST_NOTE: usize = 1024;

/// Publishes events.
#[derive(Clone)]
pub struct Recorder {
    client: Client,
    leadership: Leadership,
    identity: Arc<str>,
    metrics: Arc<Metrics>,
}

impl Recorder {
    /// Makes a recorder.
    pub fn new(client: Client, leadership: Leadership, identity: &str, metrics: Arc<Metrics>) -> Self {
        Self {
            client,
            leadership,
            identity: identity.into(),
            metrics,
        }
    }

    /// Publishes an event if readiness changed. That it could not be published is no reason to do anything again.
    pub async fn readiness(&self, about: ObjectReference, before: &[Condition], now: &[Condition]) {
        let Some(event) = self.event(about, before, now).filter(|_| self.leadership.holds()) else {
            return;
        };
        let namespace = event.metadata.namespace.clone().unwrap_or_default();
        let api = Api::<Event>::namespaced(self.client.clone(), &namespace);
        self.metrics.wrote(Verb::Create, "Event");
        let published = timeout(CALL_LIMIT, api.create(&PostParams::default(), &event)).await;
        if !matches!(published, Ok(Ok(_))) {
            self.metrics.failed(Failure::Event);
            debug!(?published, "an event could not be published");
        }
    }

    fn event(&self, about: ObjectReference, before: &[Condition], now: &[Condition]) -> Option<Event> {
        let ready = ready(now)?;
        if self::ready(before).is_some_and(|was| was.status == ready.status && was.reason == ready.reason) {
            return None;
        }
        let time = clock::precise();
        // With the time behind it, the name must still be one.
        let name: String = about
            .name
            .iter()
            .flat_map(|name| name.chars())
            .take(LONGEST_NAME)
            .collect();
        Some(Event {
            metadata: ObjectMeta {
                name: Some(format!("{name}.{:x}", time.as_nanosecond())),
                namespace: Some(about.namespace.clone().unwrap_or_else(|| "default".to_owned())),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(time)),
            action: Some("Reconcile".to_owned()),
            reason: Some(ready.reason.clone()),
            note: Some(shortened(&ready.message)),
            type_: Some(if ready.status == "True" { "Normal" } else { "Warning" }.to_owned()),
            regarding: Some(about),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.identity.to_string()),
            ..Event::default()
        })
    }
}

/// The condition Ready.
pub fn ready(conditions: &[Condition]) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == "Ready")
}

fn shortened(message: &str) -> String {
    if message.len() <= LONGEST_NOTE {
        return message.to_owned();
    }
    let end = (0..=LONGEST_NOTE - 3)
        .rev()
        .find(|end| message.is_char_boundary(*end))
        .unwrap_or(0);
    format!("{}...", &message[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_notes_are_cut_between_characters() {
        assert_eq!(shortened("short"), "short");
        let long = "é".repeat(600);
        let cut = shortened(&long);
        assert!(cut.len() <= LONGEST_NOTE && cut.ends_with("é..."));
    }
}
