//! `TokenRevocation`: tokens that count no more.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Revokes tokens of a managed issuer, everywhere, until a time: one token, a family of refresh tokens, all of a subject, of
/// a client, or of the issuer.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "countersign.dev",
    version = "v1alpha1",
    kind = "TokenRevocation",
    plural = "tokenrevocations",
    shortname = "trev",
    category = "countersign",
    status = "TokenRevocationStatus",
    doc = "TokenRevocation revokes tokens of a managed TokenIssuer, everywhere, until a time: one token, a family of refresh tokens, all of a subject, of a client, or of the issuer.",
    printcolumn(name = "Issuer", type_ = "string", json_path = ".spec.issuer"),
    printcolumn(name = "Subject", type_ = "string", json_path = ".spec.subject"),
    printcolumn(name = "Client", type_ = "string", json_path = ".spec.client"),
    printcolumn(
        name = "Token",
        type_ = "string",
        json_path = ".spec.jti",
        description = "The identifier of the one token (jti)."
    ),
    printcolumn(name = "Until", type_ = "string", json_path = ".spec.until"),
    printcolumn(
        name = "Recorded",
        type_ = "integer",
        json_path = ".status.recorded",
        description = "Its place in the revocation list."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Family", type_ = "string", json_path = ".spec.family", priority = 1),
    printcolumn(
        name = "Issued Before",
        type_ = "string",
        json_path = ".spec.issuedBefore",
        priority = 1
    ),
    printcolumn(name = "Reason", type_ = "string", json_path = ".spec.reason", priority = 1),
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
    validation = Rule::new("[has(self.jti), has(self.subject), has(self.client), has(self.family)].filter(x, x).size() <= 1")
        .message("give one of jti, subject, client and family, or issuedBefore alone for all tokens of the issuer"),
    validation = Rule::new("has(self.jti) || has(self.subject) || has(self.client) || has(self.family) || has(self.issuedBefore)")
        .message("say what is revoked: give one of jti, subject, client and family, or issuedBefore alone for all tokens of the issuer"),
    validation = Rule::new("!has(self.issuedBefore) || !(has(self.jti) || has(self.family))")
        .message("issuedBefore goes with subject or client, or stands alone; one token or one family is revoked whenever it was issued"),
    validation = Rule::new("self == oldSelf")
        .message("a revocation does not change, since it was told everywhere already: make another one, and delete this one if it is not meant")
)]
pub struct TokenRevocationSpec {
    /// The name of the TokenIssuer, which must be a managed one: an outside issuer revokes its tokens itself.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub issuer: String,
    /// One token, by its identifier (`jti`, RFC 7519 section 4.1.7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub jti: Option<String>,
    /// All tokens of a subject (`sub`): a user, a workload or a client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub subject: Option<String>,
    /// All tokens that were issued to a client, by its `client_id`: `<namespace>/<name>` of its TokenClient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 320), regex(pattern = r"^[^/\s]+/[^/\s]+$"))]
    pub client: Option<String>,
    /// A family of refresh tokens, with the access tokens that came of it, by the identifier that decision records name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub family: Option<String>,
    /// Tokens that were issued before this time alone, such as `2026-06-01T12:00:00Z` (RFC 3339). Without it, a subject or a
    /// client gets no token that counts until `until`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<Time>,
    /// Until when the revocation stands (RFC 3339). Give a time by which the tokens have ended: what ends later counts again
    /// afterwards.
    pub until: Time,
    /// Why, in a sentence for whoever reads it later.
    #[schemars(length(min = 1, max = 1024))]
    pub reason: String,
}

/// What became of a TokenRevocation. The token service writes all of it.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenRevocationStatus {
    /// The generation of the object that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The sequence number of its entry in the issuer's revocation list. Whoever has followed the list up to it knows of
    /// the revocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<i64>,
    /// `Ready`: it is in the revocation list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}
