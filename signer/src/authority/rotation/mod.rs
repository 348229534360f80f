//! How roots and intermediates follow each other, so that no certificate loses its root.
//!
//! A root is first distributed: it stands in every bundle, and consumers get `propagation` to load it. Then it is used: a new
//! intermediate under it signs. What the old root signed runs out, consumers whose clocks are behind get `propagation`
//! again, and the old root is withdrawn. An intermediate is replaced at half of its life; nobody has to load it, since it
//! travels with what it signed.
//!
//! Where nothing valid signs (the first start, or an end that was slept through) there is nobody to wait for: a new root is
//! used at once. An intermediate that is revoked stops to sign at once, and another takes its place under the same root.
//!
//! All of it is a function of what is kept, what is asked for, what was seen and the time. The steps that are due are taken
//! on a copy and written as one, so a signer that is killed has taken all of them or none.

mod due;
pub(super) mod jwt;
mod plan;
mod state;

use std::collections::BTreeSet;

use countersign_crds::certificate_authority::{RootState, RotatedFor};
use jiff::Timestamp;

pub(crate) use due::MOST_ROOTS;
pub use due::{Next, next};
pub use jwt::{JwtKey, JwtStep, Stage};
pub use plan::{Plan, PlanError, Source};
pub(crate) use plan::{after, before};
pub use state::{Intermediate, Origin, Root, State};

/// A root or an intermediate that was made or brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The SHA-256 of its DER, in lower-case hexadecimal digits.
    pub sha256: String,
    /// Until when it is valid.
    pub ends: Timestamp,
}

/// An intermediate that is brought and can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The intermediate.
    pub intermediate: Made,
    /// From when it, and all that is above it, is valid.
    pub begins: Timestamp,
    /// The root that it is under: one of `roots`.
    pub under: String,
    /// The roots that are to be trusted.
    pub roots: Vec<Made>,
}

/// What was seen of the world.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The roots that every place holds which bundles are published in.
    pub published: BTreeSet<String>,
    /// The keys of JWT-SVIDs that every place holds which bundles are published in.
    pub jwt_published: BTreeSet<String>,
    /// What is brought, if it can be used.
    pub offer: Option<Offer>,
    /// The rotation annotations.
    pub asked: RotatedFor,
}

/// One step. Each names what it is about by its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make a root; it goes into the bundles.
    MakeRoot,
    /// Put a root that is brought into the bundles.
    TakeRoot(Made),
    /// Note that every bundle holds a root.
    NotePublished(String),
    /// Use a root for new intermediates.
    Use(String),
    /// Make an intermediate under a root, and sign with it.
    MakeIntermediate(String),
    /// Sign with the intermediate that is brought.
    Adopt(Offer),
    /// Sign with an intermediate no more: it is revoked.
    Revoke(String),
    /// Wait until what is under a root has run out.
    Retire(String),
    /// Take a root out of the bundles.
    Withdraw(String),
}

impl Step {
    /// Its name in logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::MakeRoot => "make-root",
            Self::TakeRoot(_) => "take-root",
            Self::NotePublished(_) => "note-published",
            Self::Use(_) => "use-root",
            Self::MakeIntermediate(_) => "make-intermediate",
            Self::Adopt(_) => "adopt-intermediate",
            Self::Revoke(_) => "revoke-intermediate",
            Self::Retire(_) => "retire-root",
            Self::Withdraw(_) => "withdraw-root",
        }
    }
}

/// Makes what steps need: certificates and keys.
pub trait Maker {
    /// Why something cannot be made.
    type Error;

    /// Makes a root that lives until `ends`.
    fn make_root(&mut self, now: Timestamp, ends: Timestamp) -> Result<Made, Self::Error>;

    /// Makes an intermediate under a root, that lives until `ends`, and puts it and its key in the place of the one before.
    fn make_intermediate(&mut self, under: &str, now: Timestamp, ends: Timestamp) -> Result<Made, Self::Error>;

    /// Puts a root that is brought beside the others.
    fn take_root(&mut self, root: &Made) -> Result<(), Self::Error>;

    /// Puts the intermediate that is brought, and its key, in the place of the one before.
    fn adopt(&mut self) -> Result<(), Self::Error>;
}

/// Takes all steps of roots and intermediates that are due, in their order, and tells them. If one fails, what has become of `state` is to be thrown
/// away.
pub fn advance<M: Maker>(
    state: &mut State,
    plan: &Plan,
    seen: &Seen,
    now: Timestamp,
    maker: &mut M,
) -> Result<Vec<Step>, M::Error> {
    // Far more than can be due at once; a bound, so that a mistake here is no endless loop that makes keys.
    const MOST_STEPS: usize = 8 * MOST_ROOTS;
    let mut steps = Vec::new();
    while steps.len() < MOST_STEPS {
        let Some(step) = due::step(state, plan, seen, now) else {
            break;
        };
        take(state, plan, seen, now, maker, &step)?;
        steps.push(step);
    }
    Ok(steps)
}

fn take<M: Maker>(
    state: &mut State,
    plan: &Plan,
    seen: &Seen,
    now: Timestamp,
    maker: &mut M,
    step: &Step,
) -> Result<(), M::Error> {
    match step {
        Step::MakeRoot => {
            let made = maker.make_root(now, after(now, plan.root))?;
            state.roots.push(published(made, Origin::Made, now));
            state.rotated_for.root.clone_from(&seen.asked.root);
        }
        Step::TakeRoot(root) => {
            if let Some(known) = state.root_mut(&root.sha256) {
                // It was brought before, and is in the bundles still.
                known.state = RootState::Published;
                known.origin = Origin::Brought;
            } else {
                maker.take_root(root)?;
                state.roots.push(published(root.clone(), Origin::Brought, now));
            }
        }
        Step::NotePublished(root) => {
            if let Some(root) = state.root_mut(root) {
                root.published = Some(now);
            }
        }
        Step::Use(root) => use_root(state, root),
        Step::MakeIntermediate(under) => {
            let ends = state.root(under).map_or(now, |root| root.ends);
            let made = maker.make_intermediate(under, now, after(now, plan.intermediate).min(ends))?;
            sign_with(state, made, under, Origin::Made, now);
            state.rotated_for.intermediate.clone_from(&seen.asked.intermediate);
        }
        Step::Adopt(offer) => {
            maker.adopt()?;
            use_root(state, &offer.under);
            if let Some(root) = state.root_mut(&offer.under) {
                root.origin = Origin::Brought;
            }
            sign_with(state, offer.intermediate.clone(), &offer.under, Origin::Brought, now);
        }
        Step::Revoke(_) => state.signing = None,
        Step::Retire(root) => {
            if let Some(root) = state.root_mut(root) {
                root.state = RootState::Retiring;
            }
        }
        Step::Withdraw(sha256) => state.roots.retain(|root| root.sha256 != *sha256),
    }
    Ok(())
}

fn published(made: Made, origin: Origin, now: Timestamp) -> Root {
    Root {
        sha256: made.sha256,
        origin,
        state: RootState::Published,
        made: now,
        ends: made.ends,
        published: None,
        last_end: None,
    }
}

fn use_root(state: &mut State, sha256: &str) {
    for root in &mut state.roots {
        if root.sha256 == sha256 {
            root.state = RootState::Active;
        } else if root.state == RootState::Active {
            root.state = RootState::Retiring;
        }
    }
}

fn sign_with(state: &mut State, made: Made, under: &str, origin: Origin, now: Timestamp) {
    if let Some(root) = state.root_mut(under) {
        root.last_end = root.last_end.max(Some(made.ends));
    }
    state.signing = Some(Intermediate {
        sha256: made.sha256,
        under: under.to_owned(),
        origin,
        since: now,
        ends: made.ends,
    });
}

#[cfg(test)]
mod history;
#[cfg(test)]
mod tests;
