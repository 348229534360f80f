//! How the keys of JWT-SVIDs follow each other, so that no token loses its key.
//!
//! As with roots: a key first stands in every bundle, and consumers get `propagation` to load it; then it signs; and when the
//! last token that it can have signed is past, and `propagation` after that, it leaves the bundles. A key may sign until a
//! moment that is set when it is taken up, and no token outlives that: a replica that does not learn of the next key in time
//! does no harm.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::plan::{Plan, after};

/// A key of JWT-SVIDs in the trust bundles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JwtKey {
    /// Its identifier (`kid`).
    pub id: String,
    /// What it is for now.
    pub stage: Stage,
}

/// What a key of JWT-SVIDs is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Stage {
    /// It is distributed, and signs nothing yet.
    Published {
        /// When every place that bundles are published in was first seen to hold it.
        everywhere: Option<Timestamp>,
    },
    /// It signs.
    Active {
        /// Since when.
        since: Timestamp,
        /// Until when. Nothing that it signs lives longer.
        ends: Timestamp,
    },
    /// Another signs. What it signed runs out.
    Retiring {
        /// When the last of it is past.
        ends: Timestamp,
    },
}

impl JwtKey {
    /// Whether its private part is needed: to sign, now or later.
    pub fn needs_key(&self) -> bool {
        !matches!(self.stage, Stage::Retiring { .. })
    }
}

/// One step. Each names the key that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwtStep {
    /// Make a key; it goes into the bundles.
    Make,
    /// Note that every bundle holds a key.
    NotePublished(String),
    /// Sign with a key.
    Use(String),
    /// Take a key out of the bundles.
    Withdraw(String),
}

impl JwtStep {
    /// Its name in logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Make => "make-jwt-key",
            Self::NotePublished(_) => "note-jwt-key-published",
            Self::Use(_) => "use-jwt-key",
            Self::Withdraw(_) => "withdraw-jwt-key",
        }
    }
}

/// Takes all steps that are due, in their order, and tells them. `make` makes a key and tells its identifier; if it fails, what
/// has become of `keys` is to be thrown away.
pub(in crate::authority) fn advance<E>(
    keys: &mut Vec<JwtKey>,
    plan: &Plan,
    published: &BTreeSet<String>,
    now: Timestamp,
    mut make: impl FnMut() -> Result<String, E>,
) -> Result<Vec<JwtStep>, E> {
    // Far more than can be due at once; a bound, so that a mistake here is no endless loop that makes keys.
    const MOST_STEPS: usize = 16;
    let mut steps = Vec::new();
    while steps.len() < MOST_STEPS {
        let Some(step) = due(keys, plan, published, now) else {
            break;
        };
        match &step {
            JwtStep::Make => keys.push(JwtKey {
                id: make()?,
                stage: Stage::Published { everywhere: None },
            }),
            JwtStep::NotePublished(id) => set(keys, id, Stage::Published { everywhere: Some(now) }),
            JwtStep::Use(id) => {
                for key in keys.iter_mut() {
                    if let Stage::Active { ends, .. } = key.stage {
                        key.stage = Stage::Retiring { ends };
                    }
                }
                let ends = after(now, plan.jwt_life());
                set(keys, id, Stage::Active { since: now, ends });
            }
            JwtStep::Withdraw(id) => keys.retain(|key| key.id != *id),
        }
        steps.push(step);
    }
    Ok(steps)
}

fn set(keys: &mut [JwtKey], id: &str, stage: Stage) {
    if let Some(key) = keys.iter_mut().find(|key| key.id == id) {
        key.stage = stage;
    }
}

/// The first step that is due.
fn due(keys: &[JwtKey], plan: &Plan, published: &BTreeSet<String>, now: Timestamp) -> Option<JwtStep> {
    for key in keys {
        match key.stage {
            Stage::Retiring { ends } if now >= after(ends, plan.propagation) => {
                return Some(JwtStep::Withdraw(key.id.clone()));
            }
            Stage::Published { everywhere: None } if published.contains(&key.id) => {
                return Some(JwtStep::NotePublished(key.id.clone()));
            }
            _ => {}
        }
    }
    let in_use_since = keys.iter().find_map(|key| match key.stage {
        Stage::Active { since, ends } if now < ends => Some(since),
        _ => None,
    });
    let next = keys.iter().find_map(|key| match key.stage {
        Stage::Published { everywhere } => Some((key, everywhere)),
        _ => None,
    });
    let Some((next, everywhere)) = next else {
        let over = in_use_since.is_none_or(|since| now >= after(since, plan.jwt_period()));
        return over.then_some(JwtStep::Make);
    };
    // Where nothing valid signs there is nobody to wait for.
    let loaded = everywhere.is_some_and(|at| now >= after(at, plan.propagation));
    (in_use_since.is_none() || loaded).then(|| JwtStep::Use(next.id.clone()))
}

/// What is done next by itself, and when.
pub(super) fn times(keys: &[JwtKey], plan: &Plan) -> Vec<(Timestamp, &'static str)> {
    let mut times = Vec::new();
    let is_replaced = keys.iter().any(|key| matches!(key.stage, Stage::Published { .. }));
    for key in keys {
        match key.stage {
            Stage::Published { everywhere } => {
                let loaded = everywhere.map(|at| after(at, plan.propagation));
                times.extend(loaded.map(|at| (at, "use the new key for JWT-SVIDs")));
            }
            Stage::Active { since, ends } => {
                if !is_replaced {
                    times.push((after(since, plan.jwt_period()), "make a new key for JWT-SVIDs"));
                }
                times.push((ends, "use the new key for JWT-SVIDs"));
            }
            Stage::Retiring { ends } => {
                times.push((after(ends, plan.propagation), "withdraw the old key for JWT-SVIDs"));
            }
        }
    }
    times
}

#[cfg(test)]
mod tests;
