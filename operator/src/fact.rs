//! What is kept of the objects that are watched: facts, never whole objects.

use std::sync::Arc;

use countersign_crds::{ApiAuthPolicyStatus, MINIMUM_SENSITIVITY_LABEL, ServiceIdentityStatus, TokenIssuerStatus};
use countersign_policy::object::{Kind, POLICY_ANNOTATION, POLICY_UID_LABEL, ROLE_LABEL, Role};
use countersign_policy::parse::{self, ParsedIdentity, ParsedIssuer, ParsedPolicy};
use countersign_policy::world::{
    GatewayFacts, HttpRouteFacts, NamespaceFacts, ObjectName, PodFacts, ServiceFacts, WaypointLabel,
};
use kube::core::{DynamicObject, ObjectMeta};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::digest::{Digest, digest_of};
use crate::kinds::Source;

/// Which write of an object this is. Kubernetes numbers them upwards (KEP-5504).
pub type Version = Option<u64>;

/// What every object of Countersign's own kinds has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Tells an object from a later one of the same name.
    pub uid: String,
    /// Counts changes of the spec.
    pub generation: i64,
    /// Which write this is.
    pub version: Version,
    /// Whether it is on its way out, held back by finalizers.
    pub deleting: bool,
}

/// One object that Countersign wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: ObjectName,
    /// Tells it from a later one of the same name.
    pub uid: String,
    /// The policy that it was written for, by uid.
    pub policy_uid: Arc<str>,
    /// The policy that it was written for, by name. Only a hint: anyone who may write the object can write this.
    pub policy: Option<String>,
    /// What it is for.
    pub role: Option<Role>,
    /// Which write this is.
    pub version: Version,
    /// What it says.
    pub digest: Digest,
}

/// What is kept of one object.
#[derive(Clone, Debug)]
pub enum Fact {
    /// Of an `ApiAuthPolicy`.
    Policy(Meta, Box<ParsedPolicy>, Box<ApiAuthPolicyStatus>),
    /// Of a `ServiceIdentity`.
    Identity(Meta, Box<ParsedIdentity>, Box<ServiceIdentityStatus>),
    /// Of a `TokenIssuer`.
    Issuer(Meta, Box<ParsedIssuer>, Box<TokenIssuerStatus>),
    /// Of a Namespace, and whether it is being deleted.
    Namespace(NamespaceFacts, bool),
    /// Of a Pod.
    Pod(PodFacts),
    /// Of a Service.
    Service(ServiceFacts),
    /// Of a Gateway.
    Gateway(GatewayFacts),
    /// Of an `HTTPRoute`.
    HttpRoute(HttpRouteFacts),
    /// Of an object of the mesh.
    Owned(Box<Observed>),
}

/// The name of an object. Objects without a namespace have an empty one.
pub fn name_of(meta: &ObjectMeta) -> ObjectName {
    ObjectName::new(
        meta.namespace.clone().unwrap_or_default(),
        meta.name.clone().unwrap_or_default(),
    )
}

/// Reads a resource version.
pub fn version(meta: &ObjectMeta) -> Version {
    meta.resource_version
        .as_deref()
        .and_then(|version| version.parse().ok())
}

/// What is kept of an object of which only the metadata was read.
pub fn of_metadata(source: Source, meta: &ObjectMeta) -> Option<Fact> {
    match source {
        Source::Namespaces => Some(Fact::Namespace(namespace(meta), meta.deletion_timestamp.is_some())),
        Source::Pods => Some(Fact::Pod(pod(meta))),
        _ => None,
    }
}

/// What is kept of an object.
pub fn of_object(source: Source, object: &DynamicObject) -> Option<Fact> {
    let data = &object.data;
    let name = || name_of(&object.metadata);
    match source {
        Source::Policies => {
            let parsed = parse::policy(name(), &data["spec"]);
            Some(Fact::Policy(
                meta(&object.metadata),
                Box::new(parsed),
                Box::new(status(data)),
            ))
        }
        Source::Identities => {
            let parsed = parse::service_identity(name(), &data["spec"]);
            Some(Fact::Identity(
                meta(&object.metadata),
                Box::new(parsed),
                Box::new(status(data)),
            ))
        }
        Source::Issuers => {
            let parsed = parse::token_issuer(&name().name, &data["spec"], &data["status"]);
            Some(Fact::Issuer(
                meta(&object.metadata),
                Box::new(parsed),
                Box::new(status(data)),
            ))
        }
        Source::Services => Some(Fact::Service(service(object))),
        Source::Gateways => {
            let class = data["spec"]["gatewayClassName"].as_str().unwrap_or_default().to_owned();
            Some(Fact::Gateway(GatewayFacts { class }))
        }
        Source::HttpRoutes => Some(Fact::HttpRoute(http_route(object))),
        Source::Owned(kind) => observed(kind, object).map(|observed| Fact::Owned(Box::new(observed))),
        Source::Namespaces | Source::Pods => of_metadata(source, &object.metadata),
    }
}

/// What is kept of an object of the mesh, if it was written for a policy.
pub fn observed(kind: Kind, object: &DynamicObject) -> Option<Observed> {
    let meta = &object.metadata;
    let label = |key: &str| meta.labels.as_ref().and_then(|labels| labels.get(key));
    let policy_uid = Arc::from(label(POLICY_UID_LABEL)?.as_str());
    // The spec is large, and most of the metadata is an account of who wrote what: neither is copied.
    let metadata = json!({
        "labels": meta.labels,
        "annotations": meta.annotations,
        "ownerReferences": meta.owner_references,
    });
    Some(Observed {
        kind,
        name: name_of(meta),
        uid: meta.uid.clone().unwrap_or_default(),
        policy: meta
            .annotations
            .as_ref()
            .and_then(|annotations| annotations.get(POLICY_ANNOTATION))
            .cloned(),
        role: label(ROLE_LABEL).and_then(|role| Role::from_label(role)),
        version: version(meta),
        digest: digest_of(&object.data["spec"], &metadata, &policy_uid),
        policy_uid,
    })
}

/// What every object of Countersign's own kinds has.
pub fn meta(meta: &ObjectMeta) -> Meta {
    Meta {
        uid: meta.uid.clone().unwrap_or_default(),
        generation: meta.generation.unwrap_or_default(),
        version: version(meta),
        deleting: meta.deletion_timestamp.is_some(),
    }
}

/// A status that cannot be read was not written by this operator, and is as good as none.
pub fn status<S: DeserializeOwned + Default>(object: &Value) -> S {
    S::deserialize(&object["status"]).unwrap_or_default()
}

fn namespace(meta: &ObjectMeta) -> NamespaceFacts {
    let label = |key: &str| meta.labels.as_ref().and_then(|labels| labels.get(key)).cloned();
    NamespaceFacts {
        minimum_sensitivity: label(MINIMUM_SENSITIVITY_LABEL),
        ambient: label("istio.io/dataplane-mode").as_deref() == Some("ambient"),
        waypoint: meta.labels.as_ref().and_then(WaypointLabel::read),
    }
}

fn pod(meta: &ObjectMeta) -> PodFacts {
    let annotation = |key: &str| meta.annotations.as_ref().and_then(|annotations| annotations.get(key));
    let is = |key: &str, value: &str| annotation(key).is_some_and(|is| is == value);
    // Istio's own ports, which its injector excludes by itself, are no service's.
    let excluded = annotation("traffic.sidecar.istio.io/excludeInboundPorts")
        .into_iter()
        .flat_map(|ports| ports.split(','))
        .map(str::trim)
        .any(|port| !matches!(port, "" | "15020" | "15021" | "15090"));
    let included = annotation("traffic.sidecar.istio.io/includeInboundPorts");
    let bypassed =
        excluded || included.is_some_and(|ports| ports != "*") || is("sidecar.istio.io/interceptionMode", "NONE");
    PodFacts {
        labels: meta.labels.clone().unwrap_or_default(),
        // A sidecar that some connections do not go through guards nothing for sure.
        in_mesh: annotation("sidecar.istio.io/status").is_some() && !bypassed
            || is("ambient.istio.io/redirection", "enabled") && !is("ambient.istio.io/bypass-inbound-capture", "true"),
    }
}

fn http_route(object: &DynamicObject) -> HttpRouteFacts {
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let spec = &object.data["spec"];
    let is = |parent: &Value, field: &str, value: &str| parent[field].as_str().unwrap_or(value) == value;
    let parents = spec["parentRefs"].as_array().into_iter().flatten().filter(|parent| {
        is(parent, "group", "gateway.networking.k8s.io")
            && is(parent, "kind", "Gateway")
            && is(parent, "namespace", namespace)
    });
    let texts = |values: &Value| {
        values
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|value| Some(value.as_str()?.to_owned()))
            .collect()
    };
    HttpRouteFacts {
        gateways: parents
            .filter_map(|parent| Some(parent["name"].as_str()?.to_owned()))
            .collect(),
        hostnames: texts(&spec["hostnames"]),
    }
}

fn service(object: &DynamicObject) -> ServiceFacts {
    let selector = object.data["spec"]["selector"].as_object().into_iter().flatten();
    ServiceFacts {
        selector: selector
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect(),
        waypoint: object.metadata.labels.as_ref().and_then(WaypointLabel::read),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::none(&[], false)]
    #[case::sidecar(&[("sidecar.istio.io/status", "{}")], true)]
    #[case::as_the_injector_leaves_it(&[
        ("sidecar.istio.io/status", "{}"),
        ("sidecar.istio.io/interceptionMode", "REDIRECT"),
        ("traffic.sidecar.istio.io/includeInboundPorts", "*"),
        ("traffic.sidecar.istio.io/excludeInboundPorts", "15020"),
    ], true)]
    #[case::a_port_excluded(&[
        ("sidecar.istio.io/status", "{}"),
        ("traffic.sidecar.istio.io/excludeInboundPorts", "15020, 8080"),
    ], false)]
    #[case::nothing_excluded(&[
        ("sidecar.istio.io/status", "{}"),
        ("traffic.sidecar.istio.io/excludeInboundPorts", ""),
    ], true)]
    #[case::some_ports_included(&[
        ("sidecar.istio.io/status", "{}"),
        ("traffic.sidecar.istio.io/includeInboundPorts", "80"),
    ], false)]
    #[case::no_port_included(&[
        ("sidecar.istio.io/status", "{}"),
        ("traffic.sidecar.istio.io/includeInboundPorts", ""),
    ], false)]
    #[case::no_interception(&[
        ("sidecar.istio.io/status", "{}"),
        ("sidecar.istio.io/interceptionMode", "NONE"),
    ], false)]
    #[case::ambient(&[("ambient.istio.io/redirection", "enabled")], true)]
    #[case::ambient_bypassed(&[
        ("ambient.istio.io/redirection", "enabled"),
        ("ambient.istio.io/bypass-inbound-capture", "true"),
    ], false)]
    fn a_pod_is_in_the_mesh_if_all_connections_go_through_it(
        #[case] annotations: &[(&str, &str)],
        #[case] in_mesh: bool,
    ) {
        let annotations = annotations
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let meta = ObjectMeta {
            annotations: Some(annotations.collect()),
            ..ObjectMeta::default()
        };
        assert_eq!(pod(&meta).in_mesh, in_mesh);
    }
}
