//! What policies that share a target have in common.

use std::collections::BTreeSet;

use super::{Lookup, Point, points};
use crate::model::{Mode, Policy, Sensitivity, TokenSource};
use crate::parse::Problem;
use crate::world::{Dependency, World};

/// What the policies on one target have in common.
pub(super) struct Shared {
    /// The strictest sensitivity of any of them.
    pub(super) strictest: Sensitivity,
    /// The headers that carry tokens, by any of them.
    pub(super) token_headers: BTreeSet<String>,
    /// Why this policy cannot stand beside the others.
    pub(super) conflict: Option<Problem>,
}

/// Looks at the other policies of the namespace that could hold for the same request. Labels that do not contradict each
/// other count as shared: a Pod could carry both.
pub(super) fn find<W: World>(policy: &Policy, points: &[Point], lookup: &mut Lookup<'_, W>) -> Shared {
    let namespace = &policy.name.namespace;
    lookup.seen.insert(Dependency::Policies(namespace.clone()));
    let mut shared = Shared {
        strictest: policy.sensitivity,
        token_headers: BTreeSet::new(),
        conflict: None,
    };
    shared
        .token_headers
        .extend(policy.jwt.iter().map(|source| source.header.name.clone()));
    let world = lookup.world;
    for other in world.policies(namespace) {
        // A policy that only records does not change what another means.
        if other.name == policy.name || (other.mode == Mode::DryRun && policy.mode == Mode::Enforce) {
            continue;
        }
        let (others, _) = points::resolve(namespace, &other.targets, lookup);
        let meets = others
            .iter()
            .any(|theirs| points.iter().any(|ours| ours.overlaps(theirs)));
        // What a policy protects whose targets cannot be read is not known: it could be this.
        if !meets && !other.targets.is_empty() {
            continue;
        }
        shared.strictest = shared.strictest.max(other.sensitivity);
        let Ok(other) = &other.policy else { continue };
        for source in &other.jwt {
            shared.token_headers.insert(source.header.name.clone());
            if let Some(message) = contradiction(policy, other, source, lookup) {
                shared.conflict = Some(Problem::new("spec.credentials.jwt", message));
            }
        }
    }
    shared
}

/// Why a policy cannot stand beside another that reads such tokens, if it cannot.
fn contradiction<W: World>(
    policy: &Policy,
    other: &Policy,
    theirs: &TokenSource,
    lookup: &mut Lookup<'_, W>,
) -> Option<String> {
    let name = &other.name.name;
    for ours in &policy.jwt {
        if ours.header.name == theirs.header.name && ours.header.prefix != theirs.header.prefix {
            return Some(format!(
                "policy `{name}` on the same target reads tokens from header `{}` with another prefix; use the same one",
                theirs.header.name
            ));
        }
        if ours.issuer != theirs.issuer && same_issuer(&ours.issuer, &theirs.issuer, lookup) {
            return Some(format!(
                "TokenIssuer `{}` and TokenIssuer `{}` of policy `{name}` on the same target are one issuer with two sets of \
                 keys; name the same one in both",
                ours.issuer, theirs.issuer
            ));
        }
    }
    None
}

/// Whether two `TokenIssuer` objects stand for the same `iss`.
pub(super) fn same_issuer<W: World>(one: &str, two: &str, lookup: &mut Lookup<'_, W>) -> bool {
    let mut id = |name: &str| {
        lookup.seen.insert(Dependency::TokenIssuer(name.to_owned()));
        lookup
            .world
            .token_issuer(name)
            .and_then(|parsed| parsed.issuer.as_ref().ok())
            .map(|issuer| issuer.id.as_str())
    };
    id(one).is_some_and(|one| id(two) == Some(one))
}
