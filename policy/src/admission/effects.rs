//! What a change does to others.

use super::{Change, Kind};
use crate::model::{Caller, Callers, Mode};
use crate::parse::ParsedPolicy;
use crate::report::target_in_short;
use crate::resolve::{Lookup, Point, points_of, resolve};
use crate::world::{MapWorld, MeshSettings, ObjectName, World};

/// What is told of at most, one line each: a client shows every warning.
const MOST: usize = 5;

/// The targets at which nothing is refused any more, once a policy is as it is in `after`.
pub(super) fn opened(name: &ObjectName, before: &MapWorld, after: &MapWorld, mesh: &MeshSettings) -> Vec<String> {
    let Some(old) = before.policy(name).filter(|old| old.mode == Mode::Enforce) else {
        return Vec::new();
    };
    let enforcing = after.policies(&name.namespace).into_iter();
    let refusing: Vec<Point> = enforcing
        .filter(|policy| policy.mode == Mode::Enforce)
        .flat_map(|policy| points_of(policy, &policy.targets, &mut Lookup::new(after, mesh)))
        .collect();
    let mut warnings = Vec::new();
    for target in &old.targets {
        let points = points_of(old, std::slice::from_ref(target), &mut Lookup::new(before, mesh));
        let open = |point: &Point| !refusing.iter().any(|other| other.covers(point));
        if points.iter().any(open) {
            warnings.push(format!(
                "this opens {}: no other policy protects all of it, so nothing will be refused there any more",
                target_in_short(target)
            ));
        }
    }
    warnings
}

/// The policies that a change of another object breaks, or makes admit less.
pub(super) fn others(change: &Change<'_>, before: &MapWorld, after: &MapWorld, mesh: &MeshSettings) -> Vec<String> {
    let mut warnings: Vec<String> = after
        .policies
        .values()
        .filter(|policy| depends(change, policy))
        .flat_map(|policy| differences(&policy.name, before, after, mesh))
        .collect();
    shorten(&mut warnings);
    warnings
}

/// Leaves out what is more than a reader takes in.
pub(super) fn shorten(warnings: &mut Vec<String>) {
    let more = warnings.len().saturating_sub(MOST);
    if more > 0 {
        warnings.truncate(MOST);
        warnings.push(format!("and {more} more like these"));
    }
}

/// Whether a policy may come out differently after a change.
fn depends(change: &Change<'_>, policy: &ParsedPolicy) -> bool {
    let Ok(understood) = &policy.policy else { return false };
    match change.kind {
        Kind::ApiAuthPolicy => policy.name.namespace == change.name.namespace && policy.name != change.name,
        Kind::TokenIssuer => understood.jwt.iter().any(|source| source.issuer == change.name.name),
        Kind::TokenClient | Kind::TokenRevocation => false,
        Kind::ServiceIdentity => understood.rules.iter().any(|rule| {
            let Callers::AnyOf { callers, .. } = &rule.callers else {
                return false;
            };
            callers
                .iter()
                .any(|caller| matches!(caller, Caller::Workload { identity, .. } if *identity == change.name))
        }),
    }
}

fn differences(name: &ObjectName, before: &MapWorld, after: &MapWorld, mesh: &MeshSettings) -> Vec<String> {
    let Some(Ok(was)) = standing(name, before, mesh) else {
        return Vec::new();
    };
    match standing(name, after, mesh) {
        Some(Err(why)) => vec![format!(
            "ApiAuthPolicy `{name}` will no longer be accepted, and deny all: {why}"
        )],
        Some(Ok(missing)) => missing
            .into_iter()
            .filter(|message| !was.contains(message))
            .map(|message| format!("ApiAuthPolicy `{name}` will admit less: {message}"))
            .collect(),
        None => Vec::new(),
    }
}

/// What an accepted policy lacks, or why it is not accepted.
fn standing(name: &ObjectName, world: &MapWorld, mesh: &MeshSettings) -> Option<Result<Vec<String>, String>> {
    let resolved = resolve(world.policy(name)?, &mut Lookup::new(world, mesh));
    Some(match resolved {
        Ok(resolved) => Ok(resolved.missing.iter().map(ToString::to_string).collect()),
        Err(rejection) => Err(rejection.message),
    })
}
