//! Follows what the judgement depends on in the cluster.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use countersign_crds::CredentialWaiver;
use countersign_runtime::http::Readiness;
use countersign_scan::{Waiver, Waivers};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;
use tracing::warn;

use crate::answer::State;
use crate::cluster::Caps;

/// Follows the labels of namespaces for as long as it is polled.
pub async fn namespaces(client: Client, state: Arc<State>, ready: watch::Sender<Readiness>) {
    ready.send_replace(Readiness::Missing("the namespaces have not been read yet"));
    let api = Api::<PartialObjectMeta<Namespace>>::all(client);
    let mut events = watcher(api, Config::default()).default_backoff().boxed();
    let mut listed = HashMap::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(namespace)) => {
                let caps = caps(&namespace);
                if caps != Caps::default() {
                    listed.insert(namespace.name_any(), caps);
                }
            }
            Ok(Event::InitDone) => {
                state.cluster.set_all_caps(std::mem::take(&mut listed));
                ready.send_replace(Readiness::Ready);
            }
            Ok(Event::Apply(namespace)) => state.cluster.set_caps(&namespace.name_any(), caps(&namespace)),
            Ok(Event::Delete(namespace)) => state.cluster.set_caps(&namespace.name_any(), Caps::default()),
            Err(error) => warn!(%error, "the watch of namespaces broke off"),
        }
    }
}

fn caps(namespace: &PartialObjectMeta<Namespace>) -> Caps {
    let labels = namespace.labels();
    Caps::of(&namespace.name_any(), |key| labels.get(key).map(String::as_str))
}

/// Follows `CredentialWaiver` objects for as long as it is polled. `home` is the webhook's own namespace.
pub async fn waivers(client: Client, state: Arc<State>, home: String, ready: watch::Sender<Readiness>) {
    ready.send_replace(Readiness::Missing("the CredentialWaivers have not been read yet"));
    let api = Api::<DynamicObject>::all_with(client, &ApiResource::erase::<CredentialWaiver>(&()));
    let mut events = watcher(api, Config::default()).default_backoff().boxed();
    let mut known = BTreeMap::new();
    let mut complete = false;
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => {
                known.clear();
                complete = false;
            }
            Ok(Event::InitApply(object) | Event::Apply(object)) => match read(&object) {
                Some(waiver) => _ = known.insert(key(&object), waiver),
                None => _ = known.remove(&key(&object)),
            },
            Ok(Event::Delete(object)) => _ = known.remove(&key(&object)),
            Ok(Event::InitDone) => complete = true,
            Err(error) => warn!(%error, "the watch of CredentialWaivers broke off"),
        }
        // What was known before a new list counts until the list is complete.
        if complete {
            state
                .cluster
                .set_waivers(Waivers::new(known.values().cloned(), Some(&home)));
            ready.send_replace(Readiness::Ready);
        }
    }
}

/// One that is not understood covers nothing; its status says why.
fn read(object: &DynamicObject) -> Option<Waiver> {
    Waiver::parse(&serde_json::to_value(object).ok()?).ok()
}

fn key(object: &DynamicObject) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}
