//! `CertificateAuthority`: the keys that a trust domain's certificates are signed with, and how they are replaced.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An annotation of a `CertificateAuthority`. A value that changes asks for a new root now. What the value is does not
/// matter; the time is a good one.
pub const ROTATE_ROOT_ANNOTATION: &str = "countersign.dev/rotate-root";
/// An annotation of a `CertificateAuthority`. A value that changes asks for a new intermediate now.
pub const ROTATE_INTERMEDIATE_ANNOTATION: &str = "countersign.dev/rotate-intermediate";

/// Says how a trust domain's root and intermediate are made and replaced.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "countersign.dev",
    version = "v1alpha1",
    kind = "CertificateAuthority",
    plural = "certificateauthorities",
    shortname = "csca",
    category = "countersign",
    status = "CertificateAuthorityStatus",
    doc = "CertificateAuthority says how the root and the intermediate of a trust domain's signer are made and replaced. The signer makes one at its first start.",
    printcolumn(name = "Trust Domain", type_ = "string", json_path = ".status.trustDomain"),
    printcolumn(
        name = "Phase",
        type_ = "string",
        json_path = ".status.phase",
        description = "Where a replacement of the root stands."
    ),
    printcolumn(
        name = "Root Until",
        type_ = "string",
        json_path = ".status.roots[?(@.state==\"Active\")].notAfter",
        description = "Until when the root in use is valid."
    ),
    printcolumn(
        name = "Intermediate Until",
        type_ = "string",
        json_path = ".status.intermediate.notAfter",
        description = "Until when the intermediate in use is valid."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Next",
        type_ = "string",
        json_path = ".status.nextStep.what",
        description = "What is done next by itself.",
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
    validation = Rule::new("has(self.intermediate.secretName) || duration(self.root.duration) >= duration(self.intermediate.duration) + duration(self.intermediate.duration) + duration(self.propagation) + duration(self.propagation) + duration(self.propagation)")
        .message("root.duration must be at least 2 x intermediate.duration + 3 x propagation, so that there is time to replace a root"),
    validation = Rule::new("duration(self.propagation) > duration('0s')")
        .message("propagation must be longer than zero")
)]
pub struct CertificateAuthoritySpec {
    /// The kind of key of roots and intermediates that the signer makes. A change is for the next ones.
    #[serde(default)]
    pub key_algorithm: CaKeyAlgorithm,
    /// What roots are like. Without effect while the intermediate is brought in a Secret.
    #[serde(default)]
    pub root: RootProfile,
    /// What intermediates are like, or where one is brought.
    #[serde(default)]
    pub intermediate: IntermediateProfile,
    /// How long consumers get to load a new root before it is used, such as `24h`. It is also how long an old root stays
    /// in the bundles after the last certificate under it has expired. Proxies of a mesh are told of a new root with their
    /// next certificate: while the signer serves a mesh, it waits no less than the longest life of those.
    #[serde(default = "default_propagation")]
    #[schemars(length(min = 2, max = 32), regex(pattern = r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$"))]
    pub propagation: String,
    /// Intermediates whose keys others may know, each by the SHA-256 of its DER in lower-case hexadecimal digits without
    /// colons, as `status.intermediate.sha256` and the records of issuance have it. Countersign signs nothing with them, makes
    /// another in the place of one that signs, and believes no certificate under them. Meshes and other peers know roots only:
    /// for them the root must be replaced too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(equal = 64), regex(pattern = r"^[0-9a-f]{64}$")))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub revoked_intermediates: Vec<String>,
}

/// What roots are like.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RootProfile {
    /// How long a root is valid, such as `87600h`. It is replaced well before its end.
    #[serde(default = "default_root_duration")]
    #[schemars(length(min = 2, max = 32), regex(pattern = r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$"))]
    pub duration: String,
}

impl Default for RootProfile {
    fn default() -> Self {
        Self {
            duration: default_root_duration(),
        }
    }
}

/// What intermediates are like, or where one is brought.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("has(self.secretName) || duration(self.duration) > duration('2h')")
        .message("duration must be longer than 2h: twice the shortest certificate")
)]
pub struct IntermediateProfile {
    /// How long an intermediate is valid, such as `720h`. It must be longer than twice the longest certificate that a
    /// ServiceIdentity asks for: it is replaced at half its life, and what it signed must not outlive it.
    #[serde(default = "default_intermediate_duration")]
    #[schemars(length(min = 2, max = 32), regex(pattern = r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$"))]
    pub duration: String,
    /// A Secret of type `kubernetes.io/tls` with `ca.crt`, in the signer's namespace, that holds an intermediate from
    /// elsewhere: cert-manager, Vault or an offline root. Then the signer makes neither root nor intermediate, and takes
    /// up what changes in the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub secret_name: Option<String>,
}

impl Default for IntermediateProfile {
    fn default() -> Self {
        Self {
            duration: default_intermediate_duration(),
            secret_name: None,
        }
    }
}

impl Default for CertificateAuthoritySpec {
    fn default() -> Self {
        Self {
            key_algorithm: CaKeyAlgorithm::default(),
            root: RootProfile::default(),
            intermediate: IntermediateProfile::default(),
            propagation: default_propagation(),
            revoked_intermediates: Vec::new(),
        }
    }
}

fn default_propagation() -> String {
    "24h".to_owned()
}

fn default_root_duration() -> String {
    "87600h".to_owned()
}

fn default_intermediate_duration() -> String {
    "720h".to_owned()
}

/// The kind of key of a root or an intermediate.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CaKeyAlgorithm {
    /// ECDSA on P-256. The default.
    #[default]
    #[serde(rename = "ECDSAP256")]
    EcdsaP256,
    /// ECDSA on P-384.
    #[serde(rename = "ECDSAP384")]
    EcdsaP384,
}

/// What became of a CertificateAuthority.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct CertificateAuthorityStatus {
    /// The generation of the object that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Where a replacement of the root stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The trust domain, which is a setting of the signer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_domain: Option<String>,
    /// The roots that stand in the trust bundles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roots: Vec<RootStatus>,
    /// The intermediate that signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intermediate: Option<IntermediateStatus>,
    /// What is done next by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_step: Option<NextStep>,
    /// The values of the rotation annotations that were acted on last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotated_for: Option<RotatedFor>,
    /// `Ready`: certificates can be signed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// Where a replacement of the root stands.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// There is one root, and it is in use.
    Steady,
    /// A new root stands in the bundles, so that consumers load it; the old one is in use.
    RootPublished,
    /// The new root is in use. Certificates under the old one are still valid.
    RootInUse,
    /// No valid certificate is under the old root any more; it is about to leave the bundles.
    RootRetiring,
}

/// A root in the trust bundles.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RootStatus {
    /// The SHA-256 of its DER, in lower-case hexadecimal digits without colons.
    pub sha256: String,
    /// Until when it is valid.
    pub not_after: Time,
    /// What it is for now.
    pub state: RootState,
}

/// What a root is for.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RootState {
    /// It is distributed, and signs nothing yet.
    Published,
    /// The intermediate in use is under it.
    Active,
    /// What is under it runs out.
    Retiring,
}

/// The intermediate that signs.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct IntermediateStatus {
    /// The SHA-256 of its DER, in lower-case hexadecimal digits without colons.
    #[serde(default)]
    pub sha256: String,
    /// Its serial number, in lower-case hexadecimal digits without colons.
    pub serial_number: String,
    /// Until when it is valid.
    pub not_after: Time,
    /// The SHA-256 of the DER of the root that it is under, as in `roots`.
    pub issuer: String,
}

/// A step that is taken by itself.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct NextStep {
    /// When it is due.
    pub at: Time,
    /// What is done.
    pub what: String,
}

/// The values of the rotation annotations that were acted on last.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct RotatedFor {
    /// That of `countersign.dev/rotate-root`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// That of `countersign.dev/rotate-intermediate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intermediate: Option<String>,
}
