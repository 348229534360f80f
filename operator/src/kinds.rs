//! What the operator watches.

use countersign_crds::{ApiAuthPolicy, GROUP, ServiceIdentity, TokenIssuer, VERSION};
use countersign_policy::object::{Kind, MANAGED_BY_LABEL, MANAGER};
use kube::core::{ApiResource, GroupVersionKind};

/// One watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// `ApiAuthPolicy` objects.
    Policies,
    /// `ServiceIdentity` objects.
    Identities,
    /// `TokenIssuer` objects.
    Issuers,
    /// Namespaces: their metadata.
    Namespaces,
    /// Pods: their metadata.
    Pods,
    /// Services.
    Services,
    /// Gateways of the Gateway API.
    Gateways,
    /// `HTTPRoute` objects of the Gateway API.
    HttpRoutes,
    /// Objects of the mesh that Countersign wrote.
    Owned(Kind),
}

impl Source {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        let fixed = [
            Self::Policies,
            Self::Identities,
            Self::Issuers,
            Self::Namespaces,
            Self::Pods,
            Self::Services,
            Self::Gateways,
            Self::HttpRoutes,
        ];
        fixed.into_iter().chain(Kind::ALL.into_iter().map(Self::Owned))
    }

    /// Whether a cluster can do without the kind. Without the others nothing can be said about any policy.
    pub fn optional(self) -> bool {
        matches!(self, Self::Gateways | Self::HttpRoutes | Self::Owned(_))
    }

    /// Which of the kind's objects are watched.
    pub fn labels(self) -> Option<String> {
        match self {
            Self::Owned(_) => Some(format!("{MANAGED_BY_LABEL}={MANAGER}")),
            _ => None,
        }
    }

    /// Whether the metadata is enough.
    pub fn metadata_only(self) -> bool {
        matches!(self, Self::Namespaces | Self::Pods)
    }

    /// How the API server calls the kind.
    pub fn resource(self) -> ApiResource {
        match self {
            Self::Policies => ApiResource::erase::<ApiAuthPolicy>(&()),
            Self::Identities => ApiResource::erase::<ServiceIdentity>(&()),
            Self::Issuers => ApiResource::erase::<TokenIssuer>(&()),
            Self::Namespaces => resource("", "v1", "Namespace", "namespaces"),
            Self::Pods => resource("", "v1", "Pod", "pods"),
            Self::Services => resource("", "v1", "Service", "services"),
            Self::Gateways => resource("gateway.networking.k8s.io", "v1", "Gateway", "gateways"),
            Self::HttpRoutes => resource("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"),
            Self::Owned(kind) => owned(kind),
        }
    }
}

/// How the API server calls a kind of the mesh.
pub fn owned(kind: Kind) -> ApiResource {
    resource(kind.group(), kind.version(), kind.name(), kind.plural())
}

fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// A reference to one of Countersign's own kinds, as events carry it.
pub fn own_api_version() -> String {
    format!("{GROUP}/{VERSION}")
}
