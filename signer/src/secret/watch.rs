//! Follows the metadata of Countersign's Secrets.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_policy::ObjectName;
use countersign_policy::object::{MANAGED_BY_LABEL, MANAGER};
use futures::StreamExt as _;
use futures::future::{join_all, pending};
use k8s_openapi::api::core::v1::Secret;
use kube::api::ObjectMeta;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use tokio::sync::watch as channel;
use tracing::warn;

use super::{IDENTITY_LABEL, Scope, Seen};

/// The Secrets that are there, by name. Clones are of one map.
#[derive(Clone, Debug, Default)]
pub(super) struct SeenSecrets {
    secrets: Arc<Mutex<BTreeMap<ObjectName, Seen>>>,
    /// Which places were read completely once.
    listed: channel::Sender<HashSet<Option<String>>>,
}

impl SeenSecrets {
    fn secrets(&self) -> MutexGuard<'_, BTreeMap<ObjectName, Seen>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In how many places they were read completely once.
    pub(super) fn listed(&self) -> usize {
        self.listed.borrow().len()
    }

    /// Tells of each change from now on.
    pub(super) fn changes(&self) -> channel::Receiver<HashSet<Option<String>>> {
        self.listed.subscribe()
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

    /// These are all there are in a place.
    fn all_of(&self, place: Option<&str>, names: &HashSet<ObjectName>) {
        let elsewhere = |name: &ObjectName| place.is_some_and(|place| place != name.namespace);
        self.secrets().retain(|name, _| elsewhere(name) || names.contains(name));
        self.listed
            .send_modify(|listed| _ = listed.insert(place.map(str::to_owned)));
    }

    fn changed(&self) {
        self.listed.send_modify(|_| ());
    }
}

/// Follows them for as long as it is polled.
pub(super) async fn follow(client: Client, scope: &Scope, seen: &SeenSecrets) {
    let places = scope.places(&client).into_iter();
    join_all(places.map(|(place, api)| follow_in(place, api, seen.clone()))).await;
    // Where there is nowhere to look nothing ever changes.
    pending::<()>().await;
}

async fn follow_in(place: Option<String>, api: Api<PartialObjectMeta<Secret>>, seen: SeenSecrets) {
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
                seen.all_of(place.as_deref(), &listed);
            }
            Ok(Event::Apply(secret)) => {
                seen.learn(&name_of(&secret.metadata), &secret.metadata);
                seen.changed();
            }
            Ok(Event::Delete(secret)) => {
                seen.secrets().remove(&name_of(&secret.metadata));
                seen.changed();
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
