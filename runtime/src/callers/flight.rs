//! One question at a time for each token: a node's proxy that starts asks for all its workloads with the same one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use tokio::time::Instant;

use super::caller::Caller;
use super::refusal::Refusal;

/// For how long an answer is shared. A token that is withdrawn is good for as much longer.
const SHARED: Duration = Duration::from_secs(1);

type Answer = Result<Caller, Refusal>;
type Question = Shared<BoxFuture<'static, Answer>>;

/// The questions of the last second, by the digests of their tokens.
#[derive(Default)]
pub struct Flights(Mutex<Asked>);

#[derive(Default)]
struct Asked {
    questions: HashMap<[u8; 32], (Instant, Question)>,
    swept: Option<Instant>,
}

impl Flights {
    /// The question that is under way or was just answered; else the one that `ask` begins.
    pub fn join(&self, digest: [u8; 32], now: Instant, ask: impl FnOnce() -> BoxFuture<'static, Answer>) -> Question {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.sweep(now);
        if let Some((since, question)) = asked.questions.get(&digest) {
            // No answer is worth asking again for.
            let failed = matches!(question.peek(), Some(Err(refusal)) if refusal.is_failure());
            if now.duration_since(*since) < SHARED && !failed {
                return question.clone();
            }
        }
        let question = ask().shared();
        asked.questions.insert(digest, (now, question.clone()));
        question
    }
}

impl Asked {
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now.duration_since(swept) < SHARED) {
            return;
        }
        self.swept = Some(now);
        self.questions
            .retain(|_, (since, _)| now.duration_since(*since) < SHARED);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use crate::clock;

    use super::*;

    async fn asked(flights: &Flights, digest: u8, now: Instant, count: &Arc<AtomicUsize>, answer: Refusal) {
        let count = Arc::clone(count);
        let given = flights
            .join([digest; 32], now, || {
                count.fetch_add(1, Ordering::Relaxed);
                futures::future::ready(Err(answer.clone())).boxed()
            })
            .await;
        assert_eq!(given, Err(answer));
    }

    #[tokio::test]
    async fn a_token_is_asked_of_once_a_second() {
        let (flights, count, now) = (Flights::default(), Arc::default(), clock::instant());
        let milliseconds = |number| now + Duration::from_millis(number);
        for (digest, at, asks) in [
            (1, 0, 1),
            (1, 500, 1),
            (2, 500, 2),
            (1, 1000, 3),
            (1, 1400, 3),
            (2, 1499, 3),
        ] {
            asked(&flights, digest, milliseconds(at), &count, Refusal::Unbound).await;
            assert_eq!(count.load(Ordering::Relaxed), asks, "token {digest} at {at}");
        }
        asked(&flights, 3, milliseconds(5000), &count, Refusal::Unbound).await;
        assert_eq!(
            flights.0.lock().unwrap().questions.len(),
            1,
            "the old ones are forgotten"
        );
    }

    #[tokio::test]
    async fn no_answer_is_not_shared() {
        let (flights, count, now) = (Flights::default(), Arc::default(), clock::instant());
        for asks in 1..3 {
            asked(&flights, 1, now, &count, Refusal::Unreachable).await;
            assert_eq!(count.load(Ordering::Relaxed), asks);
        }
    }
}
