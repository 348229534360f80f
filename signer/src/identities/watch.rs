//! Keeps the index current.

use std::collections::HashSet;

use countersign_crds::ServiceIdentity;
use countersign_policy::ObjectName;
use futures::StreamExt as _;
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::entry::name_of;
use super::{Entry, Identities};

/// Follows the `ServiceIdentity` objects until `stop`.
pub async fn run(identities: Identities, client: Client, stop: CancellationToken) {
    let resource = ApiResource::erase::<ServiceIdentity>(&());
    // As they are, not as their type has them: one that is wrong must not hide the others.
    let api = Api::<DynamicObject>::all_with(client, &resource);
    let mut events = watcher(api, watcher::Config::default()).default_backoff().boxed();
    let mut listed: Option<HashSet<ObjectName>> = None;
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = stop.cancelled() => return,
        };
        match event {
            Some(Ok(event)) => take(&identities, event, &mut listed),
            Some(Err(error)) => warn!(%error, "the watch of ServiceIdentities broke off"),
            None => return,
        }
    }
}

fn take(identities: &Identities, event: Event<DynamicObject>, listed: &mut Option<HashSet<ObjectName>>) {
    match event {
        Event::Init => *listed = Some(HashSet::new()),
        Event::InitApply(object) => {
            if let Some(listed) = listed {
                listed.insert(name_of(&object));
            }
            identities.insert(Entry::read(&object));
        }
        Event::InitDone => {
            let listed = listed.take().unwrap_or_default();
            if !identities.complete() {
                info!(identities = listed.len(), "read the ServiceIdentities");
            }
            identities.listed(|name| listed.contains(name));
        }
        Event::Apply(object) => identities.insert(Entry::read(&object)),
        Event::Delete(object) => identities.remove(&name_of(&object)),
    }
}
