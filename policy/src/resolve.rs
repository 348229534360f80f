//! Settles a policy against the cluster: its targets, its callers' identities, its issuers' keys, and the sensitivity that
//! is in force.

mod grants;
mod overlap;
mod points;

use std::collections::{BTreeMap, BTreeSet};

use countersign_identity::{KeySet, SpiffeId};

use crate::model::{Header, Operation, Policy, RateLimit, Sensitivity, Target};
use crate::parse::{Issuer, ParsedPolicy, Problem, summary};
use crate::tier;
use crate::world::{Dependency, MeshSettings, World};

pub use points::{Attachment, Point};

/// A policy with every name looked up.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The policy.
    pub policy: Policy,
    /// The sensitivity in force.
    pub sensitivity: Sensitivity,
    /// Where it is enforced.
    pub points: Vec<Point>,
    /// The tokens that it reads, one entry for each issuer.
    pub sources: Vec<Source>,
    /// The headers that carry tokens on its targets, by this policy or another. At most one of them may be in a request.
    pub token_headers: BTreeSet<String>,
    /// What it admits.
    pub rules: Vec<ResolvedRule>,
    /// What is missing and makes it admit less than it says.
    pub missing: Vec<Problem>,
}

impl Resolved {
    /// Whether workloads behind the policy take requests over mutual TLS only.
    pub fn requires_mutual_tls(&self) -> bool {
        self.sensitivity > Sensitivity::Public
    }
}

/// Tokens of one issuer.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The name of the `TokenIssuer`.
    pub name: String,
    /// What the tokens carry in `iss`.
    pub issuer: String,
    /// A token is for one of these.
    pub audiences: BTreeSet<String>,
    /// Where tokens are read from.
    pub headers: BTreeSet<Header>,
    /// The keys that verify them.
    pub keys: KeySet,
    /// Their longest life, in seconds.
    pub longest_token: i64,
}

/// A rule as alternatives that can be compared with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedRule {
    /// Its name.
    pub name: String,
    /// The operations. Empty for all.
    pub operations: Vec<Operation>,
    /// The alternatives. Without any, the rule admits nobody.
    pub grants: Vec<Grant>,
    /// How many requests each proxy lets through.
    pub rate_limit: Option<RateLimit>,
}

/// One alternative: what it asks for must hold together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What is asked of the peer's certificate.
    pub peer: PeerDemand,
    /// What is asked of the token.
    pub token: Option<TokenGrant>,
}

/// What is asked of the peer's certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerDemand {
    /// Nothing.
    None,
    /// That there is one.
    Any,
    /// That it is this one.
    Is(SpiffeId),
}

/// What is asked of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenGrant {
    /// Its issuer, as in `iss`.
    pub issuer: String,
    /// It is for one of these.
    pub audiences: BTreeSet<String>,
    /// Claims, each with the values that satisfy it: scopes and the client among them.
    pub claims: Vec<(String, Vec<String>)>,
}

/// Why a policy is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It was not understood.
    Invalid,
    /// A target does not exist.
    TargetNotFound,
    /// A target is of a kind that no enforcer here serves.
    TargetNotSupported,
    /// It is weaker than its tier, or than the namespace's floor.
    WeakerThanSensitivity,
    /// A `TokenIssuer` does not exist.
    IssuerNotFound,
    /// A `TokenIssuer` is not understood, or has no keys yet, or gives nothing for the audience that proxies can verify.
    IssuerNotReady,
    /// It contradicts another policy on the same target.
    Conflicted,
}

/// A policy that is not accepted: it denies all where it can.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    /// Why, in a word.
    pub reason: Reason,
    /// Why, and what to do.
    pub message: String,
    /// Where it denies, as far as its targets are known.
    pub points: Vec<Point>,
}

/// Looks things up, and remembers what was looked at.
pub(crate) struct Lookup<'a, W> {
    pub(crate) world: &'a W,
    pub(crate) mesh: &'a MeshSettings,
    pub(crate) seen: BTreeSet<Dependency>,
}

impl<'a, W> Lookup<'a, W> {
    pub(crate) fn new(world: &'a W, mesh: &'a MeshSettings) -> Self {
        Self {
            world,
            mesh,
            seen: BTreeSet::new(),
        }
    }
}

/// What a policy comes to, and everything that speaks against it, in the order of its weight.
struct Judged<'a> {
    policy: &'a Policy,
    points: Vec<Point>,
    shared: overlap::Shared,
    sensitivity: Sensitivity,
    issuers: Issuers<'a>,
    objections: Vec<(Reason, String)>,
}

fn judge<'a, W: World>(parsed: &'a ParsedPolicy, lookup: &mut Lookup<'a, W>) -> Result<Judged<'a>, Rejection> {
    let (points, unresolved) = points::resolve(&parsed.name.namespace, &parsed.targets, lookup);
    let policy = parsed.policy.as_ref().map_err(|problems| Rejection {
        reason: Reason::Invalid,
        message: summary(problems),
        points: points.clone(),
    })?;
    let mut objections = Vec::new();
    if let Some((reason, problem)) = unresolved {
        objections.push((reason, problem.to_string()));
    }
    let shared = overlap::find(policy, &points, lookup);
    if let Some(problem) = &shared.conflict {
        objections.push((Reason::Conflicted, problem.to_string()));
    }
    let sensitivity = sensitivity_in_force(policy, &shared, lookup).unwrap_or_else(|message| {
        objections.push((Reason::WeakerThanSensitivity, message));
        shared.strictest.max(policy.sensitivity)
    });
    let issuers = find_issuers(policy, lookup).unwrap_or_else(|(reason, problem)| {
        objections.push((reason, problem.to_string()));
        Issuers::new()
    });
    // Of a target that is not there yet, its kind tells on which side callers are.
    let outside = points.iter().any(Point::faces_outside)
        || policy
            .targets
            .iter()
            .any(|target| matches!(target, Target::Gateway(_) | Target::HttpRoute(_)));
    let mut weaknesses = tier::weaknesses(policy, sensitivity, outside);
    weaknesses.extend(long_lived(policy, &issuers, sensitivity));
    if !weaknesses.is_empty() {
        objections.push((Reason::WeakerThanSensitivity, summary(&weaknesses)));
    }
    Ok(Judged {
        policy,
        points,
        shared,
        sensitivity,
        issuers,
        objections,
    })
}

/// Where a policy is enforced for some of its targets, as far as they are there.
pub(crate) fn points_of<W: World>(parsed: &ParsedPolicy, targets: &[Target], lookup: &mut Lookup<'_, W>) -> Vec<Point> {
    points::resolve(&parsed.name.namespace, targets, lookup).0
}

/// Everything that keeps a policy from being accepted, the gravest first.
pub(crate) fn objections<'a, W: World>(parsed: &'a ParsedPolicy, lookup: &mut Lookup<'a, W>) -> Vec<(Reason, String)> {
    judge(parsed, lookup).map_or_else(
        |rejection| vec![(rejection.reason, rejection.message)],
        |judged| judged.objections,
    )
}

pub(crate) fn resolve<'a, W: World>(
    parsed: &'a ParsedPolicy,
    lookup: &mut Lookup<'a, W>,
) -> Result<Resolved, Rejection> {
    let Judged {
        policy,
        points,
        shared,
        sensitivity,
        issuers,
        objections,
    } = judge(parsed, lookup)?;
    if let Some((reason, message)) = objections.into_iter().next() {
        return Err(Rejection {
            reason,
            message,
            points,
        });
    }
    let mut missing = Vec::new();
    let rules = grants::resolve(policy, &issuers, lookup, &mut missing);
    Ok(Resolved {
        policy: policy.clone(),
        sensitivity,
        sources: sources(policy, &issuers),
        token_headers: shared.token_headers,
        rules,
        missing,
        points,
    })
}

/// The policy's own sensitivity, which must reach the namespace's floor, or a stricter one of a policy that shares a target.
fn sensitivity_in_force<W: World>(
    policy: &Policy,
    shared: &overlap::Shared,
    lookup: &mut Lookup<'_, W>,
) -> Result<Sensitivity, String> {
    let namespace = &policy.name.namespace;
    lookup.seen.insert(Dependency::Namespace(namespace.clone()));
    let label = lookup
        .world
        .namespace(namespace)
        .and_then(|facts| facts.minimum_sensitivity.as_deref());
    if let Some(floor) = label
        .map(tier::read_floor)
        .transpose()
        .map_err(|problem| problem.to_string())?
        && policy.sensitivity < floor
    {
        return Err(format!(
            "spec.sensitivity: {:?} is below the floor of namespace {namespace}; set {floor:?} or stricter",
            policy.sensitivity
        ));
    }
    Ok(shared.strictest.max(policy.sensitivity))
}

type Issuers<'a> = BTreeMap<&'a str, &'a Issuer>;

fn find_issuers<'a, W: World>(
    policy: &'a Policy,
    lookup: &mut Lookup<'a, W>,
) -> Result<Issuers<'a>, (Reason, Problem)> {
    let mut issuers = BTreeMap::new();
    for (at, source) in policy.jwt.iter().enumerate() {
        let name = source.issuer.as_str();
        lookup.seen.insert(Dependency::TokenIssuer(name.to_owned()));
        let problem = |message: String| Problem::new(format!("spec.credentials.jwt[{at}].issuer"), message);
        let Some(parsed) = lookup.world.token_issuer(name) else {
            let message = format!("TokenIssuer `{name}` does not exist; create it, or name one that does");
            return Err((Reason::IssuerNotFound, problem(message)));
        };
        let issuer = parsed.issuer.as_ref().map_err(|wrong| {
            (
                Reason::IssuerNotReady,
                problem(format!("TokenIssuer `{name}` is not understood: {}", summary(wrong))),
            )
        })?;
        if issuer.keys.is_empty() {
            let message = format!("TokenIssuer `{name}` has no keys yet; see its conditions");
            return Err((Reason::IssuerNotReady, problem(message)));
        }
        if let Some(message) = source
            .audiences
            .iter()
            .find_map(|audience| issuer.unverifiable(audience))
        {
            let field = format!("spec.credentials.jwt[{at}].audiences");
            let message = format!("TokenIssuer `{name}` {message}");
            return Err((Reason::IssuerNotReady, Problem::new(field, message)));
        }
        if let Some(twin) = issuers
            .iter()
            .find(|(_, other): &(&&str, &&Issuer)| other.id == issuer.id)
            .map(|(twin, _)| *twin)
            && twin != name
        {
            let message =
                format!("TokenIssuer `{name}` is the same issuer as `{twin}`, with keys of its own; name one of them");
            return Err((Reason::Conflicted, problem(message)));
        }
        issuers.insert(name, issuer);
    }
    Ok(issuers)
}

fn long_lived(policy: &Policy, issuers: &Issuers<'_>, sensitivity: Sensitivity) -> Vec<Problem> {
    let limit = tier::longest_token(sensitivity);
    let mut found = Vec::new();
    for (at, source) in policy.jwt.iter().enumerate() {
        let longest = issuers
            .get(source.issuer.as_str())
            .map(|issuer| issuer.longest_for(&source.audiences));
        if let Some(longest) = longest.filter(|longest| *longest > limit) {
            found.push(Problem::new(
                format!("spec.credentials.jwt[{at}].issuer"),
                format!(
                    "TokenIssuer `{}` declares tokens of {longest} s, and {sensitivity:?} allows {limit} s; use an issuer of shorter tokens",
                    source.issuer
                ),
            ));
        }
    }
    found
}

/// The tokens that the policy reads, one entry for each issuer, whose audiences and headers add up.
fn sources(policy: &Policy, issuers: &Issuers<'_>) -> Vec<Source> {
    let mut sources: BTreeMap<&str, Source> = BTreeMap::new();
    for read in &policy.jwt {
        let Some(issuer) = issuers.get(read.issuer.as_str()) else {
            continue;
        };
        let source = sources.entry(&read.issuer).or_insert_with(|| Source {
            name: read.issuer.clone(),
            issuer: issuer.id.clone(),
            audiences: BTreeSet::new(),
            headers: BTreeSet::new(),
            keys: issuer.keys.clone(),
            longest_token: 0,
        });
        source.audiences.extend(read.audiences.iter().cloned());
        source.longest_token = issuer.longest_for(&source.audiences);
        source.headers.insert(read.header.clone());
    }
    sources.into_values().collect()
}
