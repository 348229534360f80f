//! The driver: one policy and the world in, objects and a report out.

use std::collections::BTreeSet;

use crate::compile::istio;
use crate::model::Mode;
use crate::object::Object;
use crate::report::Report;
use crate::resolve::{Lookup, Point, Rejection, Resolved, resolve};
use crate::world::{Dependency, MeshSettings, ObjectName, World};

/// What should be, for one policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The objects that should exist, in the order in which to write them.
    pub desired: Vec<Object>,
    /// Whether objects that only refuse (see [`Role::refuses`](crate::object::Role::refuses)) stay although they are no longer desired: the policy is not
    /// accepted, and keeps refusing what it refused.
    pub keep_refusals: bool,
    /// What the status says.
    pub report: Report,
    /// What was looked at.
    pub dependencies: BTreeSet<Dependency>,
}

/// Evaluates a policy. `None` if the world has none of that name.
///
/// The outcome depends on its arguments alone, and costs as much as the policy and those of its own namespace are large.
pub fn evaluate(name: &ObjectName, world: &impl World, mesh: &MeshSettings) -> Option<Evaluation> {
    let parsed = world.policy(name)?;
    let mut lookup = Lookup::new(world, mesh);
    let (desired, keep_refusals, mut report, points) = match resolve(parsed, &mut lookup) {
        Ok(resolved) => {
            let compiled = istio::compile(&resolved);
            let report = Report::accepted(parsed, &resolved, compiled.rules);
            (compiled.objects, false, report, resolved.points)
        }
        Err(rejection) => {
            let denies = match parsed.mode {
                Mode::Enforce => istio::deny_all(name, &rejection.points),
                Mode::DryRun => Vec::new(),
            };
            let keep = parsed.mode == Mode::Enforce;
            (denies, keep, Report::rejected(parsed, &rejection), rejection.points)
        }
    };
    report.unguarded = unguarded(name, &points, &mut lookup);
    Some(Evaluation {
        desired,
        keep_refusals,
        report,
        dependencies: lookup.seen,
    })
}

/// Pods that the policy covers and that are not in the mesh: nothing refuses a request to them.
fn unguarded<W: World>(name: &ObjectName, points: &[Point], lookup: &mut Lookup<'_, W>) -> Vec<String> {
    let selectors: Vec<_> = points.iter().filter_map(Point::pods_behind).collect();
    if selectors.is_empty() {
        return Vec::new();
    }
    lookup.seen.insert(Dependency::Pods(name.namespace.clone()));
    lookup
        .world
        .pods(&name.namespace)
        .into_iter()
        .filter(|(_, pod)| !pod.in_mesh)
        .filter(|(_, pod)| {
            selectors
                .iter()
                .any(|labels| labels.iter().all(|(label, value)| pod.labels.get(label) == Some(value)))
        })
        .map(|(pod, _)| pod.to_owned())
        .collect()
}

/// A policy with every name looked up, for [`crate::decide`]; or why it is not accepted. `None` if the world has none of
/// that name.
pub fn resolve_policy(
    name: &ObjectName,
    world: &impl World,
    mesh: &MeshSettings,
) -> Option<Result<Resolved, Rejection>> {
    Some(resolve(world.policy(name)?, &mut Lookup::new(world, mesh)))
}
