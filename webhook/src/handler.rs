//! The endpoints: deadlines, sizes, and how much is done at once.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Query, Request, State as Extracted};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use countersign_runtime::clock;
use jiff::SignedDuration;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use crate::answer::{Question, State, answer};
use crate::metrics::Outcome;
use crate::own::Reader;

/// The largest request: an object before and after, each of at most 3 MiB, and what is around them.
const BODY_LIMIT: usize = 7 * 1024 * 1024;
/// The memory for bodies of requests that are under way, in KiB.
const MEMORY_KIB: usize = 128 * 1024;
/// How long an API server waits that does not say.
const USUAL_WAIT: Duration = Duration::from_secs(10);
/// The longest that one can wait.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long before its end an answer must be under way.
const MARGIN: Duration = Duration::from_millis(100);

/// What the endpoints share.
struct Shared {
    state: Arc<State>,
    reader: Reader,
    /// Judging is work for a processor: no more at once than there are.
    workers: Arc<Semaphore>,
    memory: Arc<Semaphore>,
}

/// What an endpoint is asked.
#[derive(Clone, Copy)]
enum Endpoint {
    Credentials,
    Own,
}

#[derive(Deserialize)]
struct Parameters {
    timeout: Option<String>,
}

/// Why there is no answer. Then the failure policy decides.
enum NoAnswer {
    TooLarge,
    Broken,
    Unanswerable(String),
    Failed,
}

/// The endpoints. `reader` reads what own kinds are seen with.
pub fn router(state: Arc<State>, reader: Reader) -> Router {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let shared = Arc::new(Shared {
        state,
        reader,
        workers: Arc::new(Semaphore::new(processors)),
        memory: Arc::new(Semaphore::new(MEMORY_KIB)),
    });
    let route = |endpoint: Endpoint| {
        post(
            move |Extracted(shared): Extracted<Arc<Shared>>, Query(parameters): Query<Parameters>, request: Request| {
                validate(shared, endpoint, parameters, request)
            },
        )
    };
    Router::new()
        .route("/validate", route(Endpoint::Credentials))
        .route("/validate-own", route(Endpoint::Own))
        .with_state(shared)
}

async fn validate(shared: Arc<Shared>, endpoint: Endpoint, parameters: Parameters, request: Request) -> Response {
    let started = clock::instant();
    let wait = wait(parameters.timeout.as_deref());
    let deadline = deadline(started, wait);
    let answered = timeout_at(deadline, work(&shared, endpoint, request)).await;
    // The timer is a little coarse: what is answered after the deadline is late, whether or not it has fired.
    let answered = answered.ok().filter(|_| clock::instant() < deadline);
    let response = match answered {
        Some(Ok(answer)) => ([(header::CONTENT_TYPE, "application/json")], answer).into_response(),
        Some(Err(no_answer)) => refuse(&shared, no_answer),
        None => {
            warn!(wait = wait.as_secs_f64(), "a request outlived its deadline");
            shared.state.metrics.count(None, Outcome::Late);
            (StatusCode::SERVICE_UNAVAILABLE, "the request outlived its deadline").into_response()
        }
    };
    shared.state.metrics.took(started.elapsed());
    response
}

fn refuse(shared: &Shared, no_answer: NoAnswer) -> Response {
    let metrics = &shared.state.metrics;
    match no_answer {
        NoAnswer::TooLarge => {
            metrics.count(None, Outcome::TooLarge);
            (StatusCode::PAYLOAD_TOO_LARGE, "larger than any review can be").into_response()
        }
        NoAnswer::Broken => StatusCode::BAD_REQUEST.into_response(),
        NoAnswer::Unanswerable(problem) => (StatusCode::BAD_REQUEST, problem).into_response(),
        NoAnswer::Failed => {
            metrics.count(None, Outcome::Panicked);
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Reads the body and judges it. Dropped at the deadline, it gives its memory back; a judgement that has begun ends by
/// itself, and holds its worker until then.
async fn work(shared: &Shared, endpoint: Endpoint, request: Request) -> Result<Vec<u8>, NoAnswer> {
    let length = length(&request);
    if length > BODY_LIMIT {
        return Err(NoAnswer::TooLarge);
    }
    let kib = u32::try_from(length / 1024 + 1).unwrap_or(u32::MAX);
    let memory = Arc::clone(&shared.memory);
    let memory = memory.acquire_many_owned(kib).await.map_err(|_| NoAnswer::Failed)?;
    let body = read(request.into_body()).await?;
    let question = match endpoint {
        Endpoint::Credentials => Question::Credentials,
        Endpoint::Own => Question::Own(shared.reader.read(&body).await),
    };
    let worker = Arc::clone(&shared.workers);
    let worker = worker.acquire_owned().await.map_err(|_| NoAnswer::Failed)?;
    let state = Arc::clone(&shared.state);
    let judged = tokio::task::spawn_blocking(move || {
        let answered = answer(&question, &body, &state, clock::precise());
        drop((memory, worker));
        answered
    });
    let answered = judged.await.map_err(|_| NoAnswer::Failed)?;
    answered.map_err(|malformed| NoAnswer::Unanswerable(malformed.to_string()))
}

async fn read(body: Body) -> Result<Bytes, NoAnswer> {
    to_bytes(body, BODY_LIMIT).await.map_err(|error| {
        let mut causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
        if causes.any(|cause| cause.to_string().contains("length limit")) {
            NoAnswer::TooLarge
        } else {
            NoAnswer::Broken
        }
    })
}

/// How long the body is, or may be if that is not said.
fn length(request: &Request) -> usize {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    length.unwrap_or(BODY_LIMIT)
}

/// How long the API server waits: it says so like `?timeout=3s`.
fn wait(parameter: Option<&str>) -> Duration {
    let said = parameter.and_then(|text| text.parse::<SignedDuration>().ok());
    let said = said.and_then(|wait| Duration::try_from(wait).ok());
    said.filter(|wait| !wait.is_zero())
        .map_or(USUAL_WAIT, |wait| wait.min(LONGEST_WAIT))
}

fn deadline(started: Instant, wait: Duration) -> Instant {
    started + wait - MARGIN.min(wait / 10)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::none(None, 10_000)]
    #[case::seconds(Some("3s"), 3000)]
    #[case::as_go_writes_it(Some("1m0s"), 30_000)]
    #[case::fraction(Some("1.5s"), 1500)]
    #[case::nonsense(Some("soon"), 10_000)]
    #[case::negative(Some("-3s"), 10_000)]
    #[case::nothing(Some("0s"), 10_000)]
    fn the_api_server_says_how_long_it_waits(#[case] said: Option<&str>, #[case] milliseconds: u64) {
        assert_eq!(wait(said), Duration::from_millis(milliseconds));
    }
}
