//! Follows the metadata of Countersign's Secrets.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_policy::ObjectName;
use countersign_policy::object::{MANAGED_BY_LABEL, MANAGER};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ObjectMeta;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use tokio::sync::watch as channel;
use tracing::warn;

use super::{IDENTITY_LABEL, Seen};

/// The Secrets that are there, by name. Clones are of one map.
#[derive(Clone, Debug, Default)]
pub(super) struct SeenSecrets {
    secrets: Arc<Mutex<BTreeMap<ObjectName, Seen>>>,
    complete: channel::Sender<bool>,
}

impl SeenSecrets {
    fn secrets(&self) -> MutexGuard<'_, BTreeMap<ObjectName, Seen>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether they were read completely once.
    pub(super) fn complete(&self) -> bool {
        *self.complete.borrow()
    }

    /// Tells of each change from now on.
    pub(super) fn changes(&self) -> channel::Receiver<bool> {
        self.complete.subscribe()
    }

    pub(super) fn read<T>(&self, look: impl FnOnce(&BTreeMap<ObjectName, Seen>) -> T) -> T {
        look(&self.secrets())
    }

    /// Takes in a Secret as it was written.
    pub(super) fn learn(&self, name: &ObjectName, metadata: &ObjectMeta) {
        match Seen::of(metadata) {
            Some(seen) => drop(self.secrets().insert(name.clone(), seen)),
            None => drop(self.secrets().remove(name)),
        }
    }

    fn changed(&self, complete: bool) {
        self.complete.send_modify(|known| *known |= complete);
    }
}

/// Follows them for as long as it is polled.
pub(super) async fn follow(client: Client, seen: SeenSecrets) {
    let api: Api<PartialObjectMeta<Secret>> = Api::all(client);
    let labels = format!("{MANAGED_BY_LABEL}={MANAGER},{IDENTITY_LABEL}");
    let config = watcher::Config::default().labels(&labels);
    let mut events = watcher(api, config).default_backoff().boxed();
    let mut listed = HashSet::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(secret)) => {
                let name = name_of(&secret.metadata);
                seen.learn(&name, &secret.metadata);
                listed.insert(name);
            }
            Ok(Event::InitDone) => {
                seen.secrets().retain(|name, _| listed.contains(name));
                seen.changed(true);
            }
            Ok(Event::Apply(secret)) => {
                seen.learn(&name_of(&secret.metadata), &secret.metadata);
                seen.changed(false);
            }
            Ok(Event::Delete(secret)) => {
                seen.secrets().remove(&name_of(&secret.metadata));
                seen.changed(false);
            }
            Err(error) => warn!(%error, "the watch of Secrets broke off"),
        }
    }
}

fn name_of(metadata: &ObjectMeta) -> ObjectName {
    ObjectName::new(
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    )
}
