//! `ApiAuthPolicy`: who may call which operation of an API, with which credential.

mod status;

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use status::{ApiAuthPolicyStatus, Enforcer, Outcome, RuleStatus, TokenLifetimeStatus};

/// Says who may call which operation of an API, with which kind of credential.
///
/// The language is allow-only with default deny: a target with a policy refuses what no rule admits. Rules add up, and
/// so do several policies on one target; the strictest sensitivity wins. A policy that is not accepted denies all.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "countersign.dev",
    version = "v1alpha1",
    kind = "ApiAuthPolicy",
    plural = "apiauthpolicies",
    shortname = "aap",
    category = "countersign",
    namespaced,
    status = "ApiAuthPolicyStatus",
    doc = "ApiAuthPolicy says who may call which operation of an API, with which kind of credential. What no rule admits is refused.",
    printcolumn(
        name = "Target",
        type_ = "string",
        json_path = ".status.target",
        description = "What the policy protects."
    ),
    printcolumn(
        name = "Sensitivity",
        type_ = "string",
        json_path = ".status.sensitivity",
        description = "The sensitivity in force: the strictest of the policy's own, the namespace's floor and the other policies on the target."
    ),
    printcolumn(
        name = "Credentials",
        type_ = "string",
        json_path = ".status.credentials",
        description = "The kinds of credential accepted."
    ),
    printcolumn(
        name = "Mode",
        type_ = "string",
        json_path = ".status.mode",
        description = "The mode in force."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the policy is accepted and written to the enforcers."
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
    validation = Rule::new("(has(self.targetRefs) && size(self.targetRefs) > 0) != has(self.selector)")
        .message("name what the policy protects with exactly one of targetRefs and selector"),
    validation = Rule::new("!has(self.rules) || !self.rules.exists(r, has(r.unauthenticated) && r.unauthenticated) || (has(self.sensitivity) && self.sensitivity == 'Public')")
        .message("unauthenticated is for APIs of sensitivity Public only; set sensitivity: Public, or name the callers"),
    validation = Rule::new("!has(self.rules) || self.rules.all(r, self.rules.exists_one(s, s.name == r.name))")
        .message("each rule needs a name of its own: the status and the decision log call it by that name")
)]
pub struct ApiAuthPolicySpec {
    /// The objects whose traffic the policy protects, in the policy's own namespace. Either this or `selector`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub target_refs: Vec<TargetRef>,
    /// Selects the Pods whose traffic the policy protects, in the policy's own namespace. Either this or `targetRefs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
    /// How sensitive the API is. It sets the least strength of the credentials that the policy may accept.
    #[serde(default)]
    pub sensitivity: Sensitivity,
    /// Whether the policy refuses requests, or only records what it would have refused.
    #[serde(default)]
    pub mode: Mode,
    /// The kinds of credential that the API accepts.
    #[serde(default)]
    pub credentials: Credentials,
    /// What is admitted. A policy without rules refuses every request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub rules: Vec<PolicyRule>,
}

/// Names an object in the policy's own namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("(self.kind == 'Service' && (!has(self.group) || self.group == '')) || (self.kind in ['Gateway', 'HTTPRoute'] && has(self.group) && self.group == 'gateway.networking.k8s.io')")
    .message("a target is a Service (group \"\"), or a Gateway or HTTPRoute (group gateway.networking.k8s.io)"))]
pub struct TargetRef {
    /// The API group: empty for a Service, `gateway.networking.k8s.io` for a Gateway or an HTTPRoute.
    #[serde(default)]
    #[schemars(length(max = 253))]
    pub group: String,
    /// The kind: `Service`, `Gateway` or `HTTPRoute`.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// The object's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Selects Pods by their labels.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Selector {
    /// Labels that a Pod must carry, all of them. An empty map would select every Pod of the namespace and is refused.
    #[schemars(length(min = 1, max = 16))]
    pub match_labels: BTreeMap<String, String>,
}

/// How sensitive an API is. Each step asks for stronger credentials than the one before.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sensitivity {
    /// Open to the world. Named operations may be unauthenticated. Tokens live 24 hours at most.
    Public,
    /// For the organisation's own services. Tokens are for a named audience and live 60 minutes at most.
    Internal,
    /// The default. Tokens need scopes and live 15 minutes at most; a caller from outside the mesh proves that it
    /// holds the key its token is bound to, unless a rule waives that by name.
    #[default]
    Sensitive,
    /// The crown jewels. Callers prove possession of a key on each request; tokens live 5 minutes at most.
    Critical,
}

/// What happens to a request that no rule admits.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// It is refused.
    #[default]
    Enforce,
    /// It is admitted, and the enforcer records that it would have been refused.
    DryRun,
}

/// The kinds of credential that an API accepts. A credential of another kind admits nobody.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credentials {
    /// Accept the certificate with which a caller's workload identifies itself over mutual TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutual_tls: Option<MutualTls>,
    /// Accept JWT access tokens (RFC 9068) of these issuers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub jwt: Vec<JwtCredential>,
}

/// Accepts workload certificates of the mesh. It has no settings: write `mutualTls: {}`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MutualTls {}

/// Accepts JWT access tokens of one issuer.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JwtCredential {
    /// The name of the TokenIssuer whose tokens are accepted.
    #[schemars(length(min = 1, max = 253))]
    pub issuer: String,
    /// The audiences of this API: a token must carry at least one of them in `aud`. There is no default, since a token
    /// for one API must be refused by another.
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 512)))]
    pub audiences: Vec<String>,
    /// Where the token is read from. The default is the `Authorization` header with the prefix `Bearer ` (RFC 6750).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<TokenLocation>,
}

/// Where in a request a token is read from.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenLocation {
    /// The header that carries the token.
    pub header: HeaderLocation,
}

/// A header that carries a token.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderLocation {
    /// The header's name.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// What stands before the token in the header's value, such as `Bearer ` with its space. The default is nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub prefix: String,
}

/// Admits some callers to some operations.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("(has(self.callers) && size(self.callers) > 0) != (has(self.unauthenticated) && self.unauthenticated)")
        .message("say who may call: give callers, or, for a Public API, unauthenticated: true"),
    validation = Rule::new("!(has(self.unauthenticated) && self.unauthenticated) || (has(self.operations) && size(self.operations) > 0)")
        .message("an unauthenticated rule must name its operations"),
    validation = Rule::new("!(has(self.unauthenticated) && self.unauthenticated) || has(self.rateLimit)")
        .message("an unauthenticated rule needs a rateLimit: there is no caller to hold to account"),
    validation = Rule::new("!(has(self.unauthenticated) && self.unauthenticated) || !has(self.scopes) || size(self.scopes) == 0")
        .message("an unauthenticated rule cannot ask for scopes: there is no token to hold them")
)]
pub struct PolicyRule {
    /// The rule's name, unique in the policy. Status and logs call it by this name.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// The operations that the rule admits. Without any, all operations of the target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub operations: Vec<Operation>,
    /// The callers that the rule admits: each entry is one alternative.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub callers: Vec<Caller>,
    /// Scopes that the caller's token must hold, all of them. With scopes, every caller of the rule needs a token, also
    /// one that is named by its ServiceIdentity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 256)))]
    pub scopes: Vec<String>,
    /// Admit requests without any credential. Only for named operations of APIs of sensitivity Public. A credential
    /// that is presented all the same must be valid.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unauthenticated: bool,
    /// How many requests to the rule's operations each proxy lets through. Required with `unauthenticated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// Requirements of the tier that this rule does without, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub waive: Vec<Waiver>,
}

/// A number of requests in a time, counted by each proxy for itself: three replicas let three times as many through.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateLimit {
    /// How many requests.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests: i32,
    /// In which time, such as `1s` or `1m`: from a second to an hour.
    #[schemars(length(min = 2, max = 16), regex(pattern = r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$"))]
    pub per: String,
}

/// A requirement of a tier that a rule can do without, by name.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waiver {
    /// At sensitivity Sensitive, callers from outside the mesh may present a token that is not bound to a key.
    ProofOfPossession,
}

/// A set of requests: any of the methods, on any of the paths.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("(has(self.methods) && size(self.methods) > 0) || (has(self.paths) && size(self.paths) > 0)")
    .message("an operation needs methods, paths or both"))]
pub struct Operation {
    /// HTTP methods, in capitals. Without any, all methods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(min = 1, max = 32), regex(pattern = "^[A-Z][A-Z-]*$"))
    )]
    pub methods: Vec<String>,
    /// Paths. Without any, all paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub paths: Vec<PathMatch>,
}

/// A set of paths, in exactly one of three forms. Paths are compared after normalisation (RFC 3986 section 6.2.2), and
/// a request with an ambiguous path (an encoded slash, a doubled slash, a semicolon, ...) is refused before any rule is
/// looked at.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("(has(self.exact) ? 1 : 0) + (has(self.prefix) ? 1 : 0) + (has(self.template) ? 1 : 0) == 1")
    .message("a path has exactly one of exact, prefix and template"))]
pub struct PathMatch {
    /// This path and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^/"))]
    pub exact: Option<String>,
    /// This path and all below it, by whole segments: `/v1` covers `/v1` and `/v1/x`, but not `/v10`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^/"))]
    pub prefix: Option<String>,
    /// A path whose segments in braces stand for any one segment: `/v1/refunds/{id}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^/"))]
    pub template: Option<String>,
}

/// One kind of caller. What is given in one entry must hold together: a `serviceIdentity` with a `client` is that
/// workload presenting a token of that client.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("has(self.serviceIdentity) || has(self.client) || has(self.claims) || (has(self.anyAuthenticated) && self.anyAuthenticated)")
        .message("a caller needs serviceIdentity, client, claims or anyAuthenticated: true"),
    validation = Rule::new("!(has(self.anyAuthenticated) && self.anyAuthenticated) || !(has(self.serviceIdentity) || has(self.client) || has(self.claims))")
        .message("anyAuthenticated stands alone: it already admits every caller with a valid credential")
)]
pub struct Caller {
    /// A workload, by the ServiceIdentity whose certificate it presents over mutual TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_identity: Option<ServiceIdentityRef>,
    /// An OAuth 2.0 client, by the token that was issued to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientRef>,
    /// Whoever holds a token with these claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<ClaimsMatch>,
    /// Anyone with a valid credential of a kind that the policy accepts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any_authenticated: bool,
}

/// Names a ServiceIdentity.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceIdentityRef {
    /// The ServiceIdentity's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The ServiceIdentity's namespace. The default is the policy's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

/// Names an OAuth 2.0 client at an issuer.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientRef {
    /// The TokenIssuer's name. It must be one of the policy's `credentials.jwt`.
    #[schemars(length(min = 1, max = 253))]
    pub issuer: String,
    /// The client identifier, as the token carries it (RFC 9068 section 2.2: `client_id`).
    #[schemars(length(min = 1, max = 256))]
    pub id: String,
}

/// Asks for claims of a token.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimsMatch {
    /// The TokenIssuer's name. It must be one of the policy's `credentials.jwt`.
    #[schemars(length(min = 1, max = 253))]
    pub issuer: String,
    /// The claims that the token must carry, all of them.
    #[schemars(length(min = 1, max = 16))]
    pub require: Vec<ClaimRequirement>,
}

/// Asks for one claim of a token.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimRequirement {
    /// The name of a top-level claim.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// The values that satisfy the requirement: the claim is one of them, or an array that holds one of them.
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 512)))]
    pub values: Vec<String>,
}
