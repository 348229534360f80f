//! Where a policy is enforced.

use std::collections::BTreeMap;

use countersign_crds::api_auth_policy::Enforcer;
use countersign_identity::SpiffeId;

use super::{Lookup, Reason};
use crate::model::Target;
use crate::parse::Problem;
use crate::world::{Dependency, ObjectName, World};

/// The GatewayClass whose Gateways Istio runs.
const ISTIO_GATEWAY_CLASS: &str = "istio";

/// One place where a policy is enforced.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// What enforces it there.
    pub enforcer: Enforcer,
    /// What the enforcer's objects are attached to.
    pub attachment: Attachment,
}

/// What an enforcer's objects are attached to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attachment {
    /// The Pods with these labels.
    Pods(BTreeMap<String, String>),
    /// A Service, at its waypoint.
    Waypoint {
        /// The Service.
        service: String,
        /// The labels of the Pods behind it, which take requests from the waypoint alone. Empty if it selects none.
        pods: BTreeMap<String, String>,
        /// The waypoint's own identity.
        identity: SpiffeId,
        /// Whether it is in another namespace.
        shared: bool,
    },
    /// A Gateway.
    Gateway(String),
    /// Some hosts of a Gateway; all of them, if none is named.
    Hosts {
        /// The Gateway.
        gateway: String,
        /// The hosts.
        hosts: Vec<String>,
    },
}

impl Point {
    /// Whether callers from outside the mesh reach it.
    pub fn faces_outside(&self) -> bool {
        self.enforcer == Enforcer::IstioGateway
    }

    /// The labels of the Pods that it covers, if it covers Pods.
    pub(crate) fn pods(&self) -> Option<&BTreeMap<String, String>> {
        match &self.attachment {
            Attachment::Pods(labels) => Some(labels),
            _ => None,
        }
    }

    /// The labels of the Pods behind it, also where it is enforced before them.
    pub(crate) fn pods_behind(&self) -> Option<&BTreeMap<String, String>> {
        match &self.attachment {
            Attachment::Pods(labels) | Attachment::Waypoint { pods: labels, .. } => Some(labels),
            _ => None,
        }
    }

    /// Whether every request that passes another point passes this one too.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        use Attachment::{Gateway, Hosts};
        if let (Some(ours), Some(theirs)) = (self.pods_behind(), other.pods_behind()) {
            return ours.iter().all(|(label, value)| theirs.get(label) == Some(value));
        }
        match (&self.attachment, &other.attachment) {
            (Gateway(ours), Gateway(theirs) | Hosts { gateway: theirs, .. }) => ours == theirs,
            (
                Hosts { gateway, hosts },
                Hosts {
                    gateway: same,
                    hosts: theirs,
                },
            ) => {
                let within = !theirs.is_empty() && theirs.iter().all(|host| hosts.contains(host));
                gateway == same && (hosts.is_empty() || within)
            }
            _ => false,
        }
    }

    /// Whether some request could pass both this point and another.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        use Attachment::{Gateway, Hosts};
        if let (Some(one), Some(two)) = (self.pods_behind(), other.pods_behind()) {
            return one
                .iter()
                .all(|(label, value)| two.get(label).is_none_or(|same| same == value));
        }
        match (&self.attachment, &other.attachment) {
            (Gateway(one) | Hosts { gateway: one, .. }, Gateway(two) | Hosts { gateway: two, .. }) => one == two,
            _ => false,
        }
    }
}

/// The points of a policy's targets, and what stands in the way of the first target that has none.
pub(super) fn resolve<W: World>(
    namespace: &str,
    targets: &[Target],
    lookup: &mut Lookup<'_, W>,
) -> (Vec<Point>, Option<(Reason, Problem)>) {
    let mut points = Vec::new();
    let mut unresolved = None;
    for (at, target) in targets.iter().enumerate() {
        match resolve_one(namespace, target, lookup) {
            Ok(found) => points.extend(found),
            Err((reason, message)) => {
                let field = if matches!(target, Target::Pods(_)) {
                    "spec.selector".to_owned()
                } else {
                    format!("spec.targetRefs[{at}]")
                };
                unresolved.get_or_insert((reason, Problem::new(field, message)));
            }
        }
    }
    points.sort();
    points.dedup();
    if namespace == lookup.mesh.root_namespace && points.iter().any(|point| point.pods_behind().is_some()) {
        // What selects Pods there selects them in every namespace: a deny would too.
        points.retain(|point| point.pods_behind().is_none());
        let message = format!(
            "in {namespace}, Istio's root namespace, a selector covers the Pods of every namespace; target a Gateway"
        );
        unresolved.get_or_insert((Reason::TargetNotSupported, Problem::new("metadata.namespace", message)));
    }
    if let Some(pod) = gateway_pod(namespace, &points, lookup) {
        let message = format!("it covers Pod `{pod}`, which is a gateway's; target the Gateway instead");
        unresolved.get_or_insert((Reason::TargetNotSupported, Problem::new("spec", message)));
    }
    (points, unresolved)
}

/// A gateway's Pod among those that points cover. A gateway takes other guards than a sidecar, and callers from outside.
fn gateway_pod<W: World>(namespace: &str, points: &[Point], lookup: &mut Lookup<'_, W>) -> Option<String> {
    let selectors: Vec<_> = points.iter().filter_map(Point::pods_behind).collect();
    if selectors.is_empty() {
        return None;
    }
    lookup.seen.insert(Dependency::Pods(namespace.to_owned()));
    let covered = |labels: &BTreeMap<String, String>| {
        selectors
            .iter()
            .any(|selector| selector.iter().all(|(label, value)| labels.get(label) == Some(value)))
    };
    let pods = lookup.world.pods(namespace);
    let gateway = pods
        .into_iter()
        .find(|(_, pod)| pod.is_gateway() && covered(&pod.labels));
    gateway.map(|(name, _)| name.to_owned())
}

fn resolve_one<W: World>(
    namespace: &str,
    target: &Target,
    lookup: &mut Lookup<'_, W>,
) -> Result<Vec<Point>, (Reason, String)> {
    let missing = |kind: &str, name: &str| {
        (
            Reason::TargetNotFound,
            format!("{kind} `{name}` does not exist in namespace {namespace}; create it, or name one that does"),
        )
    };
    lookup.seen.insert(Dependency::Namespace(namespace.to_owned()));
    let facts = lookup.world.namespace(namespace).cloned().unwrap_or_default();
    let workload = if facts.ambient {
        Enforcer::IstioZtunnel
    } else {
        Enforcer::IstioSidecar
    };
    match target {
        Target::Pods(labels) => Ok(vec![Point {
            enforcer: workload,
            attachment: Attachment::Pods(labels.clone()),
        }]),
        Target::Service(name) => {
            let object = ObjectName::new(namespace, name);
            lookup.seen.insert(Dependency::Service(object.clone()));
            let service = lookup.world.service(&object).ok_or_else(|| missing("Service", name))?;
            if service.selector.is_empty() {
                let message =
                    format!("Service `{name}` selects no Pods, so there is no workload to protect; use selector");
                return Err((Reason::TargetNotSupported, message));
            }
            let waypoint = service.waypoint.as_ref().or(facts.waypoint.as_ref());
            if let Some(waypoint) = waypoint.filter(|waypoint| facts.ambient && waypoint.name != "none") {
                let home = waypoint.namespace.as_deref().unwrap_or(namespace);
                // Istio runs a waypoint under a service account of the waypoint's name.
                let identity =
                    SpiffeId::service_account(&lookup.mesh.trust_domain, home, &waypoint.name).map_err(|error| {
                        (
                            Reason::TargetNotSupported,
                            format!("waypoint `{}`: {error}", waypoint.name),
                        )
                    })?;
                let pods = service.selector.clone();
                let shared = home != namespace;
                let attachment = Attachment::Waypoint {
                    service: name.clone(),
                    pods,
                    identity,
                    shared,
                };
                return Ok(vec![Point {
                    enforcer: Enforcer::IstioWaypoint,
                    attachment,
                }]);
            }
            Ok(vec![Point {
                enforcer: workload,
                attachment: Attachment::Pods(service.selector.clone()),
            }])
        }
        Target::Gateway(name) => {
            check_gateway(namespace, name, lookup)?;
            Ok(vec![Point {
                enforcer: Enforcer::IstioGateway,
                attachment: Attachment::Gateway(name.clone()),
            }])
        }
        Target::HttpRoute(name) => {
            let object = ObjectName::new(namespace, name);
            lookup.seen.insert(Dependency::HttpRoute(object.clone()));
            let route = lookup
                .world
                .http_route(&object)
                .ok_or_else(|| missing("HTTPRoute", name))?;
            if route.gateways.is_empty() {
                let message = format!(
                    "HTTPRoute `{name}` is attached to no Gateway of namespace {namespace}, so nothing can be refused from here; write a \
                     policy for its Gateway, in the Gateway's namespace"
                );
                return Err((Reason::TargetNotSupported, message));
            }
            for gateway in &route.gateways {
                check_gateway(namespace, gateway, lookup)?;
            }
            Ok(route
                .gateways
                .iter()
                .map(|gateway| hosts(gateway, &route.hostnames))
                .collect())
        }
    }
}

/// Whether a Gateway is there, and is one that Istio runs.
fn check_gateway<W: World>(namespace: &str, name: &str, lookup: &mut Lookup<'_, W>) -> Result<(), (Reason, String)> {
    let object = ObjectName::new(namespace, name);
    lookup.seen.insert(Dependency::Gateway(object.clone()));
    let Some(gateway) = lookup.world.gateway(&object) else {
        let message =
            format!("Gateway `{name}` does not exist in namespace {namespace}; create it, or name one that does");
        return Err((Reason::TargetNotFound, message));
    };
    if gateway.class != ISTIO_GATEWAY_CLASS {
        let message = format!(
            "Gateway `{name}` is of class `{}`; only Gateways of class `{ISTIO_GATEWAY_CLASS}` can be protected yet",
            gateway.class
        );
        return Err((Reason::TargetNotSupported, message));
    }
    Ok(())
}

fn hosts(gateway: &str, hosts: &[String]) -> Point {
    let attachment = Attachment::Hosts {
        gateway: gateway.to_owned(),
        hosts: hosts.to_vec(),
    };
    Point {
        enforcer: Enforcer::IstioGateway,
        attachment,
    }
}
