//! What became of an issuer.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of a TokenIssuer. Of one with `external`, the operator writes all of it. Of one with `managed`, the token
/// service writes all of it, and the operator nothing: it reads the keys here, as for any other issuer.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenIssuerStatus {
    /// The generation of the object that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The issuer identifier that the rest speaks of: what tokens carry in `iss`. Keys of another one are not used: when it
    /// changes in the spec of a managed issuer, no token counts until the token service has taken the change in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The longest life of its tokens, such as `15m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_token: Option<String>,
    /// How many keys can verify tokens of this issuer now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_count: Option<i64>,
    /// The keys in use, as a JWK Set in JSON: what was fetched last and could be used, or what the token service publishes.
    /// Public keys only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<String>,
    /// Where `jwks` was fetched from. Keys of another place are not used: a changed `jwksUri` is fetched first. For a
    /// managed issuer, where the token service publishes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// The keys of a managed issuer, and when they turn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["kid"]))]
    pub keys: Vec<SigningKeyStatus>,
    /// How many TokenClients name a managed issuer and may ask it for tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clients: Option<i64>,
    /// `KeysAvailable`: there are keys to verify tokens with. `Ready`: the same, and the issuer is well formed.
    /// `DiscoveryReachable`, for a managed issuer: its metadata can be had at the issuer identifier, as clients do it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// A key of a managed issuer.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SigningKeyStatus {
    /// Its identifier in the JWK Set and in tokens (RFC 7517 section 4.5).
    pub kid: String,
    /// The algorithm that it signs with, by its name in JOSE.
    pub algorithm: String,
    /// What it is used for now.
    pub state: KeyState,
    /// When it begins to sign, or began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signs_from: Option<Time>,
    /// When the next key takes over from it, or took over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signs_until: Option<Time>,
    /// When it stops being published: the last token that it signed has ended by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_after: Option<Time>,
}

/// What a key is used for.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyState {
    /// It is published, so that verifiers know it by the time when it signs.
    Published,
    /// It signs.
    Signing,
    /// It signs no more, and is published until the last token that it signed has ended.
    Retiring,
}
