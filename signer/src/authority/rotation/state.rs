//! What is kept of roots and intermediates, without their certificates and keys.

use std::collections::BTreeSet;

use countersign_crds::certificate_authority::{Phase, RootState, RotatedFor};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Plan;
use super::jwt::JwtKey;

/// Where a root or an intermediate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// The signer made it.
    Made,
    /// It was brought in a Secret.
    Brought,
}

/// A root in the trust bundles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Root {
    /// The SHA-256 of its DER, in lower-case hexadecimal digits.
    pub sha256: String,
    /// Where it comes from.
    pub origin: Origin,
    /// What it is for now.
    pub state: RootState,
    /// Since when it is here.
    pub made: Timestamp,
    /// Until when it is valid.
    pub ends: Timestamp,
    /// When every place that bundles are published in was first seen to hold it.
    pub published: Option<Timestamp>,
    /// When the last of the intermediates that were in use under it ends. Nothing that they signed lives longer.
    pub last_end: Option<Timestamp>,
}

/// The intermediate that signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Intermediate {
    /// The SHA-256 of its DER, in lower-case hexadecimal digits.
    pub sha256: String,
    /// The root that it is under.
    pub under: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Since when it signs.
    pub since: Timestamp,
    /// Until when it is valid.
    pub ends: Timestamp,
}

impl Intermediate {
    /// The middle of its life here.
    pub(super) fn half(&self) -> Timestamp {
        let life = self.ends.duration_since(self.since).max(SignedDuration::ZERO);
        super::plan::after(self.since, life / 2)
    }
}

/// Everything that the next step depends on and that must survive the signer. There is one intermediate at most, so two can
/// never be taken up from one state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct State {
    /// The roots in the bundles, in the order in which they came.
    pub roots: Vec<Root>,
    /// What signs.
    pub signing: Option<Intermediate>,
    /// The values of the rotation annotations that were acted on last.
    pub rotated_for: RotatedFor,
    /// The keys of JWT-SVIDs, in the order in which they came.
    #[serde(default)]
    pub jwt_keys: Vec<JwtKey>,
    /// The number of the bundle, which grows whenever its content changes (SPIFFE Trust Domain and Bundle standard, section
    /// 4.1.1); 0 before there is one.
    #[serde(default)]
    pub sequence: u64,
    /// How often consumers should look for a new bundle, in seconds (section 4.1.2).
    #[serde(default)]
    pub refresh_hint: u64,
}

impl State {
    /// A root by its hash.
    pub fn root(&self, sha256: &str) -> Option<&Root> {
        self.roots.iter().find(|root| root.sha256 == sha256)
    }

    pub(super) fn root_mut(&mut self, sha256: &str) -> Option<&mut Root> {
        self.roots.iter_mut().find(|root| root.sha256 == sha256)
    }

    /// The hashes of all roots in the bundles.
    pub fn bundle(&self) -> BTreeSet<String> {
        self.roots.iter().map(|root| root.sha256.clone()).collect()
    }

    /// The identifiers of all keys of JWT-SVIDs in the bundles.
    pub fn jwt_ids(&self) -> BTreeSet<String> {
        self.jwt_keys.iter().map(|key| key.id.clone()).collect()
    }

    /// A key of JWT-SVIDs by its identifier.
    pub fn jwt_key(&self, id: &str) -> Option<&JwtKey> {
        self.jwt_keys.iter().find(|key| key.id == id)
    }

    /// Gives the bundle a new number if its content is another than before. Tells whether it is.
    ///
    /// The number is not below the seconds since 1970: consumers refuse one that is lower than what they know, and after the
    /// loss of what is kept it must be higher all the same.
    pub(in crate::authority) fn number(&mut self, before: &Self, plan: &Plan, now: Timestamp) -> bool {
        self.refresh_hint = plan.refresh_hint();
        let content = |state: &Self| (state.bundle(), state.jwt_ids(), state.refresh_hint);
        let differs = content(self) != content(before);
        if differs {
            let seconds = u64::try_from(now.as_second()).unwrap_or_default();
            self.sequence = before.sequence.saturating_add(1).max(seconds);
        }
        differs
    }

    /// Where a replacement of the root stands.
    pub fn phase(&self, now: Timestamp) -> Phase {
        let retiring = || self.roots.iter().filter(|root| root.state == RootState::Retiring);
        if self.roots.iter().any(|root| root.state == RootState::Published) {
            Phase::RootPublished
        } else if retiring().any(|root| root.last_end.is_some_and(|end| now < end)) {
            Phase::RootInUse
        } else if retiring().next().is_some() {
            Phase::RootRetiring
        } else {
            Phase::Steady
        }
    }

    /// Whether something that is valid signs, so that there are certificates which must not lose their root.
    pub(super) fn is_alive(&self, now: Timestamp) -> bool {
        self.signing.as_ref().is_some_and(|signing| now < signing.ends)
    }

    /// Whether the key of a root is needed: to sign intermediates, now or later.
    pub fn needs_key(&self, sha256: &str) -> bool {
        self.root(sha256)
            .is_some_and(|root| root.origin == Origin::Made && root.state != RootState::Retiring)
    }
}
