//! `TokenIssuer`: a source of tokens that the cluster trusts.

mod managed;
mod status;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

pub use managed::{ManagedAudience, ManagedIssuer, Refresh, Signing, SigningAlgorithm, TokenFormat, Upstream};
pub use status::{KeyState, SigningKeyStatus, TokenIssuerStatus};

/// An annotation of a `TokenIssuer` with `managed`. A value that changes asks for a new signing key now, and takes the
/// old ones out of use at once: tokens that they signed count no more. What the value is does not matter; the time is a
/// good one.
pub const ROTATE_KEYS_ANNOTATION: &str = "countersign.dev/rotate-keys";

/// Names an issuer of tokens, with the keys that verify them and the longest life that it gives them.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "countersign.dev",
    version = "v1alpha1",
    kind = "TokenIssuer",
    plural = "tokenissuers",
    shortname = "tiss",
    category = "countersign",
    status = "TokenIssuerStatus",
    doc = "TokenIssuer names an issuer of tokens that the cluster trusts, with the keys that verify them and the longest life that it gives them.",
    printcolumn(
        name = "Issuer",
        type_ = "string",
        json_path = ".status.issuer",
        description = "What its tokens carry in iss."
    ),
    printcolumn(
        name = "Keys",
        type_ = "integer",
        json_path = ".status.keyCount",
        description = "How many keys can verify its tokens now."
    ),
    printcolumn(
        name = "Longest Token",
        type_ = "string",
        json_path = ".status.longestToken",
        description = "The longest life that it gives to a token."
    ),
    printcolumn(
        name = "Clients",
        type_ = "integer",
        json_path = ".status.clients",
        description = "How many TokenClients a managed issuer has.",
        priority = 1
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
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
    validation = Rule::new("has(self.external) != has(self.managed)")
        .message("give exactly one of external and managed")
)]
pub struct TokenIssuerSpec {
    /// An identity provider outside Countersign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalIssuer>,
    /// An issuer that Countersign's own token service answers for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<ManagedIssuer>,
}

/// An identity provider outside Countersign.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("has(self.jwksUri) != has(self.jwks)")
        .message("give the verification keys by exactly one of jwksUri and jwks"),
    validation = Rule::new("!has(self.caBundle) || has(self.jwksUri)")
        .message("caBundle is for fetching jwksUri; with inline jwks nothing is fetched")
)]
pub struct ExternalIssuer {
    /// The issuer identifier: exactly what its tokens carry in `iss` (RFC 7519 section 4.1.1).
    #[schemars(length(min = 1, max = 512))]
    pub issuer: String,
    /// Where the verification keys are published (RFC 7517), as an `https` URL. The operator fetches them every few
    /// minutes, and keeps the last good set in the status when a fetch fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048), regex(pattern = "^https://"))]
    pub jwks_uri: Option<String>,
    /// The verification keys themselves, as a JWK Set in JSON (RFC 7517 section 5). Public keys only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536))]
    pub jwks: Option<String>,
    /// Certificate authorities, in PEM, that `jwksUri` is verified with, instead of the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536))]
    pub ca_bundle: Option<String>,
    /// The longest life, from `iat` to `exp`, that the issuer gives to the tokens of this cluster, such as `10m`. A
    /// policy whose tier allows less refuses the issuer.
    #[schemars(length(min = 2, max = 32), regex(pattern = r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$"))]
    pub max_token_lifetime: String,
    /// The claim that names the client that a token was issued to. The default is `client_id` (RFC 9068 section 2.2);
    /// some identity providers use `azp`.
    #[serde(default = "default_client_id_claim")]
    #[schemars(length(min = 1, max = 256))]
    pub client_id_claim: String,
}

fn default_client_id_claim() -> String {
    "client_id".to_owned()
}
