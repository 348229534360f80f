//! The kinds of credential that are known, and what to use instead of each.

use std::fmt;

/// A kind of credential.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// Its stable name, such as `github-token`: in settings, waivers, reports and metrics.
    pub id: &'static str,
    /// What it is, to go after "is" in a sentence: `a GitHub token`.
    pub title: &'static str,
    /// What to use instead.
    pub remedy: Remedy,
}

/// What to use instead of a credential in a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Remedy {
    /// A certificate that is issued to the workload, by a `ServiceIdentity`.
    ServiceIdentity,
    /// A service-account token that the kubelet mounts and renews.
    ProjectedToken,
    /// A reference to a store of secrets, by an `ExternalSecret` or a `SecretStore`.
    ExternalSecret,
    /// A client of the token service, which gets short tokens for its own key.
    TokenClient,
    /// The same, but with an earlier end.
    ShorterLifetime,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServiceIdentity => {
                "let a ServiceIdentity give the workload a certificate whose key never leaves it"
            }
            Self::ProjectedToken => {
                "mount a projected service-account token with an audience and an expirationSeconds of an hour; the kubelet renews it"
            }
            Self::ExternalSecret => {
                "keep the value in a secret store and refer to it with an ExternalSecret, or take it with valueFrom.secretKeyRef"
            }
            Self::TokenClient => "make a TokenClient with a public key, and ask for short tokens with it",
            Self::ShorterLifetime => "ask for a shorter life, within the limit",
        })
    }
}

/// Every rule, in the order of their names.
pub fn rules() -> Vec<&'static Rule> {
    let mut all: Vec<&'static Rule> = [
        crate::walk::RULES,
        crate::carrier::RULES,
        crate::key::RULES,
        crate::token::RULES,
    ]
    .into_iter()
    .flatten()
    .copied()
    .collect();
    all.sort_by_key(|rule| rule.id);
    all
}

/// The rule of that name.
pub fn rule(id: &str) -> Option<&'static Rule> {
    rules().into_iter().find(|rule| rule.id == id)
}
