//! The `FederatedTrustDomain` objects, as they were seen last.

use std::collections::BTreeMap;

use countersign_crds::FederatedTrustDomain;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use tracing::warn;

use crate::federation::object::Seen;

/// Follows them as they are, not as their type has them: one that is wrong must not hide the others.
pub(super) fn watch(client: &Client) -> BoxStream<'static, watcher::Result<Event<DynamicObject>>> {
    let resource = ApiResource::erase::<FederatedTrustDomain>(&());
    let api = Api::<DynamicObject>::all_with(client.clone(), &resource);
    watcher(api, Config::default()).default_backoff().boxed()
}

/// What was seen.
#[derive(Default)]
pub(super) struct Objects {
    listed: Option<BTreeMap<String, Seen>>,
    listing: BTreeMap<String, Seen>,
}

impl Objects {
    /// All objects by their names; none before they were listed.
    pub(super) fn listed(&self) -> Option<&BTreeMap<String, Seen>> {
        self.listed.as_ref()
    }

    pub(super) fn take(&mut self, event: watcher::Result<Event<DynamicObject>>) {
        match event {
            Ok(Event::Init) => self.listing.clear(),
            Ok(Event::InitApply(object)) => _ = self.listing.insert(object.name_any(), Seen::read(&object)),
            Ok(Event::InitDone) => self.listed = Some(std::mem::take(&mut self.listing)),
            Ok(Event::Apply(object)) => {
                let listed = self.listed.get_or_insert_default();
                listed.insert(object.name_any(), Seen::read(&object));
            }
            Ok(Event::Delete(object)) => _ = self.listed.get_or_insert_default().remove(&object.name_any()),
            Err(error) => warn!(%error, "the watch of FederatedTrustDomains broke off"),
        }
    }
}
