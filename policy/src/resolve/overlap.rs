//! What policies that share a target have in common.

use std::collections::{BTreeMap, BTreeSet};

use super::{Lookup, Point, points};
use crate::model::{Mode, Policy, Sensitivity};
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
    let mut prefixes: BTreeMap<&str, &str> = BTreeMap::new();
    for source in &policy.jwt {
        shared.token_headers.insert(source.header.name.clone());
        prefixes.insert(&source.header.name, &source.header.prefix);
    }
    let world = lookup.world;
    for other in world.policies(namespace) {
        // A policy that only records does not change what another means.
        if other.name == policy.name || (other.mode == Mode::DryRun && policy.mode == Mode::Enforce) {
            continue;
        }
        let (others, _) = points::resolve(namespace, &other.targets, lookup);
        let Ok(other) = &other.policy else { continue };
        if !others
            .iter()
            .any(|theirs| points.iter().any(|ours| ours.overlaps(theirs)))
        {
            continue;
        }
        shared.strictest = shared.strictest.max(other.sensitivity);
        for source in &other.jwt {
            shared.token_headers.insert(source.header.name.clone());
            if prefixes
                .get(source.header.name.as_str())
                .is_some_and(|prefix| *prefix != source.header.prefix)
            {
                let message = format!(
                    "policy `{}` on the same target reads tokens from header `{}` with another prefix; use the same one",
                    other.name.name, source.header.name
                );
                shared.conflict = Some(Problem::new("spec.credentials.jwt", message));
            }
        }
    }
    shared
}
