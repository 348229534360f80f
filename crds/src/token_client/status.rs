//! What became of a client.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of a TokenClient. The token service writes all of it.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenClientStatus {
    /// The generation of the object that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What it calls itself at the token service (`client_id`, RFC 6749 section 2.2): `<namespace>/<name>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// How it proves that it is itself: the one member of `spec.authentication`, with a capital first letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<String>,
    /// When it was given a token last. Written a while after the fact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Time>,
    /// When the last of its secrets ends, after which it can prove itself no more. Other clients have none: their keys and
    /// certificates are replaced without a date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_expiry: Option<Time>,
    /// `Ready`: it can get tokens. `SharedSecret`: it proves itself with a secret that two sides know, and is better moved to
    /// keys of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}
