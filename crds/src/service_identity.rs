//! `ServiceIdentity`: who a workload is, which certificates say so, and which tokens it may ask for.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::token_client::GrantedAudience;

/// Names a workload, so that policies can admit it and certificates can be issued to it.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "countersign.dev",
    version = "v1alpha1",
    kind = "ServiceIdentity",
    plural = "serviceidentities",
    shortname = "svcid",
    category = "countersign",
    namespaced,
    status = "ServiceIdentityStatus",
    doc = "ServiceIdentity names a workload, so that policies can admit it and certificates (X.509-SVIDs) can be issued to it.",
    printcolumn(name = "Service Account", type_ = "string", json_path = ".spec.serviceAccountName"),
    printcolumn(name = "SPIFFE ID", type_ = "string", json_path = ".status.spiffeId"),
    printcolumn(
        name = "Not After",
        type_ = "string",
        json_path = ".status.certificate.notAfter",
        description = "Until when the newest certificate is valid."
    ),
    printcolumn(
        name = "Live",
        type_ = "integer",
        json_path = ".status.live",
        description = "How many certificates have not expired."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Delivery",
        type_ = "string",
        json_path = ".status.delivery",
        description = "The ways by which certificates were handed out.",
        priority = 1
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("has(self.secretName) == (has(self.delivery) && 'Secret' in self.delivery)")
        .message("secretName goes with delivery Secret: give both or neither")
)]
pub struct ServiceIdentitySpec {
    /// The service account that the workload's Pods run as, in the ServiceIdentity's own namespace. If several
    /// ServiceIdentities name one service account, the oldest holds it, and the others are not ready.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub service_account_name: String,
    /// The path of the SPIFFE ID in the workload's certificates, within the namespace's own prefix: `/ns/<namespace>/…`.
    /// The default is `/ns/<namespace>/sa/<service account>`, and no path may be that of another service account. A mesh
    /// knows workloads by their service account only, so IstioCA gives the default ID whatever stands here, and policies
    /// that a mesh enforces mean that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 6, max = 1024),
        regex(pattern = r"^/ns/[a-z0-9][-a-z0-9]*(/[a-zA-Z0-9._-]+)+$")
    )]
    pub spiffe_path: Option<String>,
    /// How meshes call the workload that do not know it by a SPIFFE ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mesh: Option<MeshNames>,
    /// What the workload's certificates are like.
    #[serde(default)]
    pub certificate: CertificateProfile,
    /// The ways by which the workload may get certificates. With an empty list it gets none from Countersign.
    #[serde(default = "default_delivery")]
    #[schemars(length(max = 5))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub delivery: Vec<Delivery>,
    /// The Secret, in the ServiceIdentity's own namespace, that holds key and certificate. Required with delivery Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub secret_name: Option<String>,
    /// The tokens that the workload may ask for, in exchange for what proves that it is itself: its service account's token
    /// or its certificate (RFC 8693). Without any it gets none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["tokenIssuer".to_owned()]))]
    pub tokens: Vec<WorkloadTokens>,
}

/// How meshes call a workload that do not know it by a SPIFFE ID.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MeshNames {
    /// The name of the workload's service in Consul, whose intentions know callers by nothing else. Consul's names are one
    /// space for the whole cluster: if several ServiceIdentities have the same one, the oldest holds it, and the others are
    /// not ready.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub consul_service: String,
}

/// What a workload may ask one issuer for.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkloadTokens {
    /// The name of the TokenIssuer, which must be a managed one.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub token_issuer: String,
    /// What the tokens may be for. Each must be an audience of the issuer.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["audience".to_owned()]))]
    pub audiences: Vec<GrantedAudience>,
}

/// What a workload's certificates are like.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("duration(self.duration) >= duration('1h') && duration(self.duration) <= duration('2160h')")
        .message("duration must be from 1h to 2160h")
)]
pub struct CertificateProfile {
    /// How long a certificate is valid, such as `24h`: from `1h`, the shortest that Kubernetes grants, to `2160h`. The
    /// signer gives less where whoever asks wants less, or where its own certificate ends sooner.
    #[serde(default = "default_duration")]
    #[schemars(length(min = 2, max = 32), regex(pattern = r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$"))]
    pub duration: String,
    /// When a new certificate is to be asked for, as a part of the lifetime in percent.
    #[serde(default = "default_renew_after_percent")]
    #[schemars(range(min = 1, max = 95))]
    pub renew_after_percent: i32,
    /// The kind of key. Where the workload makes the key itself, another kind is refused.
    #[serde(default)]
    pub key_algorithm: KeyAlgorithm,
    /// DNS names that the certificate carries beside the SPIFFE ID: names of the namespace's own Services, as
    /// `<service>.<namespace>.svc` or `<service>.<namespace>.svc.cluster.local`; whether the Service exists is not looked
    /// at. One more label may stand in front, for a Pod of a headless Service. Nothing shorter, since that means another
    /// Service to clients elsewhere; no wildcards, no addresses. Certificates of IstioCA carry none of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        inner(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub dns_names: Vec<String>,
    /// What the certificate may be used for (RFC 5280 section 4.2.1.12). With one usage alone it is no X.509-SVID by the
    /// letter of the standard (section 4.4), and peers that hold to it refuse it. Certificates of IstioCA are for both, as
    /// proxies call and answer: leave that way out of `delivery` where a workload may do one alone.
    #[serde(default = "default_usages")]
    #[schemars(length(min = 1, max = 2))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub usages: Vec<Usage>,
}

impl Default for CertificateProfile {
    fn default() -> Self {
        Self {
            duration: default_duration(),
            renew_after_percent: default_renew_after_percent(),
            key_algorithm: KeyAlgorithm::default(),
            dns_names: Vec::new(),
            usages: default_usages(),
        }
    }
}

fn default_duration() -> String {
    "24h".to_owned()
}

fn default_renew_after_percent() -> i32 {
    50
}

fn default_usages() -> Vec<Usage> {
    vec![Usage::ServerAuth, Usage::ClientAuth]
}

fn default_delivery() -> Vec<Delivery> {
    vec![Delivery::PodCertificate, Delivery::IstioCa, Delivery::WorkloadApi]
}

/// A kind of key, by the name that Kubernetes gives it (`keyType` of a `podCertificate` volume).
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyAlgorithm {
    /// ECDSA on P-256. The default.
    #[default]
    #[serde(rename = "ECDSAP256")]
    EcdsaP256,
    /// ECDSA on P-384.
    #[serde(rename = "ECDSAP384")]
    EcdsaP384,
    /// ECDSA on P-521.
    #[serde(rename = "ECDSAP521")]
    EcdsaP521,
    /// Ed25519 (RFC 8410). TLS libraries in browsers and some proxies do not take it.
    #[serde(rename = "ED25519")]
    Ed25519,
    /// RSA with 3072 bits.
    #[serde(rename = "RSA3072")]
    Rsa3072,
    /// RSA with 4096 bits.
    #[serde(rename = "RSA4096")]
    Rsa4096,
}

/// What a certificate may be used for (RFC 5280 section 4.2.1.12).
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Usage {
    /// To answer as a TLS server.
    ServerAuth,
    /// To call as a TLS client.
    ClientAuth,
}

/// A way by which a workload gets its certificates.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Delivery {
    /// A `podCertificate` volume: the kubelet makes the key, and it never leaves the Pod.
    PodCertificate,
    /// A CertificateSigningRequest of `certificates.k8s.io`, by a driver on the node or by hand.
    CertificateSigningRequest,
    /// Istio's CA API, which sidecars, gateways and ztunnel call.
    #[serde(rename = "IstioCA")]
    IstioCa,
    /// The SPIFFE Workload API and Envoy's SDS, from the agent on the node.
    #[serde(rename = "WorkloadAPI")]
    WorkloadApi,
    /// A Secret of type `kubernetes.io/tls`. The key is at rest in etcd: a last resort.
    Secret,
}

/// What became of a ServiceIdentity. The operator writes `observedGeneration`, `spiffeId`, `meshPrincipals` and the
/// condition `Ready`; the token service the condition `TokensGranted`; the signer the rest. None touches what is another's.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceIdentityStatus {
    /// The generation of the object that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The SPIFFE ID that the workload's certificates carry, but for those of IstioCA, which carry that of the service
    /// account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spiffe_id: Option<String>,
    /// By what the meshes know the workload as a caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mesh_principals: Option<MeshPrincipals>,
    /// The ways by which certificates that have not expired were handed out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub delivery: Vec<Delivery>,
    /// The newest certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateStatus>,
    /// How many certificates have not expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<i64>,
    /// What each replica of the signer has issued: what `delivery`, `certificate` and `live` are made of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["by"]))]
    pub issued: Vec<IssuedStatus>,
    /// `Ready`: policies can name this identity, and it holds its service account. `Issued`: certificates are issued.
    /// `KeyAtRest`: a private key is at rest in a Secret. `TokensGranted`: the tokens of `spec.tokens` can be had.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// By what the meshes know a workload as a caller: what stands in authorization policies that are written by hand.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MeshPrincipals {
    /// The entry of `principals` in an AuthorizationPolicy of Istio: the SPIFFE ID of the service account, without its
    /// scheme.
    pub istio: String,
    /// The name of a source in Consul's intentions, if the ServiceIdentity has one and holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consul: Option<String>,
}

/// What a replica of the signer has issued, as far as it has not expired.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct IssuedStatus {
    /// The replica's name.
    pub by: String,
    /// How many of its certificates have not expired.
    pub live: i64,
    /// The serial number of the newest one, in lower-case hexadecimal digits without colons.
    pub serial_number: String,
    /// Since when the newest one exists.
    pub issued_at: Time,
    /// Until when the newest one is valid.
    pub not_after: Time,
    /// The ways by which they were handed out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub delivery: Vec<Delivery>,
}

/// A certificate that was issued.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CertificateStatus {
    /// Its serial number, in lower-case hexadecimal digits without colons.
    pub serial_number: String,
    /// Until when it is valid.
    pub not_after: Time,
}
