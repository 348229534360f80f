//! Gives the issuer the key that is in use.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{Current, JwtIssuer};
use crate::authority::Kept;
use crate::authority::store::Reading;

/// Follows what is kept of the authority, and lets the issuer sign with its key. Every replica does.
pub struct Keeper {
    readings: watch::Receiver<Reading>,
    issuer: JwtIssuer,
}

impl Keeper {
    /// For an issuer.
    pub fn new(readings: watch::Receiver<Reading>, issuer: JwtIssuer) -> Self {
        Self { readings, issuer }
    }

    /// Follows until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let reading = self.readings.borrow_and_update().clone();
            self.issuer.take(&reading);
            tokio::select! {
                () = stop.cancelled() => return,
                changed = self.readings.changed() => if changed.is_err() { return },
            }
        }
    }
}

impl JwtIssuer {
    /// Signs by what was read from now on.
    pub fn take(&self, reading: &Reading) {
        match reading {
            Reading::Unread => {}
            Reading::Missing | Reading::Unreadable(_) => self.current.store(None),
            Reading::Read(version) => self.set(&version.kept),
        }
    }

    pub(super) fn set(&self, kept: &Kept) {
        let Some((signer, ends)) = kept.jwt_signer() else {
            self.current.store(None);
            return;
        };
        let before = self.current.load();
        if before.as_ref().is_none_or(|before| before.signer.id() != signer.id()) {
            info!(kid = signer.id(), %ends, "signs JWT-SVIDs with a key");
        }
        self.current.store(Some(Arc::new(Current {
            trust_domain: kept.trust_domain().clone(),
            signer,
            ends,
        })));
    }
}
