//! Events: what `kubectl describe` shows of a policy's past.

use std::sync::Arc;

use countersign_runtime::events::{EventType, Happening, Publisher};
use countersign_runtime::lease::Leadership;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Client;

use crate::metrics::{Failure, Metrics, Verb};

/// The controller that events come from.
const CONTROLLER: &str = "countersign.dev/operator";

/// Publishes an event whenever readiness changes.
#[derive(Clone)]
pub struct Recorder {
    publisher: Publisher,
    leadership: Leadership,
    metrics: Arc<Metrics>,
}

impl Recorder {
    /// Makes a recorder.
    pub fn new(client: Client, leadership: Leadership, identity: &str, metrics: Arc<Metrics>) -> Self {
        Self {
            publisher: Publisher::new(client, CONTROLLER, identity),
            leadership,
            metrics,
        }
    }

    /// Publishes an event if readiness changed. That it could not be published is no reason to do anything again.
    pub async fn readiness(&self, about: ObjectReference, before: &[Condition], now: &[Condition]) {
        let Some(happening) = change(about, before, now).filter(|_| self.leadership.holds()) else {
            return;
        };
        self.metrics.wrote(Verb::Create, "Event");
        if !self.publisher.publish(happening).await {
            self.metrics.failed(Failure::Event);
        }
    }
}

/// What changed, if readiness did.
fn change(about: ObjectReference, before: &[Condition], now: &[Condition]) -> Option<Happening> {
    let ready = ready(now)?;
    if self::ready(before).is_some_and(|was| was.status == ready.status && was.reason == ready.reason) {
        return None;
    }
    Some(Happening {
        event_type: if ready.status == "True" {
            EventType::Normal
        } else {
            EventType::Warning
        },
        about,
        reason: ready.reason.clone(),
        action: "Reconcile",
        note: ready.message.clone(),
    })
}

/// The condition Ready.
pub fn ready(conditions: &[Condition]) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == "Ready")
}
