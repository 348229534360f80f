//! What a Pod has, as it changes: the SVID, if it is wanted, and the bundles.

use std::sync::Arc;

use countersign_identity::Bundles;
use tokio::sync::watch;

use super::desk::{BundlesNow, Desk, first_bundles, first_svid, gone, held, stopping};
use super::pods::LocalPod;
use super::refusal::{Reason, Refusal};
use super::signer::Signer;
use super::svids::{State, Svid};

/// What a Pod has at a moment.
#[derive(Clone, Debug)]
pub struct View {
    /// Its SVID, if that was wanted.
    pub svid: Option<Arc<Svid>>,
    /// All bundles.
    pub bundles: Arc<Bundles>,
}

/// What a Pod has, as it changes.
pub struct Updates<S> {
    desk: Arc<Desk<S>>,
    states: Option<watch::Receiver<State>>,
    bundles: BundlesNow,
}

impl<S: Signer> Updates<S> {
    /// Follows the bundles, and the SVID of a Pod if there is one given.
    pub fn new(desk: &Arc<Desk<S>>, svid_of: Option<&Arc<LocalPod>>) -> Self {
        Self {
            states: svid_of.map(|pod| desk.svids.of(pod)),
            bundles: desk.bundles.clone(),
            desk: Arc::clone(desk),
        }
    }

    /// What there is now; what is on its way is waited for.
    pub async fn first(&mut self) -> Result<View, Refusal> {
        let svid = match &mut self.states {
            Some(states) => Some(first_svid(states).await?),
            None => None,
        };
        let bundles = first_bundles(&mut self.bundles).await?;
        Ok(View { svid, bundles })
    }

    /// What there is after the next change.
    pub async fn next(&mut self) -> Result<View, Refusal> {
        let Self { desk, states, bundles } = self;
        let state_changed = async {
            match states.as_mut() {
                Some(states) => states.changed().await.map_err(|_| gone()),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = state_changed => changed?,
            changed = bundles.changed() => changed.map_err(|_| stopping())?,
            () = desk.stop.cancelled() => return Err(stopping()),
        }
        let svid = states
            .as_mut()
            .map(|states| held(&states.borrow_and_update()))
            .transpose()?;
        let bundles = bundles.borrow_and_update().clone();
        let bundles = bundles.ok_or_else(|| Refusal::new(Reason::Unavailable, "there are no bundles"))?;
        Ok(View { svid, bundles })
    }
}
