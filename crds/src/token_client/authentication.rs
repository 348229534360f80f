//! How a client proves that it is itself.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a client proves that it is itself: in exactly one way.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new(
        "[has(self.privateKeyJwt), has(self.mutualTls), has(self.clientSecret), has(self.public), has(self.federated)].filter(x, x).size() == 1"
    )
    .message("give exactly one of privateKeyJwt, mutualTls, clientSecret, public and federated")
)]
pub struct Authentication {
    /// By assertions that it signs with a key of its own (`private_key_jwt`, RFC 7523). The first choice: nothing that is
    /// secret leaves the client, and each assertion is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key_jwt: Option<PrivateKeyJwt>,
    /// By a certificate (RFC 8705 section 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutual_tls: Option<MutualTls>,
    /// By a secret that it shares with the token service, which keeps a hash of it: a last resort, for audiences that are
    /// Internal or Public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<ClientSecret>,
    /// Not at all: an application on a user's device, which can keep no secret (RFC 6749 section 2.1). It has PKCE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<PublicClient>,
    /// By tokens of outside issuers, such as a cloud's or a CI system's, which it exchanges (RFC 8693). Any one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16))]
    pub federated: Vec<FederatedToken>,
}

/// The keys that a client signs its assertions with.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("has(self.jwksUri) != has(self.jwks)")
        .message("give the client's keys by exactly one of jwksUri and jwks"),
    validation = Rule::new("!has(self.caBundle) || has(self.jwksUri)")
        .message("caBundle is for fetching jwksUri; with inline jwks nothing is fetched")
)]
pub struct PrivateKeyJwt {
    /// The public keys themselves, as a JWK Set in JSON (RFC 7517 section 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536))]
    pub jwks: Option<String>,
    /// Where the client publishes them, as an `https` URL. The token service fetches them when it needs them, and keeps them
    /// for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 9, max = 2048), regex(pattern = r"^https://[^/?#\s]+[^#\s]*$"))]
    pub jwks_uri: Option<String>,
    /// Certificate authorities, in PEM, that `jwksUri` is verified with, instead of the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536))]
    pub ca_bundle: Option<String>,
    /// What the `aud` of its assertions may be. Set it to Issuer for a client that uses its key at other authorization servers too: one
    /// of those could call an endpoint of this one its own, to be given assertions that count here.
    #[serde(default)]
    pub assertion_audience: AssertionAudience,
}

/// What the `aud` of an assertion may be.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum AssertionAudience {
    /// The issuer, the URL of the endpoint that is asked, or that of the token endpoint, as older libraries have it (RFC 7523 section
    /// 3).
    #[default]
    IssuerOrEndpoint,
    /// The issuer alone (FAPI 2.0 Security Profile section 5.3.2.1, draft-ietf-oauth-rfc7523bis).
    Issuer,
}

/// The certificates that a client is known by.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("[has(self.spiffeId), has(self.dnsName), has(self.thumbprints)].filter(x, x).size() == 1")
        .message("give exactly one of spiffeId, dnsName and thumbprints")
)]
pub struct MutualTls {
    /// A certificate that an authority of the token service vouches for, with this SPIFFE ID (`tls_client_auth`, RFC 8705
    /// section 2.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 10, max = 2048),
        regex(pattern = r"^spiffe://[a-z0-9._-]+(/[a-zA-Z0-9._-]+)+$")
    )]
    pub spiffe_id: Option<String>,
    /// A certificate that an authority of the token service vouches for, with this DNS name (`tls_client_auth`, RFC 8705
    /// section 2.1). No wildcards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub dns_name: Option<String>,
    /// These certificates and no others, whoever signed them, each by the base64url SHA-256 of its DER
    /// (`self_signed_tls_client_auth`, RFC 8705 section 2.2).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(min = 1, max = 16),
        inner(length(min = 43, max = 43), regex(pattern = r"^[A-Za-z0-9_-]{43}$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub thumbprints: Vec<String>,
}

/// The secrets of a client. Any one of them counts until it ends, so that a new one can be handed out before.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientSecret {
    /// Hashes of the secrets. The secrets themselves stand nowhere.
    #[schemars(length(min = 1, max = 4))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["hash".to_owned()]))]
    pub hashes: Vec<SecretHash>,
}

/// A hash of a client secret.
// A rule of the object, since a pattern of the field would have an API server repeat the value: it may be the secret itself.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new(
        "self.hash.matches('^[$]argon2id[$]v=19[$]m=[0-9]+,t=[0-9]+,p=[0-9]+[$][A-Za-z0-9+/]+[$][A-Za-z0-9+/]+$')"
    )
    .message("hash must be by argon2id, as a PHC string; never write the secret itself")
)]
pub struct SecretHash {
    /// By argon2id (RFC 9106), as a PHC string: `$argon2id$v=19$m=…,t=…,p=…$…$…`, with at least `m=19456`.
    #[schemars(length(max = 512))]
    pub hash: String,
    /// Until when the secret counts, such as `2026-12-31T00:00:00Z` (RFC 3339): a year from now at most.
    pub not_after: Time,
}

/// A client that proves nothing.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PublicClient {}

/// Tokens of an outside issuer that stand for a client.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FederatedToken {
    /// The name of a TokenIssuer with `external`, whose keys verify the tokens.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub token_issuer: String,
    /// What a token must carry in `aud`, so that tokens that were made for others are not taken.
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^[^\s*]+$"))]
    pub audience: String,
    /// The claims that a token must have, all of them, each with exactly this text, or with a list that holds it. Name enough
    /// of them, such as `sub`, that only the client meant has them all.
    #[schemars(length(min = 1, max = 16))]
    pub claims: BTreeMap<String, String>,
}
