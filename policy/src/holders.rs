//! Which `ServiceIdentity` holds a service account, or a service in Consul, where several name one.
//!
//! The oldest does. Policies may name any of those that name one service account, and mean the same caller; certificates are
//! issued by what the holder says.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::parse::ParsedIdentity;
use crate::world::ObjectName;

/// What one `ServiceIdentity` alone can hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// A service account.
    ServiceAccount(ObjectName),
    /// The name of a service in Consul, which knows nothing of namespaces.
    ConsulService(String),
}

/// Which `ServiceIdentity` holds what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holders {
    /// By what they name: who does, the oldest first, and those of one age by name.
    claims: BTreeMap<Held, BTreeSet<(Timestamp, ObjectName)>>,
}

/// Says who holds what, over all identities.
pub fn holders<'a>(identities: impl IntoIterator<Item = &'a ParsedIdentity>) -> Holders {
    let mut holders = Holders::default();
    for identity in identities {
        holders.add(identity);
    }
    holders
}

/// What an identity names, as far as that could be read.
pub fn named(identity: &ParsedIdentity) -> impl Iterator<Item = Held> {
    [service_account(identity), consul_service(identity)]
        .into_iter()
        .flatten()
}

fn service_account(identity: &ParsedIdentity) -> Option<Held> {
    let account = identity.service_account.as_deref()?;
    Some(Held::ServiceAccount(ObjectName::new(
        identity.name.namespace.as_str(),
        account,
    )))
}

fn consul_service(identity: &ParsedIdentity) -> Option<Held> {
    identity.consul_service.clone().map(Held::ConsulService)
}

impl Holders {
    /// Takes in an identity.
    pub fn add(&mut self, identity: &ParsedIdentity) {
        for held in named(identity) {
            self.claims.entry(held).or_default().insert(claim(identity));
        }
    }

    /// Takes out an identity, as it was when it was taken in.
    pub fn remove(&mut self, identity: &ParsedIdentity) {
        for held in named(identity) {
            if let Some(claims) = self.claims.get_mut(&held) {
                claims.remove(&claim(identity));
                if claims.is_empty() {
                    self.claims.remove(&held);
                }
            }
        }
    }

    /// Who holds something.
    pub fn of(&self, held: &Held) -> Option<&ObjectName> {
        self.claimants(held).next()
    }

    /// Who holds a service account.
    pub fn of_service_account(&self, namespace: &str, service_account: &str) -> Option<&ObjectName> {
        self.of(&Held::ServiceAccount(ObjectName::new(namespace, service_account)))
    }

    /// Who holds the service account that an identity names, if that is another one.
    pub fn other(&self, identity: &ParsedIdentity) -> Option<&ObjectName> {
        self.another(identity, service_account(identity))
    }

    /// Who holds the service in Consul that an identity names, if that is another one.
    pub fn other_in_consul(&self, identity: &ParsedIdentity) -> Option<&ObjectName> {
        self.another(identity, consul_service(identity))
    }

    /// All who name something, the holder first.
    pub fn claimants(&self, held: &Held) -> impl Iterator<Item = &ObjectName> {
        self.claims.get(held).into_iter().flatten().map(|(_, name)| name)
    }

    fn another(&self, identity: &ParsedIdentity, held: Option<Held>) -> Option<&ObjectName> {
        self.of(&held?).filter(|holder| **holder != identity.name)
    }
}

fn claim(identity: &ParsedIdentity) -> (Timestamp, ObjectName) {
    (identity.created, identity.name.clone())
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
        let account = Held::ServiceAccount(ObjectName::new("shop", "web"));
        assert_eq!(holders.claimants(&account).cloned().collect::<Vec<_>>(), order);
        assert_eq!(holders.of_service_account("shop", "web"), Some(&a.name));
        assert_eq!((holders.other(&a), holders.other(&b)), (None, Some(&a.name)));

        holders.remove(&a);
        assert_eq!(holders.of_service_account("shop", "web"), Some(&b.name));
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
        assert_eq!(holders.of_service_account("shop", "nobody"), None);
    }

    #[test]
    fn a_mistake_elsewhere_hands_nothing_over() {
        let wrong = identity("shop", "old", &json!({"serviceAccountName": "web", "typo": 1}), 1);
        assert!(wrong.identity.is_err());
        let new = web("new", 2);
        assert_eq!(holders([&new, &wrong]).other(&new), Some(&wrong.name));
    }

    #[test]
    fn a_service_in_consul_is_held_across_namespaces_and_apart_from_the_service_account() {
        let in_consul = |namespace: &str, account: &str, second| {
            let spec = json!({"serviceAccountName": account, "mesh": {"consulService": "checkout"}});
            identity(namespace, "a", &spec, second)
        };
        let [new, old] = [in_consul("bank", "teller", 9), in_consul("shop", "web", 5)];
        let mut holders = holders([&new, &old]);
        assert_eq!(holders.other_in_consul(&new), Some(&old.name));
        assert_eq!(holders.other_in_consul(&old), None);
        assert_eq!(holders.other(&new), None, "its service account is its own");
        assert_eq!(holders.other_in_consul(&web("without", 1)), None);

        holders.remove(&old);
        assert_eq!(holders.other_in_consul(&new), None);
        holders.remove(&new);
        assert_eq!(holders, Holders::default());
    }
}
