//! A policy that was understood: names are settled in form, though not yet looked up.

use std::collections::{BTreeMap, BTreeSet};

pub use countersign_crds::api_auth_policy::{Mode, Sensitivity, Waiver};

use crate::world::ObjectName;

/// A policy, as its author meant it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its name.
    pub name: ObjectName,
    /// What it protects: at least one thing.
    pub targets: Vec<Target>,
    /// The sensitivity that it declares.
    pub sensitivity: Sensitivity,
    /// Whether it refuses, or only records.
    pub mode: Mode,
    /// Whether a workload certificate counts as a credential.
    pub mutual_tls: bool,
    /// The tokens that count as credentials.
    pub jwt: Vec<TokenSource>,
    /// What it admits.
    pub rules: Vec<Rule>,
}

/// Something whose traffic a policy protects, in the policy's namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The workload behind a Service.
    Service(String),
    /// A Gateway.
    Gateway(String),
    /// An `HTTPRoute`.
    HttpRoute(String),
    /// The Pods with these labels.
    Pods(BTreeMap<String, String>),
}

/// Tokens of one issuer, for some audiences, from one header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSource {
    /// The name of the `TokenIssuer`.
    pub issuer: String,
    /// A token must be for one of these.
    pub audiences: BTreeSet<String>,
    /// Where it is read from.
    pub header: Header,
}

/// A header that carries a token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Header {
    /// The name, in lower case.
    pub name: String,
    /// What stands before the token.
    pub prefix: String,
}

impl Default for Header {
    /// `Authorization: Bearer` (RFC 6750 section 2.1).
    fn default() -> Self {
        Self {
            name: "authorization".to_owned(),
            prefix: "Bearer ".to_owned(),
        }
    }
}

/// Admits some callers to some operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, unique in the policy.
    pub name: String,
    /// The operations. Empty for all.
    pub operations: Vec<Operation>,
    /// Who may call them.
    pub callers: Callers,
    /// How many requests each proxy lets through.
    pub rate_limit: Option<RateLimit>,
}

/// A number of requests in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// How many.
    pub requests: u32,
    /// In how many seconds.
    pub seconds: i64,
}

/// Who may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Callers {
    /// Anyone, without a credential.
    Unauthenticated,
    /// Any of these.
    AnyOf {
        /// The alternatives: at least one.
        callers: Vec<Caller>,
        /// Scopes that the token must hold, all of them. With any, each caller needs a token.
        scopes: BTreeSet<String>,
        /// Requirements of the tier that the rule does without.
        waived: BTreeSet<Waiver>,
    },
}

/// One alternative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Anyone with a credential that the policy accepts.
    AnyAuthenticated,
    /// A workload, which may have to present a token too.
    Workload {
        /// Its `ServiceIdentity`.
        identity: ObjectName,
        /// The token that it must present.
        token: Option<TokenDemand>,
    },
    /// Whoever presents such a token.
    Token(TokenDemand),
}

impl Caller {
    /// What the caller asks of a token, apart from the rule's scopes.
    pub fn token(&self) -> Option<&TokenDemand> {
        match self {
            Self::AnyAuthenticated => None,
            Self::Workload { token, .. } => token.as_ref(),
            Self::Token(token) => Some(token),
        }
    }
}

/// What a token must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenDemand {
    /// The name of the `TokenIssuer`.
    pub issuer: String,
    /// The client that it was issued to.
    pub client: Option<String>,
    /// Claims, each with the values that satisfy it.
    pub claims: Vec<(String, Vec<String>)>,
}

/// A set of requests: any of the methods on any of the paths. An empty list stands for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operation {
    /// HTTP methods.
    pub methods: Vec<String>,
    /// Paths.
    pub paths: Vec<PathPattern>,
}

/// A set of normalised paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPattern {
    /// This path.
    Exact(String),
    /// This path and all below it, by whole segments. Without its last slash: empty for all paths.
    Prefix(String),
    /// A path by its segments, `None` standing for any one segment that is not empty.
    Template(Vec<Option<String>>),
}
