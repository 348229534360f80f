//! `FederatedTrustDomain`: a foreign trust domain whose certificates are to be verified.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names a foreign trust domain, and where its bundle is (SPIFFE Federation standard). Its bundle verifies the certificates
/// of that trust domain and no others.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "countersign.dev",
    version = "v1alpha1",
    kind = "FederatedTrustDomain",
    plural = "federatedtrustdomains",
    shortname = "ftd",
    category = "countersign",
    status = "FederatedTrustDomainStatus",
    doc = "FederatedTrustDomain names a foreign trust domain whose certificates workloads can verify, and where its bundle is published.",
    printcolumn(name = "Trust Domain", type_ = "string", json_path = ".spec.trustDomain"),
    printcolumn(
        name = "Roots",
        type_ = "integer",
        json_path = ".status.roots",
        description = "How many roots verify its certificates now."
    ),
    printcolumn(
        name = "JWT Keys",
        type_ = "integer",
        json_path = ".status.jwtKeys",
        description = "How many keys verify its JWT-SVIDs now."
    ),
    printcolumn(
        name = "Refreshed",
        type_ = "date",
        json_path = ".status.refreshedAt",
        description = "How long ago its bundle was fetched."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.bundleEndpoint.url", priority = 1),
    printcolumn(
        name = "Sequence",
        type_ = "integer",
        json_path = ".status.sequence",
        description = "The sequence number of its bundle.",
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
    validation = Rule::new("!has(self.refresh) || duration(self.refresh) >= duration('1m')")
        .message("refresh must be at least 1m")
)]
pub struct FederatedTrustDomainSpec {
    /// The name of the foreign trust domain, without `spiffe://` (SPIFFE-ID standard, section 2.1). The signer's own is
    /// refused.
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[a-z0-9._-]+$"))]
    pub trust_domain: String,
    /// Where its bundle is published.
    pub bundle_endpoint: BundleEndpoint,
    /// How often the bundle is fetched, such as `5m`: at least `1m`. The default is what the bundle itself asks for
    /// (`spiffe_refresh_hint`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), regex(pattern = r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$"))]
    pub refresh: Option<String>,
}

/// Where a bundle is published.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleEndpoint {
    /// Its `https` URL.
    #[schemars(length(min = 9, max = 2048), regex(pattern = "^https://[^/?#]"))]
    pub url: String,
    /// How the endpoint's own certificate is verified.
    #[serde(default)]
    pub profile: EndpointProfile,
    /// Certificate authorities, in PEM, that the endpoint is verified with, instead of the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536))]
    pub ca_bundle: Option<String>,
}

/// How a bundle endpoint's own certificate is verified (SPIFFE Federation standard, section 5.2).
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointProfile {
    /// As that of any web server (`https_web`).
    #[default]
    HttpsWeb,
}

/// What became of a FederatedTrustDomain.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct FederatedTrustDomainStatus {
    /// The generation of the object that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The sequence number of the bundle in use (`spiffe_sequence`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<i64>,
    /// How many roots verify its certificates now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roots: Option<i64>,
    /// How many keys verify its JWT-SVIDs now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt_keys: Option<i64>,
    /// When the bundle was fetched last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refreshed_at: Option<Time>,
    /// `Ready`: certificates of the trust domain can be verified.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}
