//! The bundles that one who verifies has.

use std::collections::BTreeMap;

use super::Bundle;
use crate::spiffe::{SpiffeId, TrustDomain};

/// Why a bundle was not taken as that of a foreign trust domain.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
#[error("{0} is the trust domain of one's own: whoever publishes its bundle elsewhere could make its identities")]
pub struct OwnTrustDomain(pub TrustDomain);

/// The bundle of one's own trust domain, and those of the trust domains one federates with. An SVID is verified with the
/// bundle of its own trust domain, and with no other (SPIFFE Trust Domain and Bundle standard, sections 3 and 5.2).
#[derive(Clone, Debug, PartialEq)]
pub struct Bundles {
    own: Bundle,
    federated: BTreeMap<TrustDomain, Bundle>,
}

impl Bundles {
    /// With the bundle of one's own trust domain.
    pub fn new(own: Bundle) -> Self {
        Self {
            own,
            federated: BTreeMap::new(),
        }
    }

    /// The bundle of one's own trust domain.
    pub fn own(&self) -> &Bundle {
        &self.own
    }

    /// The bundles of foreign trust domains, in the order of their names.
    pub fn federated(&self) -> impl Iterator<Item = &Bundle> {
        self.federated.values()
    }

    /// Takes the bundle of a foreign trust domain, in the place of the one that was there.
    ///
    /// # Errors
    ///
    /// If it is that of one's own trust domain.
    pub fn federate(&mut self, bundle: Bundle) -> Result<(), OwnTrustDomain> {
        if bundle.trust_domain() == self.own.trust_domain() {
            return Err(OwnTrustDomain(bundle.trust_domain().clone()));
        }
        self.federated.insert(bundle.trust_domain().clone(), bundle);
        Ok(())
    }

    /// The bundle of a trust domain.
    pub fn of(&self, trust_domain: &TrustDomain) -> Option<&Bundle> {
        if trust_domain == self.own.trust_domain() {
            Some(&self.own)
        } else {
            self.federated.get(trust_domain)
        }
    }

    /// The bundle that proves an identity.
    pub fn of_id(&self, id: &SpiffeId) -> Option<&Bundle> {
        self.of(id.trust_domain())
    }
}
