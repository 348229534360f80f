//! The objects that a policy is compiled to, whatever their kind.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::world::ObjectName;

/// The label that marks what Countersign manages, with [`MANAGER`] as its value.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// The manager of the objects.
pub const MANAGER: &str = "countersign";
/// The label that holds the UID of the policy that an object belongs to.
pub const POLICY_UID_LABEL: &str = "countersign.dev/policy-uid";
/// The label that holds an object's [`Role`].
pub const ROLE_LABEL: &str = "countersign.dev/role";
/// The annotation that holds the name of the policy that an object belongs to.
pub const POLICY_ANNOTATION: &str = "countersign.dev/policy";

/// The kinds of object that policies are compiled to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Istio's `PeerAuthentication`.
    PeerAuthentication,
    /// Istio's `RequestAuthentication`.
    RequestAuthentication,
    /// Istio's `AuthorizationPolicy`.
    AuthorizationPolicy,
    /// Istio's `EnvoyFilter`.
    EnvoyFilter,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::PeerAuthentication,
        Self::RequestAuthentication,
        Self::AuthorizationPolicy,
        Self::EnvoyFilter,
    ];

    /// The group.
    pub fn group(self) -> &'static str {
        match self {
            Self::EnvoyFilter => "networking.istio.io",
            _ => "security.istio.io",
        }
    }

    /// The version.
    pub fn version(self) -> &'static str {
        match self {
            Self::EnvoyFilter => "v1alpha3",
            _ => "v1",
        }
    }

    /// Group and version, as in a manifest.
    pub fn api_version(self) -> String {
        format!("{}/{}", self.group(), self.version())
    }

    /// The name of the kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::PeerAuthentication => "PeerAuthentication",
            Self::RequestAuthentication => "RequestAuthentication",
            Self::AuthorizationPolicy => "AuthorizationPolicy",
            Self::EnvoyFilter => "EnvoyFilter",
        }
    }

    /// The plural name, as in a path.
    pub fn plural(self) -> &'static str {
        match self {
            Self::PeerAuthentication => "peerauthentications",
            Self::RequestAuthentication => "requestauthentications",
            Self::AuthorizationPolicy => "authorizationpolicies",
            Self::EnvoyFilter => "envoyfilters",
        }
    }
}

/// What an object does for its policy. The order is that of writing: what refuses comes before what admits. Removal is the
/// reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Refuses what nothing admits.
    Deny,
    /// Asks for mutual TLS.
    Transport,
    /// Refuses what the enforcer's own rules would let through.
    Guard,
    /// Verifies tokens.
    Tokens,
    /// Admits.
    Allow,
}

impl Role {
    /// All of them, in the order of writing.
    pub const ALL: [Self; 5] = [Self::Deny, Self::Transport, Self::Guard, Self::Tokens, Self::Allow];

    /// The role as a label's value, and as a part of names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Transport => "transport",
            Self::Guard => "guard",
            Self::Tokens => "tokens",
            Self::Allow => "allow",
        }
    }

    /// Whether objects of this role can only refuse, so that one too many opens nothing. What verifies tokens does not: its
    /// keys count for every policy on the workload, and old ones would go on counting.
    pub fn refuses(self) -> bool {
        match self {
            Self::Deny | Self::Transport | Self::Guard => true,
            Self::Tokens | Self::Allow => false,
        }
    }

    /// The role that a label's value stands for.
    pub fn from_label(value: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == value)
    }
}

/// An object to write, but for what ties it to its policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Its kind.
    pub kind: Kind,
    /// What it does for the policy.
    pub role: Role,
    /// Its name.
    pub name: ObjectName,
    /// Its annotations, beside those that all objects carry.
    pub annotations: BTreeMap<String, String>,
    /// Its spec.
    pub spec: Value,
}

/// The policy that an object belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// The policy's name.
    pub name: &'a str,
    /// The policy's UID.
    pub uid: &'a str,
}

impl Object {
    /// The whole object, as it is written.
    pub fn manifest(&self, owner: &Owner<'_>) -> Value {
        let mut annotations = self.annotations.clone();
        annotations.insert(POLICY_ANNOTATION.to_owned(), owner.name.to_owned());
        json!({
            "apiVersion": self.kind.api_version(),
            "kind": self.kind.name(),
            "metadata": {
                "name": self.name.name,
                "namespace": self.name.namespace,
                "labels": {
                    MANAGED_BY_LABEL: MANAGER,
                    POLICY_UID_LABEL: owner.uid,
                    ROLE_LABEL: self.role.as_str(),
                },
                "annotations": annotations,
                "ownerReferences": [{
                    "apiVersion": format!("{}/{}", countersign_crds::GROUP, countersign_crds::VERSION),
                    "kind": "ApiAuthPolicy",
                    "name": owner.name,
                    "uid": owner.uid,
                    "controller": true,
                }],
            },
            "spec": self.spec,
        })
    }
}
