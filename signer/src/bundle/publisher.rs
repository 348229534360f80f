//! The loop that writes the roots to where they are published.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use countersign_identity::{Bundle, TrustDomain};
use countersign_runtime::client::CALL_LIMIT;
use countersign_runtime::lease::Leadership;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::content::{BUNDLE_LABEL, CONFIG_MAP, Content, ForeignContent, bundle_name};
use super::places::{Bundles, Change, Places};
use super::{Namespaces, Publication};
use crate::authority::store::FIELD_MANAGER;
use crate::authority::{AuthorityMetrics, Failure};
use crate::discovery;
use crate::federation::Foreign;

/// Who writes foreign bundles, in the eyes of the API server.
const FEDERATION_MANAGER: &str = "countersign.dev/signer-federation";
/// How often an API server is asked whether it has `ClusterTrustBundles` by now.
const PERIOD: Duration = Duration::from_mins(1);
/// How long to wait after something could not be written.
const AGAIN: Duration = Duration::from_secs(5);

/// Something that was seen.
enum Seen {
    Namespace(watcher::Result<Event<PartialObjectMeta<Namespace>>>),
    ConfigMap(watcher::Result<Event<ConfigMap>>),
    Bundle(watcher::Result<Event<DynamicObject>>),
}

/// Writes the roots.
pub struct Publisher {
    /// The API server.
    pub client: Client,
    /// The trust domain.
    pub trust_domain: TrustDomain,
    /// What is published.
    pub roots: watch::Receiver<Option<Arc<Bundle>>>,
    /// Which namespaces get them.
    pub namespaces: Namespaces,
    /// The signer's own namespace, which gets them unasked: the agents of the nodes run there.
    pub own_namespace: String,
    /// Whether this replica writes.
    pub leadership: Leadership,
    /// Told what is published.
    pub publication: watch::Sender<Publication>,
    /// Counts what fails.
    pub metrics: AuthorityMetrics,
}

impl Publisher {
    /// Publishes the own roots until `stop`, and beside them the bundles of foreign trust domains, once they are known.
    pub async fn run(mut self, mut foreign: watch::Receiver<Option<Foreign>>, stop: CancellationToken) {
        let mut places = Places::default();
        let mut listed = Listed {
            own_namespace: self.own_namespace.clone(),
            ..Listed::default()
        };
        let mut resource = None;
        let mut seen = self.watches();
        let mut wait = Duration::ZERO;
        while !stop.is_cancelled() {
            let held = self.leadership.holds();
            tokio::select! {
                () = stop.cancelled() => return,
                Some(event) = seen.next() => listed.take(event, &mut places),
                Ok(()) = self.roots.changed() => {}
                Ok(()) = foreign.changed() => {}
                () = self.leadership.changed_from(held) => {}
                () = sleep(wait) => {}
            }
            if resource.is_none()
                && let Some(served) = served(&self.client).await
            {
                if let Some(kind) = &served {
                    seen = futures::stream::select(seen, self.bundles(kind)).boxed();
                } else {
                    places.bundle = Bundles::NotServed;
                }
                resource = served;
            }
            let mut failed = self.write(&mut places, resource.as_ref()).await;
            let known = foreign.borrow_and_update().clone();
            if let Some(foreign) = known {
                failed |= self.write_foreign(&mut places, &foreign).await;
            }
            wait = if failed { AGAIN } else { PERIOD };
        }
    }

    fn watches(&self) -> BoxStream<'static, Seen> {
        let namespaces = Api::<PartialObjectMeta<Namespace>>::all(self.client.clone());
        let asking = match self.namespaces {
            Namespaces::Labelled => Config::default().labels(&format!("{BUNDLE_LABEL}=enabled")),
            Namespaces::All => Config::default(),
        };
        let config_maps = Api::<ConfigMap>::all(self.client.clone());
        let named = Config::default().fields(&format!("metadata.name={CONFIG_MAP}"));
        futures::stream::select(
            watcher(namespaces, asking).default_backoff().map(Seen::Namespace),
            watcher(config_maps, named).default_backoff().map(Seen::ConfigMap),
        )
        .boxed()
    }

    fn bundles(&self, resource: &ApiResource) -> BoxStream<'static, Seen> {
        let api = Api::<DynamicObject>::all_with(self.client.clone(), resource);
        let named = Config::default().fields(&format!("metadata.name={}", bundle_name(&self.trust_domain)));
        watcher(api, named).default_backoff().map(Seen::Bundle).boxed()
    }

    /// Writes what is due, and tells how it stands. Tells whether something failed.
    async fn write(&mut self, places: &mut Places, resource: Option<&ApiResource>) -> bool {
        let roots = self.roots.borrow_and_update().clone();
        let Some(content) = roots
            .filter(|roots| roots.roots().next().is_some())
            .map(|roots| Content::of(&roots))
        else {
            return false;
        };
        places.failing.clear();
        for change in places.changes(&content) {
            if !self.leadership.holds() {
                return false;
            }
            if let Err(why) = self.change(places, &change, &content, resource).await {
                warn!(place = change.place(), why, "the roots cannot be published");
                self.metrics.failed(Failure::Publish);
                places.failing.insert(change.place(), why);
            }
        }
        let publication = places.publication(&content);
        self.publication.send_if_modified(|told| {
            let differs = *told != publication;
            told.clone_from(&publication);
            differs
        });
        !places.failing.is_empty()
    }

    /// Writes the foreign bundles to where they are not yet. Tells whether something failed.
    async fn write_foreign(&self, places: &mut Places, foreign: &Foreign) -> bool {
        let content = ForeignContent::of(foreign);
        let mut failed = false;
        for change in places.foreign_changes(&content) {
            let Change::ApplyForeign { namespace, uid } = &change else {
                continue;
            };
            if !self.leadership.holds() {
                return failed;
            }
            let api = Api::<ConfigMap>::namespaced(self.client.clone(), namespace);
            // Another manager: what it writes is beside the own roots, and neither takes anything from the other.
            let params = PatchParams::apply(FEDERATION_MANAGER).force();
            let patch = Patch::Apply(content.config_map(namespace, uid));
            match call(api.patch(CONFIG_MAP, &params, &patch)).await {
                Ok(written) => {
                    if let Some(config_maps) = &mut places.config_maps {
                        config_maps.insert(namespace.clone(), written);
                    }
                    info!(
                        namespace,
                        trust_domains = foreign.len(),
                        "published foreign bundles in a ConfigMap"
                    );
                }
                Err(why) => {
                    warn!(place = change.place(), why, "the foreign bundles cannot be published");
                    self.metrics.failed(Failure::Publish);
                    failed = true;
                }
            }
        }
        failed
    }

    async fn change(
        &self,
        places: &mut Places,
        change: &Change,
        content: &Content,
        resource: Option<&ApiResource>,
    ) -> Result<(), String> {
        let params = PatchParams::apply(FIELD_MANAGER).force();
        match change {
            Change::ApplyBundle => {
                let Some(resource) = resource else { return Ok(()) };
                let api = Api::<DynamicObject>::all_with(self.client.clone(), resource);
                let patch = Patch::Apply(content.cluster_trust_bundle(&resource.api_version));
                let written = call(api.patch(&bundle_name(&self.trust_domain), &params, &patch)).await?;
                places.bundle = Bundles::Served(Some(Box::new(written)));
                info!(
                    roots = content.roots.len(),
                    "published the roots in the ClusterTrustBundle"
                );
            }
            Change::Apply(namespace) => {
                let api = Api::<ConfigMap>::namespaced(self.client.clone(), namespace);
                let patch = Patch::Apply(content.config_map(namespace));
                let written = call(api.patch(CONFIG_MAP, &params, &patch)).await?;
                if let Some(config_maps) = &mut places.config_maps {
                    config_maps.insert(namespace.clone(), written);
                }
                info!(
                    namespace,
                    roots = content.roots.len(),
                    "published the roots in a ConfigMap"
                );
            }
            // Not of this content.
            Change::ApplyForeign { .. } => {}
            Change::Delete {
                namespace,
                uid,
                version,
            } => {
                let api = Api::<ConfigMap>::namespaced(self.client.clone(), namespace);
                let params = DeleteParams {
                    preconditions: Some(Preconditions {
                        uid: uid.clone(),
                        resource_version: version.clone(),
                    }),
                    ..DeleteParams::default()
                };
                call(api.delete(CONFIG_MAP, &params)).await?;
                if let Some(config_maps) = &mut places.config_maps {
                    config_maps.remove(namespace);
                }
                info!(
                    namespace,
                    "took back the ConfigMap with the roots: the namespace does not ask for it"
                );
            }
        }
        Ok(())
    }
}

/// What a list has shown so far: what was known before counts until it is complete.
#[derive(Default)]
struct Listed {
    own_namespace: String,
    namespaces: BTreeSet<String>,
    config_maps: BTreeMap<String, ConfigMap>,
    bundle: Option<Box<DynamicObject>>,
}

impl Listed {
    fn take(&mut self, seen: Seen, places: &mut Places) {
        match seen {
            Seen::Namespace(Ok(event)) => self.namespace(event, places),
            Seen::ConfigMap(Ok(event)) => self.config_map(event, places),
            Seen::Bundle(Ok(event)) => self.bundle(event, places),
            Seen::Namespace(Err(error)) => warn!(%error, "the watch of namespaces broke off"),
            Seen::ConfigMap(Err(error)) => warn!(%error, "the watch of ConfigMaps with the roots broke off"),
            Seen::Bundle(Err(error)) => warn!(%error, "the watch of the ClusterTrustBundle broke off"),
        }
    }

    fn namespace(&mut self, event: Event<PartialObjectMeta<Namespace>>, places: &mut Places) {
        match event {
            Event::Init => self.namespaces.clear(),
            Event::InitApply(namespace) if asks(&namespace) => _ = self.namespaces.insert(namespace.name_any()),
            Event::InitDone => {
                let mut namespaces = std::mem::take(&mut self.namespaces);
                namespaces.insert(self.own_namespace.clone());
                places.namespaces = Some(namespaces);
            }
            Event::Apply(namespace) if asks(&namespace) => {
                places.namespaces.get_or_insert_default().insert(namespace.name_any());
            }
            // It has taken its label off, as far as it had one.
            Event::Apply(namespace) | Event::Delete(namespace) if namespace.name_any() == self.own_namespace => {}
            Event::Apply(namespace) | Event::Delete(namespace) => {
                places.namespaces.get_or_insert_default().remove(&namespace.name_any());
            }
            Event::InitApply(_) => {}
        }
    }

    fn config_map(&mut self, event: Event<ConfigMap>, places: &mut Places) {
        let namespace = |map: &ConfigMap| map.namespace().unwrap_or_default();
        match event {
            Event::Init => self.config_maps.clear(),
            Event::InitApply(map) => _ = self.config_maps.insert(namespace(&map), map),
            Event::InitDone => places.config_maps = Some(std::mem::take(&mut self.config_maps)),
            Event::Apply(map) => {
                places.config_maps.get_or_insert_default().insert(namespace(&map), map);
            }
            Event::Delete(map) => _ = places.config_maps.get_or_insert_default().remove(&namespace(&map)),
        }
    }

    fn bundle(&mut self, event: Event<DynamicObject>, places: &mut Places) {
        match event {
            Event::Init => self.bundle = None,
            Event::InitApply(bundle) => self.bundle = Some(Box::new(bundle)),
            Event::InitDone => places.bundle = Bundles::Served(self.bundle.take()),
            Event::Apply(bundle) => places.bundle = Bundles::Served(Some(Box::new(bundle))),
            Event::Delete(_) => places.bundle = Bundles::Served(None),
        }
    }
}

/// One that is being deleted takes nothing new, and is not waited for.
fn asks(namespace: &PartialObjectMeta<Namespace>) -> bool {
    namespace.metadata.deletion_timestamp.is_none()
}

/// The kind in the newest version that the API server has, or that it has none. None at all if it does not say.
pub(crate) async fn served(client: &Client) -> Option<Option<ApiResource>> {
    discovery::newest(client, "ClusterTrustBundle", "clustertrustbundles")
        .await
        .ok()
}

/// Makes a call to the API server, and gives it up after a while.
pub(crate) async fn call<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, String> {
    match timeout(CALL_LIMIT, call).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(kube::Error::Api(status))) => Err(status.message),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the API server does not answer".to_owned()),
    }
}
