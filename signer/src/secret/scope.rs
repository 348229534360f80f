//! In which namespaces the signer may keep Secrets: a right to write Secrets is worth much, so it is given by namespace.

use std::collections::BTreeSet;
use std::str::FromStr;

use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::{Api, Client};

use crate::refusal::{Reason, Refusal};

/// Stands for all namespaces.
const ALL: &str = "*";

/// The namespaces in which Secrets are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    All,
    /// These.
    Namespaces(BTreeSet<String>),
}

/// A name that no namespace has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no namespace: write names with commas between them, or * for all")]
pub struct ScopeError(String);

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let names: BTreeSet<_> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        if names.contains(ALL) {
            return Ok(Self::All);
        }
        let labels = |name: &&str| {
            name.bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        };
        match names.iter().find(|name| !labels(name)) {
            Some(wrong) => Err(ScopeError((*wrong).to_owned())),
            None => Ok(Self::Namespaces(names.into_iter().map(str::to_owned).collect())),
        }
    }
}

impl Scope {
    /// Whether Secrets of this namespace are kept.
    ///
    /// # Errors
    ///
    /// If not, with what the person who installs the signer can do.
    pub fn admits(&self, namespace: &str) -> Result<(), Refusal> {
        match self {
            Self::All => Ok(()),
            Self::Namespaces(names) if names.contains(namespace) => Ok(()),
            Self::Namespaces(_) => Err(Refusal::new(
                Reason::NamespaceNotAllowed,
                format!(
                    "the signer may not write Secrets in the namespace {namespace}: take another delivery, or have whoever \
                     installs Countersign add it to signer.secretNamespaces of the chart"
                ),
            )),
        }
    }

    /// Where to look for Secrets, each place with the namespace that it is; all of them if that is none.
    pub(super) fn places(&self, client: &Client) -> Vec<(Option<String>, Api<PartialObjectMeta<Secret>>)> {
        match self {
            Self::All => vec![(None, Api::all(client.clone()))],
            Self::Namespaces(names) => names
                .iter()
                .map(|name| (Some(name.clone()), Api::namespaced(client.clone(), name)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", &[], &["a", ""])]
    #[case("a", &["a"], &["b", "*"])]
    #[case("a, b-2,", &["a", "b-2"], &["c"])]
    #[case("*", &["a", "b"], &[])]
    #[case("a,*", &["a", "b"], &[])]
    fn a_list_admits_what_is_in_it(#[case] text: &str, #[case] admitted: &[&str], #[case] others: &[&str]) {
        let scope: Scope = text.parse().unwrap();
        assert!(admitted.iter().all(|name| scope.admits(name).is_ok()));
        assert!(others.iter().all(|name| {
            scope
                .admits(name)
                .is_err_and(|refusal| refusal.message.contains("signer.secretNamespaces"))
        }));
    }

    #[rstest]
    #[case("a b")]
    #[case("a,B")]
    #[case("a*")]
    fn what_is_no_namespace_is_named(#[case] text: &str) {
        assert!(text.parse::<Scope>().is_err());
    }
}
