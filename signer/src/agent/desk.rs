//! What both APIs share: who calls, and what that one may have.

use std::sync::Arc;
use std::time::Duration;

use countersign_identity::Bundles;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::{Extensions, Status};
use tracing::info;

use super::Clock;
use super::metrics::AgentMetrics;
use super::pods::{LocalPod, Pods};
use super::refusal::{Reason, Refusal};
use super::socket::Peer;
use super::svids::{State, Svid, Svids};
use super::tokens::Tokens;

/// How long a call waits for what is on its way.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The bundles; none before the signer told.
pub type BundlesNow = watch::Receiver<Option<Arc<Bundles>>>;

/// What both APIs share.
pub struct Desk<S> {
    pub svids: Svids<S>,
    pub tokens: Arc<Tokens>,
    pub pods: Pods,
    pub bundles: BundlesNow,
    pub clock: Clock,
    pub metrics: AgentMetrics,
    /// Cancelled when the agent ends: streams end then.
    pub stop: CancellationToken,
}

impl<S> Desk<S> {
    /// The Pod that calls.
    pub async fn pod(&self, extensions: &Extensions) -> Result<Arc<LocalPod>, Refusal> {
        match extensions.get::<Peer>() {
            Some(Peer(Ok(uid))) => self.pods.find(uid).await,
            Some(Peer(Err(refusal))) => Err(refusal.clone()),
            None => Err(Refusal::new(Reason::NoPid, "the caller is not known")),
        }
    }

    /// Counts and logs what is refused, and makes it an answer. `pod_uid` is who calls, if it is a Pod.
    pub fn refuse(&self, call: &'static str, pod_uid: Option<&str>, refusal: Refusal) -> Status {
        self.metrics.refused(refusal.reason);
        info!(
            name: "countersign.workload.refused",
            target: "countersign_agent::refused",
            call,
            pod_uid,
            reason = ?refusal.reason,
            why = refusal.message,
            "gave a workload nothing"
        );
        refusal.into()
    }
}

/// The UID of the Pod that calls, if it is one.
pub fn uid(extensions: &Extensions) -> Option<&str> {
    let Peer(peer) = extensions.get::<Peer>()?;
    peer.as_deref().ok()
}

/// Waits for the bundles, if they are not there yet.
pub async fn first_bundles(bundles: &mut BundlesNow) -> Result<Arc<Bundles>, Refusal> {
    let missing = || {
        Refusal::new(
            Reason::Unavailable,
            "the signer has not told the bundles yet: try again",
        )
    };
    let found = timeout(PATIENCE, bundles.wait_for(Option::is_some)).await;
    let found = found.map_err(|_| missing())?.map_err(|_| missing())?;
    found.clone().ok_or_else(missing)
}

/// Waits until it is known what a Pod has.
pub async fn first_svid(states: &mut watch::Receiver<State>) -> Result<Arc<Svid>, Refusal> {
    let known = timeout(PATIENCE, states.wait_for(|state| !matches!(state, State::Asked))).await;
    match known {
        Ok(Ok(state)) => held(&state),
        Ok(Err(_)) => Err(gone()),
        Err(_) => Err(Refusal::new(
            Reason::Unavailable,
            "the signer has not answered yet: try again",
        )),
    }
}

/// The SVID of a Pod that has one.
pub fn held(state: &State) -> Result<Arc<Svid>, Refusal> {
    match state {
        State::Held(svid) => Ok(Arc::clone(svid)),
        State::Refused(why) => Err(Refusal::new(Reason::NoIdentity, why.clone())),
        State::Unavailable(why) => Err(Refusal::new(Reason::Unavailable, why.clone())),
        State::Asked => Err(Refusal::new(
            Reason::Unavailable,
            "the signer has not answered yet: try again",
        )),
    }
}

/// The Pod went while it was being served.
pub fn gone() -> Refusal {
    Refusal::new(Reason::PodEnded, "the Pod has ended")
}

/// The agent ends while it serves.
pub fn stopping() -> Refusal {
    Refusal::new(Reason::Stopping, "the agent ends: connect again")
}
