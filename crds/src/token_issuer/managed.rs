//! The issuers that Countersign's own token service answers for.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api_auth_policy::Sensitivity;

/// An issuer that Countersign's own token service answers for. Who gets its tokens is said by TokenClients, which name
/// it, and by the `tokens` of ServiceIdentities.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManagedIssuer {
    /// The issuer identifier, which tokens carry in `iss`: the `https` URL at which clients reach the token service,
    /// without query, fragment or a slash at its end (RFC 8414 section 2). Its path, if any, is part of every endpoint.
    #[schemars(length(min = 9, max = 512), regex(pattern = r"^https://[^/?#\s]+(/[^/?#\s]+)*$"))]
    pub issuer: String,
    /// Another host of the token service, with a port if it is not 443, at which clients are asked for a certificate (RFC 8705 section
    /// 5). At the host of the issuer they are not asked then, so that no browser asks its user for one. Without it they are asked at the
    /// host of the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 261), regex(pattern = r"^[a-z0-9.-]+(:[0-9]+)?$"))]
    pub mutual_tls_host: Option<String>,
    /// The APIs that tokens may be for. There are no tokens for anything else.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["audience".to_owned()]))]
    pub audiences: Vec<ManagedAudience>,
    /// What tokens are signed with.
    #[serde(default)]
    pub signing: Signing,
    /// How long refresh tokens go on.
    #[serde(default)]
    pub refresh: Refresh,
    /// The OpenID provider at which users sign in. Without one there is no grant AuthorizationCode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Upstream>,
}

/// An API that tokens may be for.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManagedAudience {
    /// What tokens for it carry in `aud`, and what is asked for by `audience` or `resource` (RFC 8707): a URL, or a name.
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^[^\s*]+$"))]
    pub audience: String,
    /// How sensitive the API is: the floor for the lifetime of its tokens, for their binding to a key, and for how a
    /// client may authenticate.
    #[serde(default)]
    pub sensitivity: Sensitivity,
    /// The scopes that exist there (RFC 6749 section 3.3), each written out. Clients and workloads get some of them, and no
    /// others. `openid` and `offline_access` are OpenID Connect's, and no API's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 256),
        inner(length(min = 1, max = 256), regex(pattern = r"^[!#-)+-\[\]-~]+$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub scopes: Vec<String>,
    /// The namespaces whose TokenClients and ServiceIdentities may have tokens for it. Without the list, those of all: then
    /// whoever may write these kinds anywhere can have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 256),
        inner(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub namespaces: Option<Vec<String>>,
    /// What its tokens are.
    #[serde(default)]
    pub token_format: TokenFormat,
    /// How long its tokens live at most, such as `10m`. The default is the longest that its sensitivity allows, and
    /// nothing longer can be given: 24h for Public, 60m for Internal, 15m for Sensitive, 5m for Critical.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), regex(pattern = r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$"))]
    pub token_lifetime: Option<String>,
    /// Who may ask what its tokens are worth (RFC 7662): the API itself, as a TokenClient, `<namespace>/<name>`, or as a
    /// workload, by its SPIFFE ID. Others are told that a token is not active, but for the client that it was given to.
    /// Whoever is named here may also exchange its tokens (RFC 8693), to call the next API on behalf of the same user: others
    /// may not, but for that client, or for who holds the key that a token is bound to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 3, max = 1024)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub introspected_by: Vec<String>,
}

/// What an access token is.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenFormat {
    /// A signed JWT (RFC 9068), which the API verifies by itself.
    #[default]
    #[serde(rename = "JWT")]
    Jwt,
    /// A handle without meaning, which the API asks the token service about (RFC 7662). It can be revoked at once.
    Opaque,
}

/// What tokens are signed with. The token service makes the keys itself, and publishes each before it signs with it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("duration(self.rotateEvery) >= duration('1h') && duration(self.rotateEvery) <= duration('8760h')")
        .message("rotateEvery must be from 1h to 8760h")
)]
pub struct Signing {
    /// The algorithm (RFC 7518 section 3.1, RFC 8037). A change of it is a rotation: tokens of the old key go on counting
    /// until they end.
    #[serde(default)]
    pub algorithm: SigningAlgorithm,
    /// How long a key signs before the next takes over, such as `720h`: from `1h` to `8760h`. A new value of the annotation
    /// countersign.dev/rotate-keys asks for a new key now, and puts the old ones out of use.
    #[serde(default = "default_rotate_every")]
    #[schemars(length(min = 2, max = 32), regex(pattern = r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$"))]
    pub rotate_every: String,
}

impl Default for Signing {
    fn default() -> Self {
        Self {
            algorithm: SigningAlgorithm::default(),
            rotate_every: default_rotate_every(),
        }
    }
}

fn default_rotate_every() -> String {
    "720h".to_owned()
}

/// An algorithm that tokens are signed with, by its name in JOSE (RFC 7518 section 3.1, RFC 8037 section 3.1).
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SigningAlgorithm {
    /// ECDSA on P-256. The default.
    #[default]
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// RSA PKCS #1 v1.5, for old verifiers.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSA-PSS, for old verifiers.
    #[serde(rename = "PS256")]
    Ps256,
}

/// How long refresh tokens go on. Each use replaces the refresh token, and the use of one that was replaced ends them all
/// (RFC 9700 section 4.14.2).
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("duration(self.absoluteLifetime) >= duration('1m') && duration(self.absoluteLifetime) <= duration('8760h')")
        .message("absoluteLifetime must be from 1m to 8760h"),
    validation = Rule::new("duration(self.idleLifetime) >= duration('1m') && duration(self.idleLifetime) <= duration(self.absoluteLifetime)")
        .message("idleLifetime must be from 1m to absoluteLifetime"),
    validation = Rule::new("duration(self.grace) <= duration('60s')")
        .message("grace must be 60s at most; 0s is none")
)]
pub struct Refresh {
    /// How long after a user signed in the last access token may be had, whatever is done: from `1m` to `8760h`.
    #[serde(default = "default_absolute")]
    #[schemars(length(min = 2, max = 32), regex(pattern = r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$"))]
    pub absolute_lifetime: String,
    /// How long a refresh token counts that is not used: from `1m` to `absoluteLifetime`.
    #[serde(default = "default_idle")]
    #[schemars(length(min = 2, max = 32), regex(pattern = r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$"))]
    pub idle_lifetime: String,
    /// How long a refresh token that was replaced may be shown again, because the answer was lost on its way: by the same
    /// client, which proves itself again; by a public one with the same proof key. `60s` at most, and `0s` for never.
    #[serde(default = "default_grace")]
    #[schemars(length(min = 2, max = 32), regex(pattern = r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$"))]
    pub grace: String,
}

impl Default for Refresh {
    fn default() -> Self {
        Self {
            absolute_lifetime: default_absolute(),
            idle_lifetime: default_idle(),
            grace: default_grace(),
        }
    }
}

fn default_absolute() -> String {
    "720h".to_owned()
}

fn default_idle() -> String {
    "168h".to_owned()
}

fn default_grace() -> String {
    "60s".to_owned()
}

/// The OpenID provider at which users sign in. The token service is a client of it, with the redirect URI
/// `<issuer>/callback`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Upstream {
    /// Its issuer identifier, an `https` URL, exactly as its metadata says it (OpenID Connect Discovery 1.0 section 4).
    #[schemars(length(min = 9, max = 512), regex(pattern = r"^https://[^/?#\s]+(/[^?#\s]*)?$"))]
    pub issuer: String,
    /// What the token service is called there (`client_id`).
    #[schemars(length(min = 1, max = 256))]
    pub client_id: String,
    /// The Secret, in the namespace that the token service runs in, whose key `clientSecret` proves the token service to the
    /// provider. Without one it proves itself by assertions (`private_key_jwt`), signed with the issuer's own key, which the
    /// provider finds at the issuer's JWKS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub client_secret_name: Option<String>,
    /// Certificate authorities, in PEM, that the provider's server is verified with, instead of the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536))]
    pub ca_bundle: Option<String>,
    /// What is asked for there beside `openid`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        inner(length(min = 1, max = 256), regex(pattern = r"^[!#-)+-\[\]-~]+$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub scopes: Vec<String>,
}
