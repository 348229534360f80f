//! A scenario: policies on each target, in a world of fixed identities and issuers.

use countersign_identity::testing::SigningKey;
use countersign_policy::resolve::Resolved;
use countersign_policy::world::{GatewayFacts, NamespaceFacts, ServiceFacts};
use countersign_policy::{MapWorld, MeshSettings, Object, ObjectName, evaluate, parse, resolve_policy};
use jsonwebtoken::Algorithm;
use k8s_openapi::jiff::Timestamp;
use rand::RngExt as Rng;
use serde_json::{Value, json};

use super::judge::Case;
use super::place::{Place, Target};
use super::{policies, requests};

/// The name of the mesh's trust domain.
pub(super) const TRUST_DOMAIN: &str = "cluster.local";
/// Service accounts that ServiceIdentities of the same name stand for.
pub(super) const WORKLOADS: [&str; 3] = ["web", "batch", "ops"];

/// An issuer of tokens, with its signing key and one that nobody knows.
pub(super) struct TokenMaker {
    pub(super) name: &'static str,
    pub(super) id: &'static str,
    pub(super) client_claim: &'static str,
    pub(super) key: SigningKey,
    pub(super) stranger: SigningKey,
}

impl TokenMaker {
    pub(super) fn all() -> Vec<Self> {
        let maker = |name, id, client_claim, algorithm| Self {
            name,
            id,
            client_claim,
            key: SigningKey::generate("k1", algorithm),
            stranger: SigningKey::generate("k1", algorithm),
        };
        vec![
            maker("corp", "https://corp.example", "client_id", Algorithm::ES256),
            maker("partner", "https://partner.example/realm", "azp", Algorithm::RS256),
        ]
    }

    pub(super) fn jwks(&self) -> String {
        SigningKey::jwks(&[&self.key])
    }
}

/// Policies on each target.
#[derive(Clone)]
pub(super) struct Scenario {
    /// For each target, specs of policies.
    pub(super) specs: Vec<Vec<Value>>,
}

impl Scenario {
    pub(super) fn generate(random: &mut impl Rng, place: &Place) -> Self {
        let specs = place
            .targets
            .iter()
            .map(|target| {
                let count = if random.random_ratio(1, 4) { 2 } else { 1 };
                (0..count).map(|_| policies::generate(random, target)).collect()
            })
            .collect();
        Self { specs }
    }

    pub(super) fn cases(&self, random: &mut impl Rng, place: &Place, each: usize) -> Vec<Case> {
        let mut cases = Vec::new();
        for target in 0..place.targets.len() {
            cases.extend((0..each).map(|_| requests::generate(random, place, self, target)));
        }
        cases
    }

    /// The policies that hold on a target.
    pub(super) fn resolved(&self, place: &Place, target: usize) -> Vec<Resolved> {
        let world = self.world(place, target);
        let names = world.policies.keys().cloned().collect::<Vec<_>>();
        names
            .iter()
            .filter_map(|name| resolve_policy(name, &world, &mesh()).and_then(Result::ok))
            .collect()
    }

    /// The objects on a target, in the order of writing.
    pub(super) fn objects(&self, place: &Place, target: usize) -> Vec<(String, Object)> {
        let world = self.world(place, target);
        let evaluate = |name| evaluate(name, &world, &mesh());
        let mut objects: Vec<(String, Object)> = world
            .policies
            .keys()
            .filter_map(|name| Some((name, evaluate(name)?)))
            .flat_map(|(name, evaluation)| evaluation.desired.into_iter().map(|object| (name.name.clone(), object)))
            .collect();
        objects.sort_by_key(|(_, object)| object.role);
        objects
    }

    fn world(&self, place: &Place, target: usize) -> MapWorld {
        let mut world = MapWorld::default();
        let namespace = place.namespace.name();
        let named = |name: &str| ObjectName::new(namespace, name);
        world.namespaces.insert(namespace.to_owned(), NamespaceFacts::default());
        for workload in WORKLOADS {
            let spec = json!({ "serviceAccountName": workload });
            let identity = parse::service_identity(named(workload), &spec, Timestamp::UNIX_EPOCH);
            world.service_identities.insert(named(workload), identity);
        }
        for issuer in &place.issuers {
            let spec = json!({ "external": {
                "issuer": issuer.id, "jwks": issuer.jwks(), "maxTokenLifetime": "5m",
                "clientIdClaim": issuer.client_claim } });
            world.token_issuers.insert(
                issuer.name.to_owned(),
                parse::token_issuer(issuer.name, &spec, &Value::Null),
            );
        }
        match &place.targets[target] {
            Target::Sidecar { name, .. } => {
                let selector = [("app".to_owned(), name.clone())].into();
                world.services.insert(
                    named(name),
                    ServiceFacts {
                        selector,
                        waypoint: None,
                    },
                );
            }
            Target::Gateway { name, .. } => {
                world.gateways.insert(
                    named(name),
                    GatewayFacts {
                        class: "istio".to_owned(),
                    },
                );
            }
        }
        for (at, spec) in self.specs[target].iter().enumerate() {
            let name = named(&format!("{}-{at}", place.targets[target].name()));
            world.policies.insert(name.clone(), parse::policy(name, spec));
        }
        world
    }
}

#[expect(clippy::expect_used, reason = "the trust domain is a constant")]
fn mesh() -> MeshSettings {
    MeshSettings {
        trust_domain: TRUST_DOMAIN.parse().expect("a trust domain"),
        root_namespace: "istio-system".to_owned(),
    }
}
