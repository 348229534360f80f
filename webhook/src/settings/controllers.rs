//! Who may write Secrets with values in them: controllers that make or fetch credentials by design.

use serde::Deserialize;
use wildmatch::WildMatch;

/// Users that are controllers, in the namespaces that their own installers use. A name without its namespace would let
/// anybody who may make service accounts be one.
const USERS: &[&str] = &[
    "system:kube-controller-manager",
    "system:serviceaccount:kube-system:tokens-controller",
    "system:serviceaccount:kube-system:token-cleaner",
    "system:serviceaccount:kube-system:bootstrap-signer",
    "system:serviceaccount:kube-system:legacy-service-account-token-cleaner",
    "system:serviceaccount:kube-system:generic-garbage-collector",
    "system:serviceaccount:kube-system:sealed-secrets-controller",
    "system:serviceaccount:kube-system:secrets-store-csi-driver",
    "system:serviceaccount:kube-system:cilium-operator",
    "system:serviceaccount:cert-manager:cert-manager",
    "system:serviceaccount:cert-manager:cert-manager-cainjector",
    "system:serviceaccount:cert-manager:cert-manager-webhook",
    "system:serviceaccount:external-secrets:external-secrets",
    "system:serviceaccount:external-secrets:external-secrets-cert-controller",
    "system:serviceaccount:sealed-secrets:sealed-secrets*",
    "system:serviceaccount:vault-secrets-operator-system:vault-secrets-operator-controller-manager",
    "system:serviceaccount:istio-system:istiod*",
    "system:serviceaccount:linkerd:linkerd-*",
    "system:serviceaccount:ingress-nginx:ingress-nginx-admission",
    "system:serviceaccount:knative-serving:controller",
    "system:serviceaccount:knative-eventing:eventing-controller",
    "system:serviceaccount:tekton-pipelines:tekton-pipelines-webhook",
    "system:serviceaccount:gatekeeper-system:gatekeeper-admin",
    "system:serviceaccount:kyverno:kyverno-*",
    "system:serviceaccount:cnpg-system:cnpg-manager",
    "system:serviceaccount:elastic-system:elastic-operator",
];

/// Kinds whose controllers write Secrets that they own.
const OWNERS: &[(&str, &str)] = &[
    ("external-secrets.io", "ExternalSecret"),
    ("cert-manager.io", "Certificate"),
    ("cert-manager.io", "CertificateRequest"),
    ("acme.cert-manager.io", "Order"),
    ("bitnami.com", "SealedSecret"),
    ("isindir.github.com", "SopsSecret"),
    ("onepassword.com", "OnePasswordItem"),
    ("secrets.hashicorp.com", "VaultStaticSecret"),
    ("secrets.hashicorp.com", "VaultDynamicSecret"),
    ("secrets.hashicorp.com", "VaultPKISecret"),
    ("secrets-store.csi.x-k8s.io", "SecretProviderClassPodStatus"),
    ("countersign.dev", "ServiceIdentity"),
    ("cluster.x-k8s.io", "Cluster"),
    ("cluster.x-k8s.io", "Machine"),
    ("bootstrap.cluster.x-k8s.io", "KubeadmConfig"),
    ("controlplane.cluster.x-k8s.io", "KubeadmControlPlane"),
    ("postgresql.cnpg.io", "Cluster"),
    ("elasticsearch.k8s.elastic.co", "Elasticsearch"),
    ("kibana.k8s.elastic.co", "Kibana"),
    ("kafka.strimzi.io", "Kafka"),
    ("kafka.strimzi.io", "KafkaUser"),
    ("rabbitmq.com", "RabbitmqCluster"),
    ("monitoring.coreos.com", "Prometheus"),
    ("monitoring.coreos.com", "PrometheusAgent"),
    ("monitoring.coreos.com", "Alertmanager"),
];

/// Service accounts that write what people wrote down elsewhere.
const GITOPS_AGENTS: &[&str] = &[
    "system:serviceaccount:*:argocd-*",
    "system:serviceaccount:*:*-argocd-*",
    "system:serviceaccount:*:kustomize-controller",
    "system:serviceaccount:*:helm-controller",
    "system:serviceaccount:*:flux*",
    "system:serviceaccount:*:fleet-agent",
    "system:serviceaccount:*:gitlab-agent*",
    "system:serviceaccount:*:gitlab-runner*",
    "system:serviceaccount:config-management-system:*",
];

/// Who may write Secrets with values in them. What is listed is added to what is built in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Controllers {
    /// Whether what is built in counts too.
    pub defaults: bool,
    /// User names, in which `*` stands for any text: they may write any Secret.
    pub users: Vec<String>,
    /// Kinds of owners. A service account that is no GitOps agent may write a Secret with such an owner. People and GitOps
    /// agents can name any owner, so that an owner alone proves nothing.
    pub owners: Vec<Owner>,
    /// Service accounts that write what people wrote down elsewhere, in which `*` stands for any text.
    pub gitops_agents: Vec<String>,
}

/// A kind of owner.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Owner {
    /// Its API group.
    pub group: String,
    /// Its kind.
    pub kind: String,
}

impl Default for Controllers {
    fn default() -> Self {
        Self {
            defaults: true,
            users: Vec::new(),
            owners: Vec::new(),
            gitops_agents: Vec::new(),
        }
    }
}

impl Controllers {
    /// Patterns of users that may write any Secret. The webhook's own service accounts are those of its namespace.
    pub(crate) fn user_patterns(&self, namespace: &str) -> Vec<WildMatch> {
        let own = format!("system:serviceaccount:{namespace}:countersign*");
        let own = self.defaults.then_some(own.as_str());
        self.patterns(&self.users, USERS)
            .chain(own.map(WildMatch::new))
            .collect()
    }

    /// Patterns of GitOps agents.
    pub(crate) fn agent_patterns(&self) -> Vec<WildMatch> {
        self.patterns(&self.gitops_agents, GITOPS_AGENTS).collect()
    }

    /// Whether a kind's controllers own Secrets.
    pub(crate) fn is_owner(&self, group: &str, kind: &str) -> bool {
        self.owners
            .iter()
            .any(|owner| owner.group == group && owner.kind == kind)
            || (self.defaults && OWNERS.contains(&(group, kind)))
    }

    fn patterns<'a>(&self, listed: &'a [String], built_in: &'a [&str]) -> impl Iterator<Item = WildMatch> + use<'a> {
        let built_in = if self.defaults { built_in } else { &[] };
        let all = listed.iter().map(String::as_str).chain(built_in.iter().copied());
        all.map(WildMatch::new)
    }
}
