//! What every replica does: it has the foreign bundles as they are kept, together with its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_identity::{Bundle, Bundles, TrustDomain};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::kept::{CONFIG_MAP, Keeping};

/// The foreign bundles by their trust domains.
pub type Foreign = Arc<BTreeMap<TrustDomain, Bundle>>;

/// The ConfigMap with the bundles, as it was seen last.
#[derive(Clone, Debug, Default)]
pub(super) enum Reading {
    /// It was not read yet.
    #[default]
    Unread,
    /// There is this one, or none.
    Read(Option<Arc<ConfigMap>>),
}

/// Follows the kept bundles.
pub struct Follower {
    client: Client,
    namespace: String,
    trust_domain: TrustDomain,
    own: watch::Receiver<Option<Arc<Bundle>>>,
    readings: watch::Sender<Reading>,
    foreign: watch::Sender<Option<Foreign>>,
    bundles: watch::Sender<Arc<Bundles>>,
}

impl Follower {
    /// For a signer's namespace and trust domain, whose own bundle is `own`.
    pub fn new(
        client: Client,
        namespace: impl Into<String>,
        trust_domain: TrustDomain,
        own: watch::Receiver<Option<Arc<Bundle>>>,
    ) -> Self {
        let nothing = Bundles::new(Bundle::new(trust_domain.clone()));
        Self {
            client,
            namespace: namespace.into(),
            trust_domain,
            own,
            readings: watch::Sender::default(),
            foreign: watch::Sender::default(),
            bundles: watch::Sender::new(Arc::new(nothing)),
        }
    }

    /// The own bundle and the foreign ones. Before they were read they are empty: nothing is trusted.
    pub fn bundles(&self) -> watch::Receiver<Arc<Bundles>> {
        self.bundles.subscribe()
    }

    /// The foreign bundles; none before they were read.
    pub fn foreign(&self) -> watch::Receiver<Option<Foreign>> {
        self.foreign.subscribe()
    }

    pub(super) fn readings(&self) -> watch::Receiver<Reading> {
        self.readings.subscribe()
    }

    /// Follows until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace);
        let config = Config::default().fields(&format!("metadata.name={CONFIG_MAP}"));
        let mut events = watcher(api, config).default_backoff().boxed();
        let mut listed = None;
        loop {
            self.combine();
            tokio::select! {
                () = stop.cancelled() => return,
                event = events.next() => match event {
                    Some(Ok(Event::Init)) => listed = None,
                    Some(Ok(Event::InitApply(config_map))) => listed = Some(config_map),
                    Some(Ok(Event::InitDone)) => self.take(listed.take()),
                    Some(Ok(Event::Apply(config_map))) => self.take(Some(config_map)),
                    Some(Ok(Event::Delete(_))) => self.take(None),
                    Some(Err(error)) => warn!(%error, "the watch of the ConfigMap {CONFIG_MAP} broke off"),
                    None => return,
                },
                changed = self.own.changed() => if changed.is_err() { return },
            }
        }
    }

    fn take(&self, config_map: Option<ConfigMap>) {
        let keeping = config_map
            .as_ref()
            .map(|there| Keeping::read(&self.trust_domain, there));
        let bundles = keeping.unwrap_or_default().bundles();
        self.foreign.send_if_modified(|foreign| {
            let differs = foreign.as_deref() != Some(&bundles);
            if differs {
                *foreign = Some(Arc::new(bundles));
            }
            differs
        });
        self.readings.send_replace(Reading::Read(config_map.map(Arc::new)));
    }

    fn combine(&mut self) {
        let own = self.own.borrow_and_update().clone();
        let own = own.map_or_else(|| Bundle::new(self.trust_domain.clone()), |own| Bundle::clone(&own));
        let foreign = self.foreign.borrow().clone().unwrap_or_default();
        let bundles = combined(own, &foreign);
        self.bundles.send_if_modified(|there| {
            let differs = **there != bundles;
            if differs {
                *there = Arc::new(bundles);
            }
            differs
        });
    }
}

/// One's own bundle and the foreign ones. Each verifies its own trust domain and no other.
fn combined(own: Bundle, foreign: &BTreeMap<TrustDomain, Bundle>) -> Bundles {
    let mut bundles = Bundles::new(own);
    for bundle in foreign.values() {
        if let Err(error) = bundles.federate(bundle.clone()) {
            warn!(%error, "a foreign bundle is not taken");
        }
    }
    bundles
}

#[cfg(test)]
mod tests;
