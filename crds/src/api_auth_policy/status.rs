//! What became of a policy, as its status tells.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Mode, Sensitivity};

/// What became of a policy.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiAuthPolicyStatus {
    /// The generation of the policy that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What the policy protects, in short: `Service/payments`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The sensitivity in force: the strictest of the policy's own, the namespace's floor and that of the other
    /// policies on the same target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<Sensitivity>,
    /// The kinds of credential accepted, in short: `mTLS,JWT(corp)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<String>,
    /// The mode in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// How each rule is enforced, by enforcer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleStatus>,
    /// The longest life of the tokens accepted, by issuer, and who holds them to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token_lifetimes: Vec<TokenLifetimeStatus>,
    /// `Accepted`: the policy is understood and strong enough. `Programmed`: the enforcers' objects are written and
    /// current. `Ready`: both.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// How one rule is enforced by one enforcer.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
pub struct RuleStatus {
    /// The rule's name.
    pub name: String,
    /// What enforces it.
    pub enforcer: Enforcer,
    /// How it is enforced.
    pub outcome: Outcome,
    /// Why, where the outcome is not `Native`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What enforces a rule.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Enforcer {
    /// The sidecar of each workload behind the target.
    IstioSidecar,
    /// A gateway that Istio runs.
    IstioGateway,
    /// The waypoint proxy of an ambient namespace or Service.
    IstioWaypoint,
    /// The node's ztunnel, in ambient mode without a waypoint: it sees connections, not requests.
    IstioZtunnel,
}

/// How a rule is enforced.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The enforcer does it itself.
    Native,
    /// The enforcer cannot do it: what the rule would admit is refused.
    NotEnforceable,
}

/// The longest life of the tokens of one issuer, and who holds them to it.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
pub struct TokenLifetimeStatus {
    /// The TokenIssuer's name.
    pub issuer: String,
    /// The longest life, from `iat` to `exp`, as a duration.
    pub longest: String,
    /// Who holds tokens to it: `TokenIssuer`, by its declaration.
    pub held_by: String,
}
