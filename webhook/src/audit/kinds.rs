//! Which kinds are audited: all that the cluster serves and that can hold a credential, custom resources too.

use kube::Client;
use kube::core::ApiResource;
use kube::discovery::{ApiCapabilities, Discovery, Scope, verbs};

/// A kind that is audited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) resource: ApiResource,
    pub(super) namespaced: bool,
}

/// What tells a kind from others: its group and its plural name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct KindId {
    pub(super) group: String,
    pub(super) plural: String,
}

impl KindId {
    /// Whether it is the kind whose objects hold credentials by design.
    pub(super) fn is_secrets(&self) -> bool {
        self.group.is_empty() && self.plural == "secrets"
    }
}

impl Kind {
    pub(super) fn id(&self) -> KindId {
        KindId {
            group: self.resource.group.clone(),
            plural: self.resource.plural.clone(),
        }
    }
}

/// Groups that hold no credentials: what is asked and answered, measured or reported, and how the API server works.
const GROUPS: &[&str] = &[
    "apiregistration.k8s.io",
    "aquasecurity.github.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "coordination.k8s.io",
    "custom.metrics.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "external.metrics.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "metrics.k8s.io",
    "node.k8s.io",
    "openreports.io",
    "reports.kyverno.io",
    "scheduling.k8s.io",
    "wgpolicyk8s.io",
];

/// Kinds of other groups that hold none, and change all the time.
const KINDS: &[(&str, &str)] = &[
    ("", "componentstatuses"),
    ("", "endpoints"),
    ("", "events"),
    ("", "nodes"),
    ("resource.k8s.io", "resourceslices"),
    ("storage.k8s.io", "csinodes"),
    ("storage.k8s.io", "csistoragecapacities"),
    ("storage.k8s.io", "volumeattachments"),
];

fn wanted(group: &str, plural: &str, capabilities: &ApiCapabilities) -> bool {
    capabilities.supports_operation(verbs::LIST)
        && capabilities.supports_operation(verbs::WATCH)
        && !GROUPS.contains(&group)
        && !KINDS.contains(&(group, plural))
}

/// What a cluster serves.
#[derive(Debug)]
pub(super) struct Served {
    /// The kinds that are audited, in the version that the API server prefers.
    pub(super) kinds: Vec<Kind>,
    /// Whether there are reports.
    pub(super) reports: bool,
}

/// Asks the API server what it serves: two requests.
pub(super) async fn discover(client: &Client) -> Result<Served, kube::Error> {
    let discovery = Discovery::new(client.clone()).run_aggregated().await?;
    let mut served = Served {
        kinds: Vec::new(),
        reports: false,
    };
    for group in discovery.groups() {
        for (resource, capabilities) in group.recommended_resources() {
            served.reports |= resource.group == super::report::GROUP && resource.plural == "reports";
            if wanted(&resource.group, &resource.plural, &capabilities) {
                served.kinds.push(Kind {
                    namespaced: capabilities.scope == Scope::Namespaced,
                    resource,
                });
            }
        }
    }
    Ok(served)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::secrets("", "secrets", &["list", "watch"], true)]
    #[case::custom("example.com", "vaults", &["get", "list", "watch"], true)]
    #[case::own("countersign.dev", "tokenissuers", &["list", "watch"], true)]
    #[case::not_listed("example.com", "checks", &["create"], false)]
    #[case::not_watched("example.com", "checks", &["list"], false)]
    #[case::leases("coordination.k8s.io", "leases", &["list", "watch"], false)]
    #[case::events("", "events", &["list", "watch"], false)]
    #[case::reports("openreports.io", "reports", &["list", "watch"], false)]
    fn kinds_that_can_hold_a_credential(
        #[case] group: &str,
        #[case] plural: &str,
        #[case] verbs: &[&str],
        #[case] expected: bool,
    ) {
        let capabilities = ApiCapabilities {
            scope: Scope::Namespaced,
            subresources: Vec::new(),
            operations: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        };
        assert_eq!(wanted(group, plural, &capabilities), expected);
    }
}
