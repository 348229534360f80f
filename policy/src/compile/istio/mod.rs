//! Istio: sidecars, gateways, waypoints and ztunnel.
//!
//! Istio adds up what is admitted by all `AuthorizationPolicy` objects on a workload, and refuses the rest as soon as there
//! is one. So each policy is compiled by itself, to objects of its own.

mod authentication;
mod authorization;
mod guard;

use std::collections::BTreeMap;

use countersign_crds::api_auth_policy::{Enforcer, Outcome, RuleStatus};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::model::Mode;
use crate::object::{Kind, Object, Role};
use crate::resolve::{Attachment, PeerDemand, Point, Resolved, ResolvedRule};
use crate::world::ObjectName;

/// The annotation that makes an `AuthorizationPolicy` record what it would do, and do nothing.
const DRY_RUN_ANNOTATION: &str = "istio.io/dry-run";
/// The longest name of an object (RFC 1123 subdomain).
const MAX_NAME: usize = 253;

/// What a policy is compiled to.
pub(crate) struct Compiled {
    /// Objects, in the order of writing.
    pub(crate) objects: Vec<Object>,
    /// How each rule is enforced.
    pub(crate) rules: Vec<RuleStatus>,
}

pub(crate) fn compile(resolved: &Resolved) -> Compiled {
    let mut objects = Vec::new();
    let mut rules = Vec::new();
    for point in &resolved.points {
        let (native, statuses) = sort_rules(resolved, point);
        rules.extend(statuses);
        objects.extend(objects_at(resolved, point, &native));
    }
    rules.sort();
    rules.dedup();
    objects.sort_by(|one, two| (one.role, &one.name).cmp(&(two.role, &two.name)));
    Compiled { objects, rules }
}

/// Objects that refuse every request at these points.
pub(crate) fn deny_all(policy: &ObjectName, points: &[Point]) -> Vec<Object> {
    let deny = |point: &Point| {
        let at = at(policy, point);
        let deny = at.object(Kind::AuthorizationPolicy, Role::Deny, deny_spec(point));
        [deny].into_iter().chain(only_through_waypoint(&at, point))
    };
    points.iter().flat_map(deny).collect()
}

/// A waypoint judges the requests that come through it. Those that go to a Pod's own address do not: so the Pods take
/// connections from the waypoint alone, which ztunnel sees to.
fn only_through_waypoint(at: &At<'_>, point: &Point) -> Option<Object> {
    let Attachment::Waypoint { pods, identity, .. } = &point.attachment else {
        return None;
    };
    let spec = json!({
        "action": "ALLOW",
        "rules": [{ "from": [{ "source": { "principals": [identity.principal()] } }] }],
        "selector": { "matchLabels": pods },
    });
    (!pods.is_empty()).then(|| at.object(Kind::AuthorizationPolicy, Role::Transport, spec))
}

fn objects_at(resolved: &Resolved, point: &Point, native: &[&ResolvedRule]) -> Vec<Object> {
    let at = at(&resolved.policy.name, point);
    let mut objects = vec![at.object(Kind::AuthorizationPolicy, Role::Deny, deny_spec(point))];
    let allow = authorization::spec(resolved, point, native);
    objects.extend(allow.map(|spec| at.object(Kind::AuthorizationPolicy, Role::Allow, spec)));
    if resolved.policy.mode == Mode::DryRun {
        if point.enforcer == Enforcer::IstioZtunnel {
            return Vec::new();
        }
        for object in &mut objects {
            object
                .annotations
                .insert(DRY_RUN_ANNOTATION.to_owned(), "true".to_owned());
        }
        return objects;
    }
    objects.extend(only_through_waypoint(&at, point));
    if point.pods().is_some() && resolved.requires_mutual_tls() {
        let spec = attach(point, json!({ "mtls": { "mode": "STRICT" } }));
        objects.push(at.object(Kind::PeerAuthentication, Role::Transport, spec));
    }
    if has_filters(point) {
        objects.push(at.object(Kind::EnvoyFilter, Role::Guard, guard::spec(resolved, point, native)));
        let tokens = authentication::spec(resolved, point);
        objects.extend(tokens.map(|spec| at.object(Kind::RequestAuthentication, Role::Tokens, spec)));
    }
    objects
}

/// Whether an `EnvoyFilter` can put a guard in the enforcer's way of a request.
fn has_filters(point: &Point) -> bool {
    match point.enforcer {
        Enforcer::IstioSidecar => true,
        Enforcer::IstioGateway => matches!(point.attachment, Attachment::Gateway(_)),
        Enforcer::IstioWaypoint | Enforcer::IstioZtunnel => false,
    }
}

/// The rules that the enforcer at a point can hold, and how each is enforced.
fn sort_rules<'a>(resolved: &'a Resolved, point: &Point) -> (Vec<&'a ResolvedRule>, Vec<RuleStatus>) {
    let mut native = Vec::new();
    let mut statuses = Vec::new();
    for rule in &resolved.rules {
        let message = obstacle(resolved, rule, point);
        if message.is_none() {
            native.push(rule);
        }
        statuses.push(RuleStatus {
            name: rule.name.clone(),
            enforcer: point.enforcer,
            outcome: if message.is_none() {
                Outcome::Native
            } else {
                Outcome::NotEnforceable
            },
            message: message.map(str::to_owned),
        });
    }
    (native, statuses)
}

/// Why an enforcer cannot hold a rule as it is meant, if it cannot.
fn obstacle(resolved: &Resolved, rule: &ResolvedRule, point: &Point) -> Option<&'static str> {
    let tokens = !resolved.sources.is_empty();
    let paths = rule.operations.iter().any(|operation| !operation.paths.is_empty());
    match (point.enforcer, &point.attachment) {
        (Enforcer::IstioGateway, Attachment::Hosts { .. }) => Some(
            "an Istio gateway attaches rules to a Gateway, not to an HTTPRoute: requests to the route's hosts are refused; \
             target the Gateway instead",
        ),
        (Enforcer::IstioGateway, _) if rule.grants.iter().any(|grant| grant.peer != PeerDemand::None) => Some(
            "at a gateway a client certificate may be signed by any authority that the listener trusts, so it is not taken for a \
             workload's identity; ask for a token there, and for the workload behind the gateway",
        ),
        (Enforcer::IstioSidecar | Enforcer::IstioGateway, _) => None,
        (Enforcer::IstioZtunnel, _) if resolved.policy.mode == Mode::DryRun => {
            Some("ztunnel records nothing in dry run; use a waypoint or sidecars")
        }
        (Enforcer::IstioWaypoint, Attachment::Waypoint { shared: true, .. }) => Some(
            "the waypoint is in another namespace, so that other namespaces can reach these Pods through it; use a waypoint of \
             this namespace",
        ),
        (Enforcer::IstioWaypoint, _) if tokens => Some(
            "a waypoint takes no guard against tokens without expiry, so the policy's tokens cannot be held to it; use sidecars, \
             or a policy without jwt",
        ),
        (Enforcer::IstioWaypoint, _) if paths => {
            Some("a waypoint takes no guard against ambiguous paths; use sidecars, or a rule without paths")
        }
        (Enforcer::IstioWaypoint, _) if rule.rate_limit.is_some() => {
            Some("a waypoint takes no rate limit from here; use sidecars")
        }
        (Enforcer::IstioZtunnel, _) if tokens || !rule.operations.is_empty() || rule.rate_limit.is_some() => Some(
            "ztunnel sees connections, not requests: operations, tokens and rate limits need a waypoint or sidecars; all \
             that the rule would admit is refused",
        ),
        (Enforcer::IstioWaypoint | Enforcer::IstioZtunnel, _) => None,
    }
}

/// An `AuthorizationPolicy` that admits nothing makes Istio refuse whatever no other one admits. On some hosts of a Gateway
/// only, it must refuse by itself, since the other hosts are not this policy's.
fn deny_spec(point: &Point) -> Value {
    let Attachment::Hosts { hosts, .. } = &point.attachment else {
        return attach(point, json!({ "action": "ALLOW" }));
    };
    // A Host header may carry a port, for which a wildcard host leaves no place: then the whole Gateway refuses.
    let operation = if hosts.is_empty() || hosts.iter().any(|host| host.starts_with('*')) {
        json!({ "paths": ["/*"] })
    } else {
        json!({ "hosts": hosts.iter().flat_map(|host| [host.clone(), format!("{host}:*")]).collect::<Vec<_>>() })
    };
    attach(
        point,
        json!({ "action": "DENY", "rules": [{ "to": [{ "operation": operation }] }] }),
    )
}

/// Adds to a spec what it is attached to.
fn attach(point: &Point, mut spec: Value) -> Value {
    match &point.attachment {
        Attachment::Pods(labels) => spec["selector"] = json!({ "matchLabels": labels }),
        _ => spec["targetRefs"] = target_refs(point),
    }
    spec
}

/// A reference to the Service or Gateway of a point.
fn target_refs(point: &Point) -> Value {
    match &point.attachment {
        Attachment::Pods(_) => json!([]),
        Attachment::Waypoint { service, .. } => json!([{ "group": "", "kind": "Service", "name": service }]),
        Attachment::Gateway(name) | Attachment::Hosts { gateway: name, .. } => {
            json!([{ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name }])
        }
    }
}

/// Makes the objects of a policy at a point, named for both: a policy that moves to another target writes new objects
/// there before the old ones go.
struct At<'a> {
    policy: &'a ObjectName,
    suffix: String,
}

fn at<'a>(policy: &'a ObjectName, point: &Point) -> At<'a> {
    let hosts = match &point.attachment {
        Attachment::Hosts { hosts, .. } => hosts.as_slice(),
        _ => &[],
    };
    let digest = Sha256::digest(json!([policy.name, attach(point, json!({ "hosts": hosts }))]).to_string());
    let start = digest
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    At {
        policy,
        suffix: format!("{start:016x}"),
    }
}

impl At<'_> {
    fn object(&self, kind: Kind, role: Role, spec: Value) -> Object {
        let prefix = format!("countersign-{}-", role.as_str());
        let room = MAX_NAME - prefix.len() - self.suffix.len() - 1;
        let policy: String = self.policy.name.chars().take(room).collect();
        let policy = policy.trim_end_matches(['.', '-']);
        let name = ObjectName::new(&self.policy.namespace, format!("{prefix}{}-{}", policy, self.suffix));
        Object {
            kind,
            role,
            name,
            annotations: BTreeMap::new(),
            spec,
        }
    }
}
