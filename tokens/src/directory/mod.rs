//! Who may get which tokens from which issuer: the users' objects, understood, swapped whole when one of them changes.

pub mod build;
mod party;
pub mod place;

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_identity::svid::Withdrawn;
use countersign_identity::{Bundle, KeySet};
use countersign_policy::tokens::{Client, ManagedIssuer, Workload};

pub use build::{Built, ClientObject, IssuerObject, Sources, build};
pub use party::{Party, Permit};
pub use place::{Endpoint, Place};

/// An issuer that the service answers for, with its clients.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// What it gives.
    pub managed: ManagedIssuer,
    /// Where it is.
    pub place: Place,
    /// Its clients in order, by their `client_id`.
    pub clients: BTreeMap<String, Arc<Client>>,
}

/// An issuer outside, whose tokens may be exchanged.
#[derive(Clone, Debug)]
pub struct Outside {
    /// What its tokens carry in `iss`.
    pub issuer: String,
    /// What verifies them.
    pub keys: KeySet,
    /// How long they live at most, in seconds.
    pub longest: i64,
}

/// All that requests are judged by.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// The issuers, by the names of their `TokenIssuer`s.
    pub issuers: BTreeMap<String, Arc<Issuer>>,
    /// Issuers outside, by the same.
    pub outside: BTreeMap<String, Outside>,
    /// The workloads, by namespace and service account.
    pub workloads: BTreeMap<(String, String), Arc<Workload>>,
    /// The same, by SPIFFE ID.
    pub called: BTreeMap<String, Arc<Workload>>,
    /// The roots of the trust domain; none while they are not known.
    pub roots: Option<Arc<Bundle>>,
    /// Intermediates below them that are revoked.
    pub withdrawn: Arc<Withdrawn>,
}

impl Directory {
    /// The issuer that a request means, by the host that it names and the path that it asks for, and what it asks of it. If
    /// no issuer has that host, one that is alone with its path is meant: within the cluster it may have another name.
    pub fn find(&self, host: Option<&str>, path: &str) -> Option<(Arc<Issuer>, Endpoint)> {
        let mut found: Vec<(&Arc<Issuer>, Endpoint)> = Vec::new();
        for issuer in self.issuers.values() {
            if let Some(endpoint) = issuer.place.endpoint(path) {
                let is_its = |host| issuer.place.is_host(host) || issuer.place.is_mutual_tls_host(host);
                if host.is_some_and(is_its) {
                    return Some((Arc::clone(issuer), endpoint));
                }
                found.push((issuer, endpoint));
            }
        }
        match found[..] {
            [(issuer, endpoint)] => Some((Arc::clone(issuer), endpoint)),
            _ => None,
        }
    }

    /// Whether a client that asks for this name in the handshake is asked for a certificate: where one issuer of that name takes it
    /// there, whatever the others have. In the cluster the service has other names, and a client may ask for none: there it is too.
    pub fn asks_for_certificate(&self, name: Option<&str>) -> bool {
        let Some(name) = name else { return true };
        let issuers = self.issuers.values();
        let mut said = issuers
            .filter_map(|issuer| issuer.place.asks_for_certificate(name))
            .peekable();
        said.peek().is_none() || said.any(|asks| asks)
    }

    /// The workload of a service account.
    pub fn workload(&self, namespace: &str, account: &str) -> Option<&Arc<Workload>> {
        self.workloads.get(&(namespace.to_owned(), account.to_owned()))
    }

    /// The workload with this SPIFFE ID.
    pub fn workload_called(&self, spiffe_id: &str) -> Option<&Arc<Workload>> {
        self.called.get(spiffe_id)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    /// Issuers of these identifiers, with another host for certificates or without.
    fn directory(issuers: &[(&str, Option<&str>)]) -> Directory {
        let issuers = issuers.iter().enumerate().map(|(at, (issuer, other))| {
            let mut managed = json!({"issuer": issuer, "audiences": [{"audience": "a"}]});
            managed["mutualTlsHost"] = other.map_or(Value::Null, Value::from);
            let name = at.to_string();
            let managed = countersign_policy::tokens::managed_issuer(&name, &json!({"managed": managed})).unwrap();
            let issuer = Issuer {
                place: Place::of(&managed.issuer, managed.mutual_tls_host.as_deref()).unwrap(),
                managed,
                clients: BTreeMap::new(),
            };
            (name, Arc::new(issuer))
        });
        Directory {
            issuers: issuers.collect(),
            ..Directory::default()
        }
    }

    #[rstest]
    #[case::the_issuers_host(Some("a.example"), false)]
    #[case::its_host_for_certificates(Some("mtls.example"), true)]
    #[case::a_host_that_an_issuer_without_shares(Some("both.example"), true)]
    #[case::an_issuers_host_that_is_anothers_for_certificates(Some("c.example"), true)]
    #[case::another_name_in_the_cluster(Some("countersign-tokens.countersign-system.svc"), true)]
    #[case::no_name(None, true)]
    fn one_issuer_takes_nothing_from_the_clients_of_another(#[case] name: Option<&str>, #[case] asked: bool) {
        let directory = directory(&[
            ("https://a.example", Some("mtls.example")),
            ("https://both.example/one", Some("mtls.example")),
            ("https://both.example/two", None),
            ("https://c.example", Some("mtls.example")),
            ("https://d.example", Some("c.example")),
        ]);
        assert_eq!(directory.asks_for_certificate(name), asked);
    }
}
