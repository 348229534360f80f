//! The families of tools. Each is a Go module under `tools/`, for the dependencies of two families conflict.

use anyhow::{Result, bail};

use super::Scope;

/// Tools that share one Go module, and how they are built.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    /// The folder under `tools/`.
    pub name: &'static str,
    /// The module whose version is the family's.
    pub module: &'static str,
    /// The packages to build, each into a program named by its last segment.
    pub packages: &'static [&'static str],
    /// Arguments of `go build` besides the common ones.
    pub tags: &'static str,
    /// Whether C is compiled in.
    pub cgo: bool,
    /// Variables that the linker sets; `{version}`, `{major}` and `{minor}` are filled in.
    pub variables: &'static [&'static str],
    /// Files of the module to keep: its folder or file, and our name for it.
    pub share: &'static [(&'static str, &'static str)],
    /// The smallest testbed that needs it.
    scope: Scope,
}

const KUBERNETES_VERSION: &[&str] = &[
    "k8s.io/component-base/version.gitVersion=v{version}",
    "k8s.io/component-base/version.gitMajor={major}",
    "k8s.io/component-base/version.gitMinor={minor}",
    "k8s.io/component-base/version.gitTreeState=clean",
];

const NOTHING: Family = Family {
    name: "",
    module: "",
    packages: &[],
    tags: "",
    cgo: false,
    variables: &[],
    share: &[],
    scope: Scope::Full,
};

const ETCD: Family = Family {
    name: "etcd",
    module: "go.etcd.io/etcd/server/v3",
    packages: &["countersign.dev/e2e/tools/etcd"],
    scope: Scope::Light,
    ..NOTHING
};

const KUBERNETES_LIGHT: Family = Family {
    name: "kubernetes",
    module: "k8s.io/kubernetes",
    packages: &["k8s.io/kubernetes/cmd/kube-apiserver"],
    variables: KUBERNETES_VERSION,
    scope: Scope::Light,
    ..NOTHING
};

const KUBERNETES_136: Family = Family {
    name: "kubernetes-1.36",
    ..KUBERNETES_LIGHT
};

const KUBERNETES_NODE: Family = Family {
    packages: &[
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-scheduler",
        "k8s.io/kubernetes/cmd/kubelet",
        "k8s.io/kubernetes/cmd/kube-proxy",
    ],
    scope: Scope::Full,
    ..KUBERNETES_LIGHT
};

const GATEWAY_API: Family = Family {
    name: "gateway-api",
    module: "sigs.k8s.io/gateway-api",
    share: &[("config/crd/standard", "gateway-api")],
    scope: Scope::Light,
    ..NOTHING
};

const OPEN_REPORTS: Family = Family {
    name: "openreports",
    module: "github.com/openreports/reports-api",
    share: &[("config/crd", "openreports")],
    scope: Scope::Light,
    ..NOTHING
};

const CONTAINERD: Family = Family {
    name: "containerd",
    module: "github.com/containerd/containerd/v2",
    packages: &[
        "github.com/containerd/containerd/v2/cmd/containerd",
        "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
        "github.com/containerd/containerd/v2/cmd/ctr",
    ],
    ..NOTHING
};

const RUNC: Family = Family {
    name: "runc",
    module: "github.com/opencontainers/runc",
    packages: &["github.com/opencontainers/runc"],
    tags: "seccomp",
    cgo: true,
    variables: &["main.version={version}"],
    ..NOTHING
};

const CNI: Family = Family {
    name: "cni",
    module: "github.com/containernetworking/plugins",
    packages: &[
        "github.com/containernetworking/plugins/plugins/main/bridge",
        "github.com/containernetworking/plugins/plugins/main/loopback",
        "github.com/containernetworking/plugins/plugins/ipam/host-local",
    ],
    ..NOTHING
};

const COREDNS: Family = Family {
    name: "coredns",
    module: "github.com/coredns/coredns",
    packages: &["github.com/coredns/coredns"],
    ..NOTHING
};

const HELM: Family = Family {
    name: "helm",
    module: "helm.sh/helm/v4",
    packages: &["helm.sh/helm/v4/cmd/helm"],
    ..NOTHING
};

const ISTIO: Family = Family {
    name: "istio",
    module: "istio.io/istio",
    packages: &[
        "istio.io/istio/pilot/cmd/pilot-discovery",
        "istio.io/istio/pilot/cmd/pilot-agent",
    ],
    share: &[
        ("manifests/charts", "charts"),
        ("tools/packaging/common/envoy_bootstrap.json", "envoy_bootstrap.json"),
    ],
    scope: Scope::Istio,
    ..NOTHING
};

/// The families for `scope`, in the order in which they are built.
pub(super) fn wanted(scope: Scope, kubernetes: Option<&str>) -> Result<Vec<Family>> {
    let api_server = match kubernetes {
        None | Some("1.37") => KUBERNETES_LIGHT,
        Some("1.36") if scope == Scope::Light => KUBERNETES_136,
        Some("1.36") => {
            bail!("--kubernetes 1.36 is for the light testbed only: a kubelet may not be newer than its API server")
        }
        Some(other) => bail!("--kubernetes {other} is not pinned here; 1.36 and 1.37 are"),
    };
    let all = [
        ETCD,
        api_server,
        GATEWAY_API,
        OPEN_REPORTS,
        KUBERNETES_NODE,
        CONTAINERD,
        RUNC,
        CNI,
        COREDNS,
        HELM,
        ISTIO,
    ];
    Ok(all.into_iter().filter(|family| family.scope <= scope).collect())
}
