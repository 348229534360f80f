//! What the person who installs the signer decides of Istio's CA API.

use std::collections::BTreeSet;

use countersign_identity::TrustDomain;
use jiff::SignedDuration;

use crate::grant::SHORTEST;
use countersign_runtime::callers::Account;

/// The audience of the tokens that Istio's proxies have.
pub const AUDIENCE: &str = "istio-ca";
/// The longest life of a certificate.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(24);
/// The shortest life that can be set as the shortest. It is for tests: a mesh whose certificates live for minutes stops
/// with its signer.
pub const SHORTEST_FOR_TESTS: SignedDuration = SignedDuration::from_mins(10);

/// Why settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Without an audience any token of the cluster would do.
    #[error("the audience is empty: Istio's proxies have tokens for {AUDIENCE}")]
    Audience,
    /// Lives that contradict each other, or go beyond what is allowed.
    #[error(
        "certificates live from {0} to {1}: the shortest must be at least {SHORTEST_FOR_TESTS} and not more than the longest, \
         and that at most {LONGEST}"
    )]
    Lifetimes(SignedDuration, SignedDuration),
}

/// What is decided.
#[derive(Clone, Debug)]
pub struct Settings {
    trust_domain: TrustDomain,
    audience: String,
    node_accounts: BTreeSet<Account>,
    shortest: SignedDuration,
    longest: SignedDuration,
}

impl Settings {
    /// The defaults: the audience of Istio's proxies, nobody who may ask on behalf of others but Istio's ztunnel, lives
    /// from an hour to a day.
    pub fn new(trust_domain: TrustDomain) -> Self {
        let ztunnel = Account {
            namespace: "istio-system".to_owned(),
            name: "ztunnel".to_owned(),
        };
        Self {
            trust_domain,
            audience: AUDIENCE.to_owned(),
            node_accounts: BTreeSet::from([ztunnel]),
            shortest: SHORTEST,
            longest: LONGEST,
        }
    }

    /// The audience that tokens must be for.
    ///
    /// # Errors
    ///
    /// If it is empty.
    pub fn with_audience(self, audience: String) -> Result<Self, SettingsError> {
        if audience.is_empty() {
            return Err(SettingsError::Audience);
        }
        Ok(Self { audience, ..self })
    }

    /// The service accounts of the nodes' proxies: each may ask on behalf of the workloads on its own node.
    #[must_use]
    pub fn with_node_accounts(self, node_accounts: impl IntoIterator<Item = Account>) -> Self {
        let node_accounts = node_accounts.into_iter().collect();
        Self { node_accounts, ..self }
    }

    /// How long certificates live at least and at most.
    ///
    /// # Errors
    ///
    /// If the least is below ten minutes or above the most, or the most above a day.
    pub fn with_lifetimes(self, shortest: SignedDuration, longest: SignedDuration) -> Result<Self, SettingsError> {
        if shortest < SHORTEST_FOR_TESTS || longest > LONGEST || shortest > longest {
            return Err(SettingsError::Lifetimes(shortest, longest));
        }
        Ok(Self {
            shortest,
            longest,
            ..self
        })
    }

    /// The trust domain of all identities.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The audience that tokens must be for.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// Whether this account is that of a node's proxy.
    pub fn is_node_account(&self, account: &Account) -> bool {
        self.node_accounts.contains(account)
    }

    /// The shortest life of a certificate.
    pub fn shortest(&self) -> SignedDuration {
        self.shortest
    }

    /// The longest life of a certificate.
    pub fn longest(&self) -> SignedDuration {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(10, 60, true)]
    #[case(60, 60 * 24, true)]
    #[case(9, 60, false)]
    #[case(61, 60, false)]
    #[case(60, 60 * 24 + 1, false)]
    fn lives_are_bounded(#[case] shortest: i64, #[case] longest: i64, #[case] good: bool) {
        let settings = Settings::new("cluster.local".parse().unwrap());
        let minutes = SignedDuration::from_mins;
        assert_eq!(
            settings.with_lifetimes(minutes(shortest), minutes(longest)).is_ok(),
            good
        );
    }
}
