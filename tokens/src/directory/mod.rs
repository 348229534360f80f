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

    /// Whether a client that asks for this name in the handshake is asked for a certificate.
    pub fn asks_for_certificate(&self, name: Option<&str>) -> bool {
        self.issuers
            .values()
            .all(|issuer| issuer.place.asks_for_certificate(name))
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
