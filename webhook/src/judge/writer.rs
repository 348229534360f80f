//! Who writes: whether an object is a controller's own, or the copy of one that was judged.

use countersign_scan::Node;
use countersign_scan::kubernetes::{CONTROLLER_MANAGER, WORKLOAD_CONTROLLERS};
use wildmatch::WildMatch;

use crate::review::{Request, User};
use crate::settings::Controllers;

/// Why an object is not judged although it may hold a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exemption {
    /// A Secret that a listed controller writes.
    ControllerUser,
    /// A Secret that the controller of its owner writes.
    ControllerOwner,
    /// What a controller of Kubernetes made from a template, or a kubelet asks for a Pod: that was judged.
    Copy,
}

impl Exemption {
    /// Its name in audit annotations and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::ControllerUser => "controller-user",
            Self::ControllerOwner => "controller-owner",
            Self::Copy => "copy",
        }
    }
}

/// What the controllers of workloads make: resources by group.
const COPIES: &[(&str, &str)] = &[
    ("", "pods"),
    ("", "replicationcontrollers"),
    ("apps", "replicasets"),
    ("apps", "controllerrevisions"),
    ("batch", "jobs"),
];

/// Who may write what without being judged.
#[derive(Debug)]
pub struct Writers {
    controllers: Controllers,
    users: Vec<WildMatch>,
    agents: Vec<WildMatch>,
}

impl Writers {
    /// Takes the settings; `namespace` is the webhook's own.
    pub fn new(controllers: &Controllers, namespace: &str) -> Self {
        Self {
            users: controllers.user_patterns(namespace),
            agents: controllers.agent_patterns(),
            controllers: controllers.clone(),
        }
    }

    /// Whether an object need not be judged, by who writes it.
    pub fn exemption(&self, request: &Request<'_>, object: &Node<'_>) -> Option<Exemption> {
        if is_copy(request, object) {
            return Some(Exemption::Copy);
        }
        // What a Helm release holds is judged whoever writes it.
        let kind = object.get("type").and_then(Node::as_str).unwrap_or_default();
        if !is_secret(request) || kind == "helm.sh/release.v1" {
            return None;
        }
        let user = &*request.user_info.username;
        if self.users.iter().any(|pattern| pattern.matches(user)) {
            return Some(Exemption::ControllerUser);
        }
        (may_be_owned(kind) && self.is_controller(&request.user_info) && self.is_owned(object))
            .then_some(Exemption::ControllerOwner)
    }

    /// Whether an object that is there is a controller's own, or the copy of one that is judged by itself. Who wrote it is not
    /// known any more, so its owners have to tell.
    pub fn is_owned_at_rest(&self, group: &str, resource: &str, object: &Node<'_>) -> bool {
        if COPIES.contains(&(group, resource)) {
            return owners(object).any(|owner| {
                let version = owner.get("apiVersion").and_then(Node::as_str).unwrap_or_default();
                let of_kubernetes = matches!(
                    version.split_once('/').map_or("", |(group, _)| group),
                    "" | "apps" | "batch"
                );
                of_kubernetes && owner.get("controller") == Some(&Node::Bool(true))
            });
        }
        let kind = object.get("type").and_then(Node::as_str).unwrap_or_default();
        (group, resource) == ("", "secrets") && may_be_owned(kind) && self.is_owned(object)
    }

    fn is_controller(&self, user: &User<'_>) -> bool {
        user.username.starts_with("system:serviceaccount:")
            && !self.agents.iter().any(|pattern| pattern.matches(&user.username))
    }

    fn is_owned(&self, object: &Node<'_>) -> bool {
        owners(object).any(|owner| {
            let text = |name| owner.get(name).and_then(Node::as_str).unwrap_or_default();
            let group = text("apiVersion").split_once('/').map_or("", |(group, _)| group);
            self.controllers.is_owner(group, text("kind"))
        })
    }
}

/// Whether Secrets of that type can be their controller's own. What a Helm release holds is judged; of what never ends or
/// lets nodes join no controller is an owner by design.
fn may_be_owned(kind: &str) -> bool {
    !matches!(
        kind,
        "helm.sh/release.v1" | "kubernetes.io/service-account-token" | "bootstrap.kubernetes.io/token"
    )
}

/// Whether a request writes a Secret.
pub(super) fn is_secret(request: &Request<'_>) -> bool {
    request.resource.group.is_empty() && request.resource.resource == "secrets"
}

/// Old debt in a template must not keep controllers from their work: who changes the template is asked.
fn is_copy(request: &Request<'_>, object: &Node<'_>) -> bool {
    let target = (&*request.resource.group, &*request.resource.resource);
    let user = &request.user_info;
    match request.subresource() {
        "" => {
            COPIES.contains(&target)
                && is_workload_controller(&user.username)
                && owners(object).any(|owner| owner.get("controller") == Some(&Node::Bool(true)))
        }
        "token" => {
            target == ("", "serviceaccounts")
                && user.groups.iter().any(|group| group == "system:nodes")
                && object.at(&["spec", "boundObjectRef", "kind"]).and_then(Node::as_str) == Some("Pod")
        }
        _ => false,
    }
}

fn is_workload_controller(user: &str) -> bool {
    user == CONTROLLER_MANAGER
        || user
            .strip_prefix("system:serviceaccount:kube-system:")
            .is_some_and(|name| WORKLOAD_CONTROLLERS.contains(&name))
}

fn owners<'n>(object: &'n Node<'n>) -> impl Iterator<Item = &'n Node<'n>> {
    let owners = object.at(&["metadata", "ownerReferences"]);
    owners.map_or(&[][..], Node::items).iter()
}
