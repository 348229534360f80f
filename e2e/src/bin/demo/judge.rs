//! Which rule decides, by `decide` and the objects of the cluster.

use anyhow::Result;
use countersign_identity::SpiffeId;
use countersign_operator::fact;
use countersign_operator::kinds::Source;
use countersign_operator::owned::Trust;
use countersign_operator::store::Store;
use countersign_policy::decide::{Decision, Place, Request, decide};
use countersign_policy::resolve::Resolved;
use countersign_policy::{MeshSettings, World as _, resolve_policy};
use e2e::Testbed;
use kube::Api;
use kube::api::ListParams;
use kube::core::DynamicObject;

use crate::cases::{Caller, Case};
use crate::shop::{Shop, now};

/// Decides as the cluster's policies say.
pub(crate) struct Judge {
    store: Store,
    mesh: MeshSettings,
}

/// What was decided, and by what.
pub(crate) struct Verdict {
    pub(crate) admitted: bool,
    pub(crate) by: String,
}

impl Judge {
    /// Reads the cluster.
    pub(crate) async fn read(testbed: &Testbed) -> Result<Self> {
        let mut store = Store::default();
        for source in Source::all() {
            let api: Api<DynamicObject> = Api::all_with(testbed.client(), &source.resource());
            for object in api.list(&ListParams::default()).await?.items {
                if let Some(fact) = fact::of_object(source, &object) {
                    store.see(fact::name_of(&object.metadata), fact, Trust::Whatever);
                }
            }
        }
        let mesh = MeshSettings {
            trust_domain: "cluster.local".parse()?,
            root_namespace: "istio-system".to_owned(),
        };
        Ok(Self { store, mesh })
    }

    /// Decides on a request at each hop, the gateway first where there is one.
    pub(crate) fn decide(&self, case: &Case, shop: &Shop) -> Verdict {
        let headers = shop.headers(case);
        let hop = |namespace: &str, place: Place, peer: Option<SpiffeId>| {
            let resolved = self.policies(namespace);
            if resolved.is_empty() {
                return Verdict {
                    admitted: true,
                    by: format!("{namespace}: only recorded (dry run)"),
                };
            }
            let request = Request {
                peer: peer.as_ref(),
                method: case.method,
                target: case.path,
                headers: &headers,
            };
            match decide(&resolved.iter().collect::<Vec<_>>(), place, &request, now()) {
                Decision::Admitted { policy, rule } => Verdict {
                    admitted: true,
                    by: format!("{namespace}/{policy}: {rule}"),
                },
                Decision::Refused(refusal) => Verdict {
                    admitted: false,
                    by: format!("{namespace}: {refusal}"),
                },
            }
        };
        match case.caller {
            Caller::Pod(from) => hop(case.service, Place::Workload, self.identity(from, from)),
            Caller::Node => hop(case.service, Place::Workload, None),
            Caller::Outside => {
                let at_gateway = hop("edge", Place::Gateway, None);
                if !at_gateway.admitted {
                    return at_gateway;
                }
                let behind = hop(case.service, Place::Workload, self.identity("edge", "shop-istio"));
                Verdict {
                    admitted: behind.admitted,
                    by: format!("{}; {}", at_gateway.by, behind.by),
                }
            }
        }
    }

    fn identity(&self, namespace: &str, account: &str) -> Option<SpiffeId> {
        SpiffeId::service_account(&self.mesh.trust_domain, namespace, account).ok()
    }

    /// The policies of a namespace that refuse: in the examples, each namespace has one target.
    fn policies(&self, namespace: &str) -> Vec<Resolved> {
        let world = &self.store.world;
        let enforced = world
            .policies(namespace)
            .into_iter()
            .filter(|policy| policy.mode == countersign_policy::model::Mode::Enforce);
        enforced
            .filter_map(|policy| resolve_policy(&policy.name, world, &self.mesh)?.ok())
            .collect()
    }
}
