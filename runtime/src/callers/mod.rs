//! Who calls: a Pod, by the token of its service account.
//!
//! ```text
//!  request → token   has it the form of one?
//!            flight  TokenReview, once for many calls with one token ─ cluster ─ API server
//!            caller  the Pod, read now: is it still that one, and alive?
//! ```

pub mod account;
pub mod caller;
pub mod cluster;
pub mod kubernetes;
pub mod refusal;

mod flight;
mod token;

use std::sync::Arc;

use crate::clock;
use futures::FutureExt as _;
use http::HeaderMap;
use tracing::warn;

pub use account::Account;
pub use caller::Caller;
pub use cluster::{Cluster, PodView};
pub use refusal::Refusal;
pub use token::Token;

use cluster::Unreachable;
use flight::Flights;

/// Finds out who calls.
pub struct Callers<C> {
    cluster: Arc<C>,
    audience: String,
    flights: Flights,
}

impl<C: Cluster> Callers<C> {
    /// Has the API server say who calls. Tokens must be for this audience.
    pub fn new(cluster: C, audience: &str) -> Self {
        Self {
            cluster: Arc::new(cluster),
            audience: audience.to_owned(),
            flights: Flights::default(),
        }
    }

    /// Whose token a request has.
    ///
    /// # Errors
    ///
    /// If it has none, or one that the API server does not accept for the audience, or that is not bound to a Pod.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        self.identify(Token::of(headers)?).await
    }

    /// Whose token this is.
    ///
    /// # Errors
    ///
    /// If the API server does not accept it for the audience, or it is not bound to a Pod.
    pub async fn identify(&self, token: Token) -> Result<Caller, Refusal> {
        let (cluster, audience) = (Arc::clone(&self.cluster), self.audience.clone());
        let question = self.flights.join(token.digest(), clock::instant(), || {
            async move {
                let review = cluster.review(&token, &audience).await.map_err(unreachable)?;
                Caller::of(&review, &audience)
            }
            .boxed()
        });
        question.await
    }

    /// The caller's Pod as it is now.
    ///
    /// # Errors
    ///
    /// If it is gone, is another, or runs no more.
    pub async fn pod_of(&self, caller: &Caller) -> Result<PodView, Refusal> {
        let pod = self.pod(&caller.account.namespace, &caller.pod).await?;
        caller.check(pod.as_ref())?;
        pod.ok_or(Refusal::Gone)
    }

    /// Any Pod as it is now.
    ///
    /// # Errors
    ///
    /// If the API server does not answer.
    pub async fn pod(&self, namespace: &str, name: &str) -> Result<Option<PodView>, Refusal> {
        self.cluster.pod(namespace, name).await.map_err(unreachable)
    }

    /// The Pods of a namespace on a node, as they are now.
    ///
    /// # Errors
    ///
    /// If the API server does not answer.
    pub async fn pods_on(&self, namespace: &str, node: &str) -> Result<Vec<PodView>, Refusal> {
        self.cluster.pods_on(namespace, node).await.map_err(unreachable)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it maps errors")]
fn unreachable(error: Unreachable) -> Refusal {
    warn!(%error, "whose token it is cannot be judged");
    Refusal::Unreachable
}
