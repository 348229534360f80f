//! `CredentialWaiver`: an exception for a credential in a manifest, with a reason and an end.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lets one kind of credential stand in one object, for a reason and until a time. After `expires` it counts for nothing,
/// at once and everywhere: in the webhook, in the audit and on the command line.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "countersign.dev",
    version = "v1alpha1",
    kind = "CredentialWaiver",
    plural = "credentialwaivers",
    shortname = "cw",
    category = "countersign",
    namespaced,
    status = "CredentialWaiverStatus",
    doc = "CredentialWaiver lets one kind of credential stand in one object, for a reason and until a time.",
    printcolumn(name = "Kind", type_ = "string", json_path = ".spec.object.kind"),
    printcolumn(name = "Object", type_ = "string", json_path = ".spec.object.name"),
    printcolumn(name = "Rule", type_ = "string", json_path = ".spec.rule"),
    printcolumn(
        name = "Expires",
        type_ = "string",
        json_path = ".spec.expires",
        description = "From when on the waiver counts for nothing."
    ),
    printcolumn(
        name = "State",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Active\")].reason",
        description = "Active, Unused (it covers nothing), Expired, or Invalid."
    ),
    printcolumn(
        name = "Covers",
        type_ = "integer",
        json_path = ".status.covers",
        description = "How many findings it covers now."
    ),
    printcolumn(name = "Reason", type_ = "string", json_path = ".spec.reason", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Active\")].message",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("(has(self.fields) && size(self.fields) > 0) || has(self.fingerprint)")
        .message("say which finding is meant: by fields, by fingerprint, or by both"),
)]
pub struct CredentialWaiverSpec {
    /// The object that holds the credential, in the waiver's own namespace. A waiver in the namespace that Countersign
    /// runs in covers objects without a namespace too.
    pub object: WaivedObject,
    /// The rule that finds the credential, by its name, such as `github-token`: each finding and each refusal names it.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub rule: String,
    /// The fields that may hold it, as JSON Pointers (RFC 6901) in which `*` stands for one segment and `**` for any
    /// number of them: `/spec/template/spec/containers/*/env/*/value`. With `fingerprint` too, both must fit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 2, max = 1024), regex(pattern = "^(/[^/]+)+$")))]
    pub fields: Vec<String>,
    /// The fingerprint of the credential, as a finding shows it: the waiver ends when the value changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 32, max = 32), regex(pattern = "^[0-9a-f]{32}$"))]
    pub fingerprint: Option<String>,
    /// Why the credential may stand, in a sentence for whoever reads it later.
    #[schemars(length(min = 10, max = 1024))]
    pub reason: String,
    /// When the waiver ends, such as `2026-12-31T00:00:00Z` (RFC 3339). The webhook refuses an end that is too far away.
    pub expires: Time,
}

/// Names an object in the waiver's own namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WaivedObject {
    /// The API group, without a version: `apps`. The default is the core group, of Secrets and ConfigMaps.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253), regex(pattern = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$"))]
    pub group: String,
    /// The kind: `Deployment`.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[A-Za-z][A-Za-z0-9]*$"))]
    pub kind: String,
    /// The object's name. With `*` at its end it stands for all names that begin so, for objects whose names end in
    /// random letters.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[A-Za-z0-9]([-A-Za-z0-9_.:]*[A-Za-z0-9]|[-A-Za-z0-9_.:]*\*)?$")
    )]
    pub name: String,
}

/// What became of a CredentialWaiver.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct CredentialWaiverStatus {
    /// The generation of the object that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How many findings the waiver covers now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub covers: Option<i64>,
    /// `Active`: the waiver counts. Its reason is `Active`, or `Unused` if it covers nothing; `Expired` or `Invalid` if it
    /// does not count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}
