//! The users' objects, as they stand.

use std::hash::Hash;
use std::sync::Arc;

use countersign_policy::world::ObjectName;
use futures::StreamExt as _;
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher;
use kube::runtime::{WatchStreamExt as _, reflector as reflect};
use kube::{Api, Client, Resource};
use serde_json::Value;
use tokio::sync::watch;
use tracing::warn;

use super::{Parts, Working};

/// Follows a kind, as its objects are and not as their type has them: one that is wrong must not hide the others. Each change is
/// told to `changed`.
pub(super) fn follow<K: Resource<DynamicType = ()>>(
    parts: &Parts,
    working: &mut Working,
    name: &'static str,
    changed: watch::Sender<()>,
) -> Store<DynamicObject> {
    let resource = ApiResource::erase::<K>(&());
    let api = Api::<DynamicObject>::all_with(parts.client.clone(), &resource);
    let (store, part) = reflected(api, resource, watcher::Config::default(), name, changed);
    working.until(&parts.stop, name, part);
    store
}

/// Follows some objects of a kind that is known.
pub(super) fn reflected<K>(
    api: Api<K>,
    kind: K::DynamicType,
    config: watcher::Config,
    name: &'static str,
    changed: watch::Sender<()>,
) -> (Store<K>, impl Future<Output = ()> + Send + 'static)
where
    K: Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + Sync + 'static,
    K::DynamicType: Eq + Hash + Clone + Send + Sync + Unpin,
{
    let writer = reflector::store::Writer::new(kind);
    let store = writer.as_reader();
    let events = watcher::watcher(api, config).default_backoff();
    let part = async move {
        let mut events = reflect(writer, events).boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(_) => {
                    changed.send_replace(());
                }
                Err(error) => warn!(%error, "{name} broke off"),
            }
        }
    };
    (store, part)
}

/// The name of an object.
pub(super) fn name_of(object: &DynamicObject) -> ObjectName {
    ObjectName::new(
        object.metadata.namespace.clone().unwrap_or_default(),
        object.metadata.name.clone().unwrap_or_default(),
    )
}

/// A part of an object; null if it is not there.
pub(super) fn part(object: &DynamicObject, name: &str) -> Value {
    object.data.get(name).cloned().unwrap_or_default()
}

/// All objects of a kind, by name.
pub(super) fn sorted(store: &Store<DynamicObject>) -> Vec<Arc<DynamicObject>> {
    let mut all = store.state();
    all.sort_by_key(|object| name_of(object));
    all
}

/// An object by its name.
pub(super) fn named<K: Resource<DynamicType = ()>>(
    store: &Store<DynamicObject>,
    name: &ObjectName,
) -> Option<Arc<DynamicObject>> {
    let reference = ObjectRef::new_with(&name.name, ApiResource::erase::<K>(&()));
    store.get(&if name.namespace.is_empty() {
        reference
    } else {
        reference.within(&name.namespace)
    })
}

/// A client for a kind.
pub(super) fn api<K: Resource<DynamicType = ()>>(client: &Client, namespace: &str) -> Api<DynamicObject> {
    let resource = ApiResource::erase::<K>(&());
    if namespace.is_empty() {
        Api::all_with(client.clone(), &resource)
    } else {
        Api::namespaced_with(client.clone(), namespace, &resource)
    }
}
