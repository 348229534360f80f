//! Which `ServiceIdentity` holds a service account, where several name one.
//!
//! The oldest does. Policies may name any of them, and mean the same caller; certificates are issued by what the holder
//! says.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::parse::ParsedIdentity;
use crate::world::ObjectName;

/// Which `ServiceIdentity` holds which service account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holders {
    /// By namespace and service account: who names it, the oldest first, and those of one age by name.
    claims: BTreeMap<(String, String), BTreeSet<(Timestamp, String)>>,
}

/// Says who holds what, over all identities.
pub fn holders<'a>(identities: impl IntoIterator<Item = &'a ParsedIdentity>) -> Holders {
    let mut holders = Holders::default();
    for identity in identities {
        holders.add(identity);
    }
    holders
}

impl Holders {
    /// Takes in an identity.
    pub fn add(&mut self, identity: &ParsedIdentity) {
        if let Some(key) = key(identity) {
            self.claims.entry(key).or_default().insert(claim(identity));
        }
    }

    /// Takes out an identity, as it was when it was taken in.
    pub fn remove(&mut self, identity: &ParsedIdentity) {
        let Some(key) = key(identity) else { return };
        if let Some(claims) = self.claims.get_mut(&key) {
            claims.remove(&claim(identity));
            if claims.is_empty() {
                self.claims.remove(&key);
            }
        }
    }

    /// Who holds a service account.
    pub fn of(&self, namespace: &str, service_account: &str) -> Option<ObjectName> {
        self.claimants(namespace, service_account).next()
    }

    /// Who holds the service account that an identity names, if that is another one.
    pub fn other(&self, identity: &ParsedIdentity) -> Option<ObjectName> {
        let service_account = identity.service_account.as_deref()?;
        self.of(&identity.name.namespace, service_account)
            .filter(|holder| *holder != identity.name)
    }

    /// All who name a service account, the holder first.
    pub fn claimants(&self, namespace: &str, service_account: &str) -> impl Iterator<Item = ObjectName> {
        let claims = self.claims.get(&(namespace.to_owned(), service_account.to_owned()));
        claims
            .into_iter()
            .flatten()
            .map(move |(_, name)| ObjectName::new(namespace, name.as_str()))
    }
}

fn key(identity: &ParsedIdentity) -> Option<(String, String)> {
    Some((identity.name.namespace.clone(), identity.service_account.clone()?))
}

fn claim(identity: &ParsedIdentity) -> (Timestamp, String) {
    (identity.created, identity.name.name.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::parse::service_identity;

    fn identity(namespace: &str, name: &str, spec: &Value, second: i64) -> ParsedIdentity {
        let created = Timestamp::from_second(second).unwrap();
        service_identity(ObjectName::new(namespace, name), spec, created)
    }

    fn web(name: &str, second: i64) -> ParsedIdentity {
        identity("shop", name, &json!({"serviceAccountName": "web"}), second)
    }

    #[test]
    fn the_oldest_holds_and_among_those_of_one_age_the_first_by_name() {
        let [young, b, a] = [web("a-young", 9), web("b", 5), web("a", 5)];
        let mut holders = holders([&young, &b, &a]);
        let order = ["a", "b", "a-young"].map(|name| ObjectName::new("shop", name));
        assert_eq!(holders.claimants("shop", "web").collect::<Vec<_>>(), order);
        assert_eq!(holders.of("shop", "web").as_ref(), Some(&a.name));
        assert_eq!((holders.other(&a), holders.other(&b)), (None, Some(a.name.clone())));

        holders.remove(&a);
        assert_eq!(holders.of("shop", "web"), Some(b.name.clone()));
        holders.remove(&b);
        holders.remove(&young);
        assert_eq!(holders, Holders::default());
    }

    #[test]
    fn other_namespaces_and_other_service_accounts_are_nobodys_business() {
        let all = [
            web("a", 1),
            identity("bank", "a", &json!({"serviceAccountName": "web"}), 2),
            identity("shop", "b", &json!({"serviceAccountName": "api"}), 3),
        ];
        let holders = holders(&all);
        assert!(all.iter().all(|identity| holders.other(identity).is_none()));
        assert_eq!(holders.of("shop", "nobody"), None);
    }

    #[test]
    fn a_mistake_elsewhere_hands_nothing_over() {
        let wrong = identity("shop", "old", &json!({"serviceAccountName": "web", "typo": 1}), 1);
        assert!(wrong.identity.is_err());
        let new = web("new", 2);
        assert_eq!(holders([&new, &wrong]).other(&new), Some(wrong.name));
    }
}
