//! A service account's name.

use std::fmt;
use std::str::FromStr;

/// A service account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// A service account that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no service account: write <namespace>/<name>, like istio-system/ztunnel")]
pub struct AccountError(String);

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl FromStr for Account {
    type Err = AccountError;

    fn from_str(text: &str) -> Result<Self, AccountError> {
        let wrong = || AccountError(text.to_owned());
        let (namespace, name) = text.split_once('/').ok_or_else(wrong)?;
        let named = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
        };
        if !(named(namespace) && named(name)) {
            return Err(wrong());
        }
        Ok(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("istio-system/ztunnel", true)]
    #[case("ztunnel", false)]
    #[case("/ztunnel", false)]
    #[case("istio-system/", false)]
    #[case("a/b/c", false)]
    #[case("A/b", false)]
    fn accounts_have_a_namespace_and_a_name(#[case] text: &str, #[case] good: bool) {
        let account = text.parse::<Account>();
        assert_eq!(account.is_ok(), good, "{account:?}");
    }
}
