//! What a gRPC service bears: a place and a time for each request; and what it calls it when a caller is not believed.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use countersign_runtime::callers::Refusal;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tonic::{Code, Status};

/// The longest message that is read, in bytes.
pub const LONGEST_MESSAGE: usize = 128 << 10;
/// How long a request may take, from its head to the head of its answer.
const REQUEST_LIMIT: Duration = Duration::from_secs(15);
/// How many requests are under way at a time. Further ones wait.
const UNDER_WAY: usize = 1024;

/// Gives each request of a service a place and a time until its answer begins.
pub fn bounded(service: Router) -> Router {
    let places = Arc::new(Semaphore::new(UNDER_WAY));
    service.layer(middleware::from_fn_with_state(places, in_bounds))
}

/// The code for a caller who is not believed, or who could not be judged.
pub fn caller_code(refusal: &Refusal) -> Code {
    if refusal.is_failure() {
        Code::Unavailable
    } else {
        Code::Unauthenticated
    }
}

async fn in_bounds(State(places): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    let answered = timeout(REQUEST_LIMIT, async {
        let _place = places.acquire().await;
        next.run(request).await
    });
    match answered.await {
        Ok(response) => response,
        Err(_) => Status::deadline_exceeded("the request took too long: try again").into_http(),
    }
}
