//! Takes in what tasks did.

use tokio::task::{Id, JoinError};
use tokio::time::Instant;
use tracing::{debug, error, warn};

use super::{Engine, Key, REFRESH, Running};
use crate::api::WriteError;
use crate::fact::Fact;
use crate::metrics::Failure;
use crate::store::Effect;
use crate::work::{Change, Outcome};
use countersign_runtime::clock;

impl Engine {
    /// Takes in the end of a task.
    pub(super) fn ended(&mut self, ended: Result<(Id, Outcome), JoinError>) {
        let (id, outcome) = match ended {
            Ok(ended) => ended,
            Err(failed) => {
                self.tools.metrics.failed(Failure::Panic);
                error!(error = %failed, "a task panicked");
                (
                    failed.id(),
                    Outcome {
                        error: Some(WriteError::Panicked),
                        ..Outcome::default()
                    },
                )
            }
        };
        match self.running.remove(&id) {
            Some(Running::Work(key, since)) => self.work_ended(&key, since, outcome),
            Some(Running::Fetch(name, since)) => self.fetch_ended(name, since, outcome),
            // It was started before leadership was lost.
            None => {}
        }
        self.forget_gone();
    }

    fn work_ended(&mut self, key: &Key, since: Instant, outcome: Outcome) {
        let own = match key {
            Key::Policy(name) => Some(Effect::Policy(name.clone())),
            Key::Identity(name) => Some(Effect::Identity(name.clone())),
            Key::Orphan(_) => None,
        };
        self.remember(&outcome, own.as_ref());
        let now = clock::instant();
        self.tools.metrics.reconcile.observe((now - since).as_secs_f64());
        match outcome.error {
            None => self.work.done(key, now),
            Some(error) => {
                self.complain(&error);
                debug!(?key, %error, "to be tried again");
                self.work.failed(key, now);
            }
        }
    }

    fn fetch_ended(&mut self, name: String, since: Instant, outcome: Outcome) {
        self.fetching -= 1;
        self.remember(&outcome, Some(&Effect::Issuer(name.clone())));
        let now = clock::instant();
        self.tools.metrics.reconcile.observe((now - since).as_secs_f64());
        if let Some(error) = &outcome.error {
            self.complain(error);
        }
        match (outcome.error, outcome.fetched) {
            (None, Some(true)) => {
                self.fetches.done(&name, now);
                self.fetches.later(name, now + REFRESH);
            }
            (None, None) => self.fetches.done(&name, now),
            (Some(_), _) | (_, Some(false)) => self.fetches.failed(&name, now),
        }
    }

    fn complain(&self, error: &WriteError) {
        self.tools.metrics.failed(error.failure());
        match error {
            WriteError::Raced(_) | WriteError::NotLeader => debug!(%error, "not written"),
            _ => warn!(%error, "not written"),
        }
    }

    /// Takes in what a task did, before the watches tell. `own` is what it was for: that it changed is no news.
    fn remember(&mut self, outcome: &Outcome, own: Option<&Effect>) {
        let mut effects = Vec::new();
        for change in &outcome.changes {
            effects.extend(match change {
                Change::Wrote(observed) => {
                    let fact = Fact::Owned(Box::new(observed.clone()));
                    self.store.learn(observed.name.clone(), fact)
                }
                Change::Deleted(observed) => self.store.unlearn(observed),
            });
        }
        if let Some((name, fact)) = outcome.restated.clone() {
            effects.extend(self.store.learn(name, fact));
        }
        effects.retain(|effect| Some(effect) != own && !matches!(effect, Effect::Orphan(_)));
        self.follow_up(effects);
    }
}
