//! Publishes the roots of foreign trust domains for workloads: a `ClusterTrustBundle` for each, where the API server has the kind.
//!
//! They are under a signer name of their own. A Pod that asks for all roots under a signer's name must not get those of
//! strangers among its own.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_identity::{Bundle, TrustDomain};
use countersign_runtime::lease::Leadership;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::follow::{Follower, Foreign};
use crate::authority::store::FIELD_MANAGER;
use crate::bundle::{MANAGED, TRUST_DOMAIN_LABEL, call, domain_label, served};

/// The name by which Pods ask for foreign roots.
pub const FEDERATED_SIGNER_NAME: &str = "countersign.dev/federated";
/// The label that marks them.
pub const FEDERATED_LABEL: &str = "countersign.dev/federated";

/// How often an API server is asked whether it has the kind by now.
const PERIOD: Duration = Duration::from_mins(1);
/// How long to wait after something could not be written.
const AGAIN: Duration = Duration::from_secs(5);

/// The name of the `ClusterTrustBundle` of a foreign trust domain. As with the own one, an underscore becomes a dash.
pub fn bundle_name(trust_domain: &TrustDomain) -> String {
    let domain = trust_domain.as_str().replace('_', "-");
    format!("{}:{domain}", FEDERATED_SIGNER_NAME.replace('/', ":"))
}

/// Publishes them.
pub struct Publisher {
    client: Client,
    foreign: watch::Receiver<Option<Foreign>>,
    leadership: Leadership,
}

/// What is there, by name.
#[derive(Debug, Default)]
struct There {
    bundles: Option<BTreeMap<String, DynamicObject>>,
    listing: BTreeMap<String, DynamicObject>,
}

/// A change that is due.
#[derive(Clone, Debug, PartialEq)]
enum Change {
    Apply { name: String, object: Value },
    Delete { name: String, uid: Option<String> },
}

impl Publisher {
    /// For what a follower knows.
    pub fn new(client: Client, follower: &Follower, leadership: Leadership) -> Self {
        Self {
            client,
            foreign: follower.foreign(),
            leadership,
        }
    }

    /// Publishes until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut there = There::default();
        let mut kind = None;
        let mut events: BoxStream<'static, _> = futures::stream::pending().boxed();
        let mut wait = Duration::ZERO;
        while !stop.is_cancelled() {
            let held = self.leadership.holds();
            tokio::select! {
                () = stop.cancelled() => return,
                Some(event) = events.next() => there.take(event),
                Ok(()) = self.foreign.changed() => {}
                () = self.leadership.changed_from(held) => {}
                () = sleep(wait) => {}
            }
            if kind.is_none()
                && let Some(Some(served)) = served(&self.client).await
            {
                events = bundles(&self.client, &served);
                kind = Some(served);
            }
            let failed = match &kind {
                Some(kind) => self.write(&mut there, kind).await,
                None => false,
            };
            wait = if failed { AGAIN } else { PERIOD };
        }
    }

    /// Writes what is due. Tells whether something failed.
    async fn write(&mut self, there: &mut There, kind: &ApiResource) -> bool {
        let Some(foreign) = self.foreign.borrow_and_update().clone() else {
            return false;
        };
        let api = Api::<DynamicObject>::all_with(self.client.clone(), kind);
        let mut failed = false;
        for change in there.changes(&foreign, &kind.api_version) {
            if !self.leadership.holds() {
                return false;
            }
            let (name, done) = match change {
                Change::Apply { name, object } => {
                    let params = PatchParams::apply(FIELD_MANAGER).force();
                    let written = call(api.patch(&name, &params, &Patch::Apply(object))).await;
                    (name, written.map(|written| there.put(written)))
                }
                Change::Delete { name, uid } => {
                    let params = DeleteParams {
                        preconditions: Some(Preconditions {
                            uid,
                            resource_version: None,
                        }),
                        ..DeleteParams::default()
                    };
                    let deleted = call(api.delete(&name, &params)).await;
                    (name.clone(), deleted.map(|_| there.remove(&name)))
                }
            };
            match done {
                Ok(()) => info!(name, "published, or took back, the roots of a foreign trust domain"),
                Err(why) => {
                    warn!(name, why, "the roots of a foreign trust domain cannot be published");
                    failed = true;
                }
            }
        }
        failed
    }
}

fn bundles(client: &Client, kind: &ApiResource) -> BoxStream<'static, watcher::Result<Event<DynamicObject>>> {
    let api = Api::<DynamicObject>::all_with(client.clone(), kind);
    let ours = Config::default().labels(&format!("{FEDERATED_LABEL}=true,{}={}", MANAGED.0, MANAGED.1));
    watcher(api, ours).default_backoff().boxed()
}

impl There {
    fn take(&mut self, event: watcher::Result<Event<DynamicObject>>) {
        match event {
            Ok(Event::Init) => self.listing.clear(),
            Ok(Event::InitApply(bundle)) => _ = self.listing.insert(bundle.name_any(), bundle),
            Ok(Event::InitDone) => self.bundles = Some(std::mem::take(&mut self.listing)),
            Ok(Event::Apply(bundle)) => self.put(bundle),
            Ok(Event::Delete(bundle)) => self.remove(&bundle.name_any()),
            Err(error) => warn!(%error, "the watch of ClusterTrustBundles of foreign trust domains broke off"),
        }
    }

    fn put(&mut self, bundle: DynamicObject) {
        self.bundles.get_or_insert_default().insert(bundle.name_any(), bundle);
    }

    fn remove(&mut self, name: &str) {
        self.bundles.get_or_insert_default().remove(name);
    }

    /// What has to change so that each bundle with roots is there, and no other. The API server takes none without roots.
    fn changes(&self, foreign: &BTreeMap<TrustDomain, Bundle>, api_version: &str) -> Vec<Change> {
        let Some(there) = &self.bundles else {
            return Vec::new();
        };
        let with_roots = foreign.values().filter(|bundle| bundle.roots().next().is_some());
        let wanted: BTreeMap<String, Value> = with_roots
            .map(|bundle| (bundle_name(bundle.trust_domain()), object(bundle, api_version)))
            .collect();
        let gone = there.iter().filter(|(name, _)| !wanted.contains_key(*name));
        let gone = gone.map(|(name, bundle)| Change::Delete {
            name: name.clone(),
            uid: bundle.metadata.uid.clone(),
        });
        let mut changes: Vec<Change> = gone.collect();
        for (name, object) in wanted {
            if !there.get(&name).is_some_and(|bundle| has(bundle, &object)) {
                changes.push(Change::Apply { name, object });
            }
        }
        changes
    }
}

fn object(bundle: &Bundle, api_version: &str) -> Value {
    let domain = bundle.trust_domain();
    let labels = BTreeMap::from([
        MANAGED,
        (FEDERATED_LABEL, "true"),
        (TRUST_DOMAIN_LABEL, domain_label(domain)),
    ]);
    json!({
        "apiVersion": api_version,
        "kind": "ClusterTrustBundle",
        "metadata": {"name": bundle_name(domain), "labels": labels},
        "spec": {"signerName": FEDERATED_SIGNER_NAME, "trustBundle": bundle.to_pem()},
    })
}

/// Whether a `ClusterTrustBundle` has all of this.
fn has(there: &DynamicObject, wanted: &Value) -> bool {
    let labels = |name: &str| there.metadata.labels.as_ref().and_then(|labels| labels.get(name));
    let labelled = wanted["metadata"]["labels"].as_object().is_some_and(|wanted| {
        wanted
            .iter()
            .all(|(name, value)| labels(name).map(String::as_str) == value.as_str())
    });
    labelled && there.data["spec"] == wanted["spec"]
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, IsCa, KeyPair};

    use super::*;

    fn bundle(domain: &str) -> (TrustDomain, Bundle) {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let mut bundle = Bundle::new(domain.parse().unwrap());
        bundle.add_pem(certificate.pem().as_bytes()).unwrap();
        (bundle.trust_domain().clone(), bundle)
    }

    fn names(changes: &[Change]) -> Vec<&str> {
        let names = changes.iter().map(|change| match change {
            Change::Apply { name, .. } | Change::Delete { name, .. } => name.as_str(),
        });
        names.collect()
    }

    #[test]
    fn each_foreign_trust_domain_with_roots_has_one_and_only_those() {
        let (a, b) = (bundle("a.example"), bundle("b_c"));
        let empty: TrustDomain = "empty".parse().unwrap();
        let mut foreign = BTreeMap::from([a.clone(), b.clone(), (empty.clone(), Bundle::new(empty))]);
        let mut there = There::default();
        assert_eq!(
            there.changes(&foreign, "certificates.k8s.io/v1"),
            [],
            "it was not read yet"
        );
        there.bundles = Some(BTreeMap::new());
        let changes = there.changes(&foreign, "certificates.k8s.io/v1");
        assert_eq!(
            names(&changes),
            ["countersign.dev:federated:a.example", "countersign.dev:federated:b-c"]
        );
        for change in changes {
            let Change::Apply { object, .. } = change else {
                panic!("{change:?}");
            };
            there.put(serde_json::from_value(object).unwrap());
        }
        assert_eq!(there.changes(&foreign, "certificates.k8s.io/v1"), []);
        // Its roots change, another goes.
        foreign.remove(&b.0);
        foreign.insert(a.0, bundle("a.example").1);
        let changes = there.changes(&foreign, "certificates.k8s.io/v1");
        assert!(matches!(&changes[..], [Change::Delete { name, .. }, Change::Apply { .. }] if name.ends_with("b-c")));
    }
}
