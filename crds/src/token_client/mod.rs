//! `TokenClient`: a partner or an application at a managed issuer.

mod authentication;
mod status;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use authentication::{
    AssertionAudience, Authentication, ClientSecret, FederatedToken, MutualTls, PrivateKeyJwt, PublicClient, SecretHash,
};
pub use status::TokenClientStatus;

/// A partner or an application that may ask a managed issuer for tokens: how it proves that it is itself, how it may ask,
/// and for what.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "countersign.dev",
    version = "v1alpha1",
    kind = "TokenClient",
    plural = "tokenclients",
    shortname = "tclient",
    category = "countersign",
    namespaced,
    status = "TokenClientStatus",
    doc = "TokenClient is a partner or an application that may ask a managed TokenIssuer for tokens: how it proves that it is itself, how it may ask, and for what.",
    printcolumn(
        name = "Client ID",
        type_ = "string",
        json_path = ".status.clientId",
        description = "What it calls itself at the token service (client_id)."
    ),
    printcolumn(name = "Issuer", type_ = "string", json_path = ".spec.issuer"),
    printcolumn(
        name = "Authentication",
        type_ = "string",
        json_path = ".status.authentication",
        description = "How it proves that it is itself."
    ),
    printcolumn(
        name = "Last Used",
        type_ = "date",
        json_path = ".status.lastUsed",
        description = "How long ago it got a token."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Key Expiry",
        type_ = "string",
        json_path = ".status.keyExpiry",
        description = "When the last of its secrets ends.",
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
    validation = Rule::new("('AuthorizationCode' in self.grants) == (has(self.redirectUris) && size(self.redirectUris) > 0)")
        .message("redirectUris go with grant AuthorizationCode: give both or neither"),
    validation = Rule::new("!('RefreshToken' in self.grants) || 'AuthorizationCode' in self.grants")
        .message("grant RefreshToken goes with AuthorizationCode: nothing else gives refresh tokens"),
    validation = Rule::new("!has(self.authentication.public) || self.grants.all(g, g in ['AuthorizationCode', 'RefreshToken'])")
        .message("a public client proves nothing, and can only use AuthorizationCode and RefreshToken"),
    validation = Rule::new("!has(self.authentication.federated) || self.grants == ['TokenExchange']")
        .message("a client that is known by tokens of other issuers uses TokenExchange, and nothing else"),
    validation = Rule::new("!('JWTBearer' in self.grants) || has(self.authentication.privateKeyJwt)")
        .message("grant JWTBearer needs authentication.privateKeyJwt, whose keys verify the assertions")
)]
pub struct TokenClientSpec {
    /// The name of the TokenIssuer, which must be a managed one.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub issuer: String,
    /// How it proves that it is itself.
    pub authentication: Authentication,
    /// How it may ask for tokens.
    #[schemars(length(min = 1, max = 5))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub grants: Vec<Grant>,
    /// Where users may be sent back to after they signed in. What a request names is compared with these character by
    /// character (RFC 9700 section 2.1). An `https` URL; or an `http` URL of `127.0.0.1` or `[::1]`; or, for a public client
    /// alone, a URL of a scheme of its own, such as `com.example.app:/signed-in` (RFC 8252 section 7.1). No fragment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        inner(length(min = 3, max = 2048), regex(pattern = r"^[A-Za-z][A-Za-z0-9+.-]*:[^#\s]+$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub redirect_uris: Vec<String>,
    /// What its tokens may be for. Each must be an audience of the issuer.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["audience".to_owned()]))]
    pub audiences: Vec<GrantedAudience>,
    /// How long its tokens live at most, such as `5m`. The default is what the audience allows, and nothing longer can be
    /// given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), regex(pattern = r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$"))]
    pub token_lifetime: Option<String>,
    /// Whether its tokens must be bound to a key of its own, so that a stolen one is worth nothing. For audiences that are
    /// Critical they must be, whatever stands here.
    #[serde(default)]
    pub binding: Binding,
    /// Whether it must push its authorization requests (RFC 9126), so that a browser never carries their parameters.
    #[serde(default)]
    pub require_pushed_authorization_requests: bool,
}

/// An audience of an issuer, and the scopes that may be had for it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrantedAudience {
    /// The audience, as the issuer names it.
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^[^\s*]+$"))]
    pub audience: String,
    /// The scopes that may be had, each of them one of the issuer's for this audience. No wildcards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 256),
        inner(length(min = 1, max = 256), regex(pattern = r"^[!#-)+-\[\]-~]+$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub scopes: Vec<String>,
}

/// A way to ask for a token.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    /// For itself, without a user (RFC 6749 section 4.4).
    ClientCredentials,
    /// In exchange for another token (RFC 8693).
    TokenExchange,
    /// For an assertion that it signed (RFC 7523 section 2.1).
    #[serde(rename = "JWTBearer")]
    JwtBearer,
    /// For a user who signed in (RFC 6749 section 4.1), with PKCE (RFC 7636).
    AuthorizationCode,
    /// For a refresh token, which is replaced at each use (RFC 6749 section 6).
    RefreshToken,
}

/// Whether tokens must be bound to a key of who asks for them.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Binding {
    /// Where the client offers a key, and wherever the audience is Critical.
    #[default]
    Optional,
    /// To a DPoP key (RFC 9449) or to the client's certificate (RFC 8705 section 3).
    Required,
    /// To a DPoP key, also for a client that shows a certificate (RFC 9449 section 5.2, `dpop_bound_access_tokens`).
    #[serde(rename = "DPoP")]
    Dpop,
}
