//! Which step is due, and when the next one will be.

use countersign_crds::certificate_authority::RootState;
use jiff::Timestamp;

use super::plan::{Plan, Source, after};
use super::state::{Origin, Root, State};
use super::{Offer, Seen, Step};
use crate::authority::SKEW;

/// How many roots the bundles hold at most. Whoever asks for more, by the annotation, waits until old ones are withdrawn.
pub(crate) const MOST_ROOTS: usize = 16;

/// The first step that is due.
pub(super) fn step(state: &State, plan: &Plan, seen: &Seen, now: Timestamp) -> Option<Step> {
    revocation(state, plan)
        .or_else(|| withdrawal(state, plan, now))
        .or_else(|| publication(state, seen))
        .or_else(|| match plan.source {
            Source::Made => {
                unwanted(state, |root| root.origin == Origin::Made).or_else(|| made(state, plan, seen, now))
            }
            Source::Brought => {
                let offer = seen.offer.as_ref()?;
                let offered = |root: &Root| offer.roots.iter().any(|there| there.sha256 == root.sha256);
                unwanted(state, offered).or_else(|| brought(state, plan, offer, now))
            }
        })
}

/// What is revoked stops to sign before anything else is done.
fn revocation(state: &State, plan: &Plan) -> Option<Step> {
    let signing = state.signing.as_ref()?;
    plan.revoked
        .contains(&signing.sha256)
        .then(|| Step::Revoke(signing.sha256.clone()))
}

/// When a retiring root leaves the bundles.
fn withdrawn_at(root: &Root, plan: &Plan) -> Option<Timestamp> {
    let ran_out = root.last_end.unwrap_or(root.made);
    (root.state == RootState::Retiring).then(|| after(ran_out, plan.propagation))
}

fn withdrawal(state: &State, plan: &Plan, now: Timestamp) -> Option<Step> {
    let over = |root: &&Root| withdrawn_at(root, plan).is_some_and(|at| now >= at);
    state
        .roots
        .iter()
        .find(over)
        .map(|root| Step::Withdraw(root.sha256.clone()))
}

fn publication(state: &State, seen: &Seen) -> Option<Step> {
    let arrived = |root: &&Root| root.published.is_none() && seen.published.contains(&root.sha256);
    state
        .roots
        .iter()
        .find(arrived)
        .map(|root| Step::NotePublished(root.sha256.clone()))
}

/// Takes back a root that waits for its use and is not to be used any more. One that was in use before runs out first.
fn unwanted(state: &State, is_wanted: impl Fn(&Root) -> bool) -> Option<Step> {
    let root = state
        .roots
        .iter()
        .find(|root| root.state == RootState::Published && !is_wanted(root))?;
    Some(match root.last_end {
        Some(_) => Step::Retire(root.sha256.clone()),
        None => Step::Withdraw(root.sha256.clone()),
    })
}

/// When consumers have a root: none if that is not known yet.
fn loaded_at(root: &Root, plan: &Plan) -> Option<Timestamp> {
    match root.state {
        RootState::Active => Some(Timestamp::MIN),
        RootState::Published | RootState::Retiring => root.published.map(|published| after(published, plan.loading())),
    }
}

fn in_state(state: &State, wanted: RootState) -> Option<&Root> {
    state
        .roots
        .iter()
        .find(|root| root.state == wanted && root.origin == Origin::Made)
}

fn made(state: &State, plan: &Plan, seen: &Seen, now: Timestamp) -> Option<Step> {
    let active = in_state(state, RootState::Active).filter(|root| now < root.ends);
    if let Some(next) = in_state(state, RootState::Published) {
        let nobody_waits = active.is_none() && !state.is_alive(now);
        if nobody_waits || loaded_at(next, plan).is_some_and(|at| now >= at) {
            return Some(Step::Use(next.sha256.clone()));
        }
    } else {
        let asked =
            seen.asked.root.is_some() && seen.asked.root != state.rotated_for.root && state.roots.len() < MOST_ROOTS;
        let due = |root: &Root| now >= plan.root_due(root.made, root.ends);
        if asked || active.is_none_or(due) {
            return Some(Step::MakeRoot);
        }
    }
    let root = active?;
    let wanted = match state.signing.as_ref().filter(|signing| signing.under == root.sha256) {
        None => true,
        Some(signing) => {
            let asked = &seen.asked.intermediate;
            // Near the end of a root that could not be replaced, a new intermediate would not live longer than the old one.
            let lasts_longer = after(now, plan.intermediate).min(root.ends) > signing.ends;
            asked.is_some() && *asked != state.rotated_for.intermediate || now >= signing.half() && lasts_longer
        }
    };
    wanted.then(|| Step::MakeIntermediate(root.sha256.clone()))
}

/// When what is brought may take over: consumers have its root, and it is valid for those too whose clocks are behind. Whoever
/// brings one has often made it a moment ago.
fn adopted_at(offer: &Offer, root: &Root, plan: &Plan) -> Option<Timestamp> {
    loaded_at(root, plan).map(|loaded| loaded.max(after(offer.begins, SKEW)))
}

fn brought(state: &State, plan: &Plan, offer: &Offer, now: Timestamp) -> Option<Step> {
    let is_new = |sha256: &str| state.root(sha256).is_none_or(|root| root.state == RootState::Retiring);
    if let Some(new) = offer.roots.iter().find(|root| is_new(&root.sha256)) {
        return Some(Step::TakeRoot(new.clone()));
    }
    if plan.revoked.contains(&offer.intermediate.sha256) {
        return None;
    }
    let signs = |signing: &super::Intermediate| signing.sha256 == offer.intermediate.sha256;
    if state.signing.as_ref().is_some_and(signs) {
        return None;
    }
    let root = state.root(&offer.under)?;
    let may = !state.is_alive(now) || adopted_at(offer, root, plan).is_some_and(|at| now >= at);
    may.then(|| Step::Adopt(offer.clone()))
}

/// What is done next by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Next {
    /// When.
    pub at: Timestamp,
    /// What, for people.
    pub what: &'static str,
}

/// What is done next by itself, if nothing else happens before.
pub fn next(state: &State, plan: &Plan, seen: &Seen, now: Timestamp) -> Option<Next> {
    let mut times: Vec<(Timestamp, &'static str)> = Vec::new();
    for root in &state.roots {
        times.extend(withdrawn_at(root, plan).map(|at| (at, "withdraw the old root")));
        if root.state == RootState::Retiring {
            times.extend(
                root.last_end
                    .map(|at| (at, "see the last certificate under the old root expire")),
            );
        }
    }
    match plan.source {
        Source::Made => times.extend(made_times(state, plan)),
        Source::Brought => {
            let adopted = seen.offer.as_ref().and_then(|offer| {
                let root = state.root(&offer.under)?;
                adopted_at(offer, root, plan)
            });
            times.extend(adopted.map(|at| (at, "sign with the intermediate that is brought")));
            let ends = state.signing.as_ref().map(|signing| signing.ends);
            times.extend(ends.map(|at| (at, "stop signing, unless another intermediate is brought")));
        }
    }
    times.extend(super::jwt::times(&state.jwt_keys, plan));
    times
        .into_iter()
        .map(|(at, what)| Next { at, what })
        .filter(|next| next.at > now)
        .min()
}

fn made_times(state: &State, plan: &Plan) -> Vec<(Timestamp, &'static str)> {
    let mut times = Vec::new();
    let active = in_state(state, RootState::Active);
    match in_state(state, RootState::Published) {
        Some(root) => times.extend(loaded_at(root, plan).map(|at| (at, "use the new root"))),
        None => {
            times.extend(active.map(|root| (plan.root_due(root.made, root.ends), "make a new root")));
        }
    }
    times.extend(active.map(|root| (root.ends, "make a new root")));
    if let Some(signing) = &state.signing {
        times.push((signing.half(), "make a new intermediate"));
        times.push((signing.ends, "make a new intermediate"));
    }
    times
}
