//! Whether a request is admitted: the truth that every enforcer is held to.

pub mod path;
pub(crate) mod tokens;

use std::fmt;

use countersign_identity::{Claims, SpiffeId, TokenError};

use crate::model::{Mode, Operation};
use crate::resolve::{Grant, PeerDemand, Resolved, ResolvedRule, TokenGrant};

/// Where a request is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the workload that it is for.
    Workload,
    /// At a gateway, where callers from outside the mesh come in.
    Gateway,
}

/// A request, as it came in.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The identity in the peer's certificate, verified against the mesh's trust bundle.
    pub peer: Option<&'a SpiffeId>,
    /// The HTTP method.
    pub method: &'a str,
    /// The request target in origin or absolute form (RFC 9112 section 3.2), as sent.
    pub target: &'a str,
    /// The header fields, as sent: names in any case, repeated ones each by itself.
    pub headers: &'a [(String, String)],
}

/// Whether a request is admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is, by this rule.
    Admitted {
        /// The policy's name.
        policy: String,
        /// The rule's name.
        rule: String,
    },
    /// It is not.
    Refused(Refusal),
}

impl Decision {
    /// Whether it is admitted.
    pub fn admits(&self) -> bool {
        matches!(self, Self::Admitted { .. })
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admitted { policy, rule } => write!(f, "admitted by {policy}/{rule}"),
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
        }
    }
}

/// Why a request is refused.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The peer presented no certificate.
    #[error("no client certificate, and only callers over mutual TLS are served")]
    NoCertificate,
    /// The path means different things to different servers.
    #[error("the path is ambiguous")]
    AmbiguousPath,
    /// More than one header carries a token.
    #[error("more than one token")]
    TwoTokens,
    /// The token is not valid. A request with a bad token is refused also where no token is asked for.
    #[error("the token is {0}")]
    Token(TokenError),
    /// No rule admits it.
    #[error("no rule admits it")]
    NoRule,
}

/// Decides on a request to a target, by all policies that hold there. Policies that only record (`DryRun`) and policies
/// that are not accepted admit nothing.
///
/// `now` is in seconds since 1970.
pub fn decide(policies: &[&Resolved], place: Place, request: &Request<'_>, now: i64) -> Decision {
    match facts(policies, place, request, now) {
        Ok(facts) => enforced(policies)
            .flat_map(|resolved| resolved.rules.iter().map(move |rule| (resolved, rule)))
            .find(|(_, rule)| rule_mismatch(rule, &facts).is_none())
            .map_or(Decision::Refused(Refusal::NoRule), |(resolved, rule)| {
                Decision::Admitted {
                    policy: resolved.policy.name.name.clone(),
                    rule: rule.name.clone(),
                }
            }),
        Err(refusal) => Decision::Refused(refusal),
    }
}

/// What each rule has to say about a request, for people.
pub fn explain(policies: &[&Resolved], place: Place, request: &Request<'_>, now: i64) -> Vec<String> {
    let facts = match facts(policies, place, request, now) {
        Ok(facts) => facts,
        Err(refusal) => return vec![format!("refused before any rule: {refusal}")],
    };
    let mut lines = vec![format!(
        "path {}; token: {}",
        facts.path,
        if facts.claims.is_some() { "valid" } else { "none" }
    )];
    for resolved in enforced(policies) {
        lines.extend(resolved.rules.iter().map(|rule| {
            let verdict = rule_mismatch(rule, &facts).map_or("admits".to_owned(), |mismatch| format!("no: {mismatch}"));
            format!("{}/{}: {verdict}", resolved.policy.name.name, rule.name)
        }));
    }
    lines
}

/// What rules are compared with.
struct Facts<'a> {
    peer: Option<&'a SpiffeId>,
    method: &'a str,
    path: String,
    claims: Option<Claims>,
}

fn enforced<'a>(policies: &'a [&Resolved]) -> impl Iterator<Item = &'a Resolved> {
    policies
        .iter()
        .copied()
        .filter(|resolved| resolved.policy.mode == Mode::Enforce)
}

fn facts<'a>(policies: &[&Resolved], place: Place, request: &Request<'a>, now: i64) -> Result<Facts<'a>, Refusal> {
    let mutual_tls = place == Place::Workload && enforced(policies).any(Resolved::requires_mutual_tls);
    if mutual_tls && request.peer.is_none() {
        return Err(Refusal::NoCertificate);
    }
    let path = path::normalise(request.target).ok_or(Refusal::AmbiguousPath)?;
    let claims = tokens::verify(&enforced(policies).collect::<Vec<_>>(), request, now)?;
    // At a gateway, certificates are of authorities that the mesh does not know.
    let peer = request.peer.filter(|_| place == Place::Workload);
    Ok(Facts {
        peer,
        method: request.method,
        path,
        claims,
    })
}

/// What of a rule a request does not meet.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
enum Mismatch {
    #[error("another operation")]
    Operation,
    #[error("another caller")]
    Caller,
}

fn rule_mismatch(rule: &ResolvedRule, facts: &Facts<'_>) -> Option<Mismatch> {
    let operation = rule.operations.is_empty() || rule.operations.iter().any(|operation| covers(operation, facts));
    if !operation {
        return Some(Mismatch::Operation);
    }
    let caller = rule.grants.iter().any(|grant| grants(grant, facts));
    (!caller).then_some(Mismatch::Caller)
}

fn covers(operation: &Operation, facts: &Facts<'_>) -> bool {
    let method = operation.methods.is_empty() || operation.methods.iter().any(|method| method == facts.method);
    let path = operation.paths.is_empty()
        || operation
            .paths
            .iter()
            .any(|pattern| path::matches(pattern, &facts.path));
    method && path
}

fn grants(grant: &Grant, facts: &Facts<'_>) -> bool {
    let peer = match &grant.peer {
        PeerDemand::None => true,
        PeerDemand::Any => facts.peer.is_some(),
        PeerDemand::Is(id) => facts.peer == Some(id),
    };
    let token = match (&grant.token, &facts.claims) {
        (None, _) => true,
        (Some(demand), Some(claims)) => holds(demand, claims),
        (Some(_), None) => false,
    };
    peer && token
}

fn holds(demand: &TokenGrant, claims: &Claims) -> bool {
    claims.issuer() == Some(demand.issuer.as_str())
        && demand.audiences.iter().any(|audience| claims.has("aud", audience))
        && demand
            .claims
            .iter()
            .all(|(name, values)| values.iter().any(|value| claims.has(name, value)))
}
