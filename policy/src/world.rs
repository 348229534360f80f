//! What a policy is resolved against: the cluster as plain values, looked up through [`World`].

mod facts;

use std::collections::BTreeMap;
use std::fmt;

use crate::parse::{ParsedIdentity, ParsedIssuer, ParsedPolicy, Problem};
use crate::tokens::Client;

pub use facts::{GatewayFacts, HttpRouteFacts, NamespaceFacts, PodFacts, ServiceFacts, WaypointLabel};

/// The name of an object in a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// The namespace.
    pub namespace: String,
    /// The name within the namespace.
    pub name: String,
}

impl ObjectName {
    /// Names an object.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Something that an evaluation looked at, present or not: when it changes, the evaluation may come out differently.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dependency {
    /// A Namespace, for its labels.
    Namespace(String),
    /// A Service.
    Service(ObjectName),
    /// A Gateway of the Gateway API.
    Gateway(ObjectName),
    /// An `HTTPRoute` of the Gateway API.
    HttpRoute(ObjectName),
    /// A `ServiceIdentity`.
    ServiceIdentity(ObjectName),
    /// A `TokenIssuer`, by name.
    TokenIssuer(String),
    /// The policies of a namespace, for those that share a target.
    Policies(String),
    /// The Pods of a namespace, for those that no enforcer stands before.
    Pods(String),
}

/// The cluster, as far as policies are concerned. Lookups cost the same however many objects there are.
pub trait World {
    /// A Namespace.
    fn namespace(&self, name: &str) -> Option<&NamespaceFacts>;
    /// A Service.
    fn service(&self, name: &ObjectName) -> Option<&ServiceFacts>;
    /// A Gateway.
    fn gateway(&self, name: &ObjectName) -> Option<&GatewayFacts>;
    /// An `HTTPRoute`.
    fn http_route(&self, name: &ObjectName) -> Option<&HttpRouteFacts>;
    /// A `ServiceIdentity`.
    fn service_identity(&self, name: &ObjectName) -> Option<&ParsedIdentity>;
    /// A `TokenIssuer`.
    fn token_issuer(&self, name: &str) -> Option<&ParsedIssuer>;
    /// A policy.
    fn policy(&self, name: &ObjectName) -> Option<&ParsedPolicy>;
    /// The policies of a namespace, in the order of their names.
    fn policies(&self, namespace: &str) -> Vec<&ParsedPolicy>;
    /// The Pods of a namespace, by name.
    fn pods(&self, namespace: &str) -> Vec<(&str, &PodFacts)>;
}

/// What the whole mesh has in common: settings of the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshSettings {
    /// The trust domain of the mesh's identities, as in `MeshConfig.trustDomain`.
    pub trust_domain: countersign_identity::TrustDomain,
    /// The mesh's root namespace, as in `MeshConfig.rootNamespace`: what selects Pods there selects them everywhere.
    pub root_namespace: String,
}

/// A [`World`] that holds everything in maps: for tests, and as the operator's store.
#[derive(Clone, Debug, Default)]
pub struct MapWorld {
    /// Namespaces by name.
    pub namespaces: BTreeMap<String, NamespaceFacts>,
    /// Services.
    pub services: BTreeMap<ObjectName, ServiceFacts>,
    /// Gateways.
    pub gateways: BTreeMap<ObjectName, GatewayFacts>,
    /// `HTTPRoute`s.
    pub http_routes: BTreeMap<ObjectName, HttpRouteFacts>,
    /// `ServiceIdentity` objects.
    pub service_identities: BTreeMap<ObjectName, ParsedIdentity>,
    /// `TokenIssuer` objects.
    pub token_issuers: BTreeMap<String, ParsedIssuer>,
    /// `TokenClient` objects, or all that is wrong with them. No policy looks at them: they are for the admission of issuers.
    pub token_clients: BTreeMap<ObjectName, Result<Client, Vec<Problem>>>,
    /// Policies.
    pub policies: BTreeMap<ObjectName, ParsedPolicy>,
    /// Pods.
    pub pods: BTreeMap<ObjectName, PodFacts>,
}

impl MapWorld {
    /// The part of a map whose names are in a namespace.
    fn of<'a, 'n, V>(
        map: &'a BTreeMap<ObjectName, V>,
        namespace: &'n str,
    ) -> impl Iterator<Item = (&'a ObjectName, &'a V)> + use<'a, 'n, V> {
        map.range(ObjectName::new(namespace, "")..)
            .take_while(move |(name, _)| name.namespace == namespace)
    }
}

impl World for MapWorld {
    fn namespace(&self, name: &str) -> Option<&NamespaceFacts> {
        self.namespaces.get(name)
    }

    fn service(&self, name: &ObjectName) -> Option<&ServiceFacts> {
        self.services.get(name)
    }

    fn gateway(&self, name: &ObjectName) -> Option<&GatewayFacts> {
        self.gateways.get(name)
    }

    fn http_route(&self, name: &ObjectName) -> Option<&HttpRouteFacts> {
        self.http_routes.get(name)
    }

    fn service_identity(&self, name: &ObjectName) -> Option<&ParsedIdentity> {
        self.service_identities.get(name)
    }

    fn token_issuer(&self, name: &str) -> Option<&ParsedIssuer> {
        self.token_issuers.get(name)
    }

    fn policy(&self, name: &ObjectName) -> Option<&ParsedPolicy> {
        self.policies.get(name)
    }

    fn policies(&self, namespace: &str) -> Vec<&ParsedPolicy> {
        Self::of(&self.policies, namespace).map(|(_, policy)| policy).collect()
    }

    fn pods(&self, namespace: &str) -> Vec<(&str, &PodFacts)> {
        Self::of(&self.pods, namespace)
            .map(|(name, pod)| (name.name.as_str(), pod))
            .collect()
    }
}
