//! Issuers, clients and workloads that were understood.

use std::collections::{BTreeMap, BTreeSet};

use countersign_identity::{Claims, KeySet, SpiffeId};

use crate::model::Sensitivity;
use crate::world::ObjectName;

/// A `TokenIssuer` that Countersign's token service answers for.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagedIssuer {
    /// The name of the `TokenIssuer`.
    pub name: String,
    /// The issuer identifier (RFC 8414 section 2): an `https` URL without query, fragment or a slash at its end.
    pub issuer: String,
    /// The host, with its port if it is not 443, at which clients show certificates (RFC 8705 section 5), if it is another than the
    /// issuer's.
    pub mutual_tls_host: Option<String>,
    /// What tokens may be for, by the identifier of the API (`aud`).
    pub audiences: BTreeMap<String, Audience>,
    /// What tokens are signed with.
    pub algorithm: SigningAlgorithm,
    /// How long a signing key signs, in seconds.
    pub rotate_every: i64,
    /// How long refresh tokens go on.
    pub refresh: Refresh,
    /// Where users sign in, if any may.
    pub upstream: Option<Upstream>,
}

impl ManagedIssuer {
    /// The longest life of its tokens, in seconds, whatever they are for.
    pub fn longest_token(&self) -> i64 {
        self.audiences
            .values()
            .map(|audience| audience.lifetime)
            .max()
            .unwrap_or_default()
    }
}

/// An API that tokens may be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// How sensitive it is: the floor for lifetimes, binding and the ways to authenticate.
    pub sensitivity: Sensitivity,
    /// The scopes that exist there.
    pub scopes: BTreeSet<String>,
    /// The namespaces whose clients and workloads may have tokens for it. `None` for all.
    pub namespaces: Option<BTreeSet<String>>,
    /// What its tokens are.
    pub format: Format,
    /// How long they live at most, in seconds: never longer than its tier allows.
    pub lifetime: i64,
    /// Who may ask what its tokens are worth (RFC 7662), beside the clients that they were given to: the API itself, as a client
    /// (`<namespace>/<name>`) or as a workload (its SPIFFE ID).
    pub introspected_by: BTreeSet<String>,
}

impl Audience {
    /// Whether clients and workloads of a namespace may have tokens for it.
    pub fn is_for(&self, namespace: &str) -> bool {
        self.namespaces
            .as_ref()
            .is_none_or(|namespaces| namespaces.contains(namespace))
    }

    /// Whether tokens for it must be bound to a key, when whoever asks is held to `asked`: at `Critical` they must, whoever
    /// it is, workloads among them.
    pub fn binding(&self, asked: Binding) -> Binding {
        match self.sensitivity {
            Sensitivity::Critical => asked.max(Binding::Required),
            Sensitivity::Public | Sensitivity::Internal | Sensitivity::Sensitive => asked,
        }
    }

    /// How long tokens for it live at most, in seconds, for a client that may have them for `limit`.
    pub fn lifetime_within(&self, limit: Option<i64>) -> i64 {
        limit.map_or(self.lifetime, |limit| limit.min(self.lifetime))
    }
}

/// What an access token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A signed JWT (RFC 9068), which the API verifies by itself.
    Jwt,
    /// A handle without meaning, which the API asks about (RFC 7662): revoked at once.
    Opaque,
}

/// An algorithm that tokens are signed with (RFC 7518 section 3.1, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SigningAlgorithm {
    /// ECDSA on P-256. The default.
    Es256,
    /// Ed25519.
    EdDsa,
    /// RSA PKCS #1 v1.5, for old verifiers.
    Rs256,
    /// RSA-PSS, for old verifiers.
    Ps256,
}

impl SigningAlgorithm {
    /// Its name in JOSE (RFC 7518 section 3.1, RFC 8037 section 3.1).
    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
        }
    }
}

/// How long refresh tokens go on, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// From the first of a family to its end, whatever is done with it.
    pub absolute: i64,
    /// From one use to the next.
    pub idle: i64,
    /// How long the one before may be shown again by who holds the proof key of the family, because an answer was lost.
    pub grace: i64,
}

/// An outside OpenID provider at which users sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Its issuer identifier, below which its metadata is found.
    pub issuer: String,
    /// What this service is called there.
    pub client_id: String,
    /// The Secret in the token service's namespace whose `clientSecret` proves it there. Without one, it proves itself with
    /// its own signing key (`private_key_jwt`).
    pub secret_name: Option<String>,
    /// The certificate authorities that its server is verified with, in PEM, instead of the public ones.
    pub ca_bundle: Option<String>,
    /// What is asked for there beside `openid`.
    pub scopes: BTreeSet<String>,
}

/// A partner or an application at a managed issuer.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    /// The `TokenClient`.
    pub object: ObjectName,
    /// The name of its `TokenIssuer`.
    pub issuer: String,
    /// How it proves that it is itself.
    pub authentication: Authentication,
    /// What it may ask with.
    pub grants: BTreeSet<Grant>,
    /// Where users may be sent back to: compared as texts, character by character.
    pub redirect_uris: BTreeSet<String>,
    /// What its tokens may be for, and the scopes for each.
    pub audiences: BTreeMap<String, BTreeSet<String>>,
    /// How long its tokens live at most, in seconds, if less than their audience allows.
    pub lifetime: Option<i64>,
    /// Whether its tokens must be bound to a key.
    pub binding: Binding,
    /// Whether authorization requests must be pushed (RFC 9126).
    pub require_par: bool,
}

impl Client {
    /// Its `client_id`: `<namespace>/<name>`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.object.namespace, self.object.name)
    }

    /// Whether `aud` of its assertions must be the issuer and nothing else: since it says so, or pushes its requests, and so is new
    /// enough (FAPI 2.0 Security Profile section 5.3.2.1).
    pub fn names_issuer_alone(&self) -> bool {
        let says_so = matches!(
            self.authentication,
            Authentication::PrivateKeyJwt { issuer_alone: true, .. }
        );
        says_so || self.require_par
    }

    /// When the last of its secrets ends, in seconds since 1970. `None` for whoever has none.
    pub fn key_expiry(&self) -> Option<i64> {
        match &self.authentication {
            Authentication::Secret(hashes) => hashes.iter().map(|hash| hash.not_after).max(),
            _ => None,
        }
    }
}

/// How a client proves that it is itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Authentication {
    /// By assertions signed with one of these keys (`private_key_jwt`, RFC 7523).
    PrivateKeyJwt {
        /// Keys that stand in the object.
        keys: Option<KeySet>,
        /// Where they are published instead, as an `https` URL.
        jwks_uri: Option<String>,
        /// The certificate authorities that the URL's server is verified with, in PEM, instead of the public ones.
        ca_bundle: Option<String>,
        /// Whether assertions must name the issuer and nothing else in `aud`.
        issuer_alone: bool,
    },
    /// By a certificate of the trust domain with this SPIFFE ID (`tls_client_auth`, RFC 8705 section 2.1).
    TlsSpiffe(SpiffeId),
    /// By a certificate of the trust domain with this DNS name (`tls_client_auth`, RFC 8705 section 2.1).
    TlsDns(String),
    /// By a certificate with one of these SHA-256 thumbprints, base64url (`self_signed_tls_client_auth`, RFC 8705 section 2.2).
    SelfSignedTls(BTreeSet<String>),
    /// By a shared secret of which only hashes are kept, for audiences of `Internal` and below.
    Secret(Vec<SecretHash>),
    /// Not at all: an application on a user's device, with PKCE.
    Public,
    /// By tokens of outside issuers with these claims, exchanged (RFC 8693).
    Federated(Vec<Federated>),
}

impl Authentication {
    /// The way, as `status.authentication` has it: the member of `spec.authentication`, with a capital first letter.
    pub fn name(&self) -> &'static str {
        match self {
            Self::PrivateKeyJwt { .. } => "PrivateKeyJwt",
            Self::TlsSpiffe(_) | Self::TlsDns(_) | Self::SelfSignedTls(_) => "MutualTls",
            Self::Secret(_) => "ClientSecret",
            Self::Public => "Public",
            Self::Federated(_) => "Federated",
        }
    }
}

/// A hash of a client secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretHash {
    /// By argon2id, as a PHC string.
    pub hash: String,
    /// Until when it counts, in seconds since 1970.
    pub not_after: i64,
}

/// Tokens of an outside issuer that stand for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Federated {
    /// The name of a `TokenIssuer` with `external`.
    pub issuer: String,
    /// What `aud` must hold.
    pub audience: String,
    /// Claims and their values, all of which a token must have.
    pub claims: BTreeMap<String, String>,
}

impl Federated {
    /// Whether a token that its issuer signed, with these claims, is one of the client's. Claims are compared as policies
    /// do it: as texts, or lists of them.
    pub fn admits(&self, claims: &Claims) -> bool {
        claims.has("aud", &self.audience) && self.claims.iter().all(|(name, value)| claims.has(name, value))
    }
}

/// How a token may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    /// RFC 6749 section 4.4.
    ClientCredentials,
    /// RFC 8693.
    TokenExchange,
    /// RFC 7523 section 2.1.
    JwtBearer,
    /// RFC 6749 section 4.1, with PKCE (RFC 7636).
    AuthorizationCode,
    /// RFC 6749 section 6, with rotation (RFC 9700 section 4.14).
    RefreshToken,
}

impl Grant {
    /// Its name in a `TokenClient`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "ClientCredentials",
            Self::TokenExchange => "TokenExchange",
            Self::JwtBearer => "JWTBearer",
            Self::AuthorizationCode => "AuthorizationCode",
            Self::RefreshToken => "RefreshToken",
        }
    }
}

/// Whether tokens must be bound to a key of who asks for them: the greater, the stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Binding {
    /// Only where their audience is `Critical`.
    Optional,
    /// To a DPoP key (RFC 9449) or a certificate (RFC 8705).
    Required,
    /// To a DPoP key.
    Dpop,
}

/// A workload that may exchange what proves it for tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// The `ServiceIdentity`.
    pub object: ObjectName,
    /// The service account, in the same namespace.
    pub service_account: String,
    /// What it is called.
    pub spiffe_id: SpiffeId,
    /// What its tokens may be for, and the scopes for each, by the name of the `TokenIssuer`.
    pub tokens: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}
