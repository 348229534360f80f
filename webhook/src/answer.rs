//! From the bytes that the API server sends to the bytes that it gets. No network, no clock: a fuzzer can call it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::Timestamp;
use tracing::{error, info};

use crate::cluster::Cluster;
use crate::judge::{Judge, Judgement};
use crate::metrics::{Metrics, Outcome};
use crate::own::{Others, Own};
use crate::review::{Malformed, Operation, Reason, Request, Response, Verdict};

/// Everything that an answer depends on, but for the request.
#[derive(Debug)]
pub struct State {
    /// Judges credentials.
    pub judge: Judge,
    /// Judges Countersign's own kinds.
    pub own: Own,
    /// What is known of the cluster.
    pub cluster: Cluster,
    /// What is counted.
    pub metrics: Metrics,
}

/// What was sent is no review that could be answered: there is no `uid`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct Unanswerable(#[from] Malformed);

/// Which question is asked.
#[derive(Debug)]
pub enum Question {
    /// Whether an object holds credentials that must not be in it.
    Credentials,
    /// Whether one of Countersign's own objects is right, seen with others.
    Own(Others),
}

/// Answers a review.
///
/// # Errors
///
/// If it has no `uid` that an answer could carry.
pub fn answer(question: &Question, body: &[u8], state: &State, now: Timestamp) -> Result<Vec<u8>, Unanswerable> {
    let request = match Request::parse(body) {
        Ok(request) => request,
        Err(malformed) => return refuse(malformed, state),
    };
    let judgement = guarded(|| match question {
        Question::Credentials => state.judge.judge(&request, &state.cluster, now.as_second()),
        Question::Own(others) => Judgement::of_verdict(state.own.judge(&request, others, now)),
    });
    if is_panic(&judgement.verdict) {
        state.metrics.count(Some(request.operation), Outcome::Panicked);
    } else {
        state.metrics.judged(request.operation, &judgement);
    }
    log(&request, &judgement);
    Ok(Response::new(&request.uid, &judgement.verdict).to_bytes())
}

fn refuse(malformed: Malformed, state: &State) -> Result<Vec<u8>, Unanswerable> {
    state.metrics.count(None::<Operation>, Outcome::Malformed);
    info!(problem = %malformed, "a review that cannot be read");
    let verdict = Verdict::from(&malformed);
    match &malformed.uid {
        Some(uid) => Ok(Response::new(uid, &verdict).to_bytes()),
        None => Err(malformed.into()),
    }
}

/// A bug must not let anything in, nor take other requests with it.
fn guarded(judge: impl FnOnce() -> Judgement) -> Judgement {
    catch_unwind(AssertUnwindSafe(judge)).unwrap_or_else(|_| panicked())
}

fn panicked() -> Judgement {
    error!("the webhook panicked over a request; it was refused");
    Judgement::of_verdict(Verdict::denied(
        Reason::InternalError,
        "the webhook failed over this object, which is a bug; what could not be judged is not let in".to_owned(),
    ))
}

fn is_panic(verdict: &Verdict) -> bool {
    verdict
        .denial
        .as_ref()
        .is_some_and(|denial| denial.reason == Reason::InternalError)
}

/// Every refusal and every warning is logged, without a value.
fn log(request: &Request<'_>, judgement: &Judgement) {
    let verdict = &judgement.verdict;
    if verdict.denial.is_none() && verdict.warnings.is_empty() {
        return;
    }
    info!(
        name: "countersign.admission",
        target: "countersign_admission",
        outcome = if verdict.denial.is_some() { "denied" } else { "warned" },
        operation = request.operation.name(),
        resource = request.target(),
        namespace = &*request.namespace,
        name = &*request.name,
        user = &*request.user_info.username,
        dry_run = request.dry_run,
        rules = verdict.audit.get("rules").map(String::as_str),
        "judged"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_panics_does_not_get_in() {
        let judgement = guarded(|| panic!("a bug"));
        assert!(is_panic(&judgement.verdict));
        let denial = judgement.verdict.denial.unwrap();
        assert_eq!(denial.reason.code(), 500);
        assert!(!is_panic(&guarded(Judgement::default).verdict));
    }
}
