//! Whose a service account token is.

use countersign_runtime::callers::{Account, Callers, Refusal, Token, kubernetes::Kubernetes};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use kube::Client;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::{Arc, PoisonError};

/// Why it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallerError {
    /// The API server does not accept the token, or the Pod that it is bound to is not there any more.
    #[error("the API server does not accept the token for this issuer, or its Pod is gone")]
    Refused,
    /// The API server does not answer.
    #[error("the API server does not answer")]
    Unreachable,
}

/// Whoever knows whose a token is.
pub trait Workloads: Send + Sync {
    /// The service account that a token is of. It must be for this audience, and bound to a Pod that is alive.
    fn of<'a>(&'a self, token: &'a str, audience: &'a str) -> BoxFuture<'a, Result<Account, CallerError>>;
}

/// The API server (`TokenReview`).
pub struct Kube {
    client: Client,
    // One for each issuer: a token is asked about for one audience.
    callers: Mutex<BTreeMap<String, Arc<Callers<Kubernetes>>>>,
}

impl Kube {
    /// Asks by this client.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            callers: Mutex::default(),
        }
    }

    fn callers(&self, audience: &str) -> Arc<Callers<Kubernetes>> {
        let mut all = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || Arc::new(Callers::new(Kubernetes::new(self.client.clone()), audience));
        Arc::clone(all.entry(audience.to_owned()).or_insert_with(made))
    }
}

impl Workloads for Kube {
    fn of<'a>(&'a self, token: &'a str, audience: &'a str) -> BoxFuture<'a, Result<Account, CallerError>> {
        async move {
            let token = Token::new(token).ok_or(CallerError::Refused)?;
            let callers = self.callers(audience);
            let caller = callers.identify(token).await.map_err(refused)?;
            callers.pod_of(&caller).await.map_err(refused)?;
            Ok(caller.account)
        }
        .boxed()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it maps errors")]
fn refused(refusal: Refusal) -> CallerError {
    if refusal.is_failure() {
        CallerError::Unreachable
    } else {
        CallerError::Refused
    }
}
