//! Who may have which certificate: the `ServiceIdentity` objects, by the service account that they name.

mod entry;
mod index;
mod watch;

use std::sync::{Arc, PoisonError, RwLock};

use countersign_identity::{SpiffeId, TrustDomain};
use countersign_policy::ObjectName;
use jiff::SignedDuration;
use tokio::sync::watch as channel;

pub use entry::{Entry, Meta};
pub use index::{Index, delivery, delivery_name};
pub use watch::run;

use crate::grant::Grant;
use crate::issue::Path;
use crate::refusal::Refusal;

/// The index, shared by all who ask and the one watch that keeps it current. Clones are of one index.
#[derive(Clone, Debug)]
pub struct Identities {
    index: Arc<RwLock<Index>>,
    changed: channel::Sender<u64>,
}

impl Identities {
    /// An empty index, which refuses everything until it has been listed: see [`run`].
    pub fn new(trust_domain: TrustDomain) -> Self {
        Self {
            index: Arc::new(RwLock::new(Index::new(trust_domain))),
            changed: channel::Sender::new(0),
        }
    }

    /// What a workload is given, by the way it asks in. `requested` is the longest life that it wants.
    ///
    /// # Errors
    ///
    /// If the workload has no identity, or not by this way; the reason is [`crate::refusal::Reason::NotReady`] if that is not known yet.
    pub fn grant(
        &self,
        namespace: &str,
        service_account: &str,
        path: Path,
        requested: Option<SignedDuration>,
    ) -> Result<Grant, Refusal> {
        self.read(|index| index.grant(namespace, service_account, path, requested))
    }

    /// The SPIFFE ID of a workload's own certificates, if it has an identity that was understood.
    pub fn spiffe_id(&self, namespace: &str, service_account: &str) -> Option<SpiffeId> {
        self.read(|index| index.spiffe_id(namespace, service_account))
    }

    /// Whether the objects were read completely once.
    pub fn complete(&self) -> bool {
        self.read(Index::complete)
    }

    /// The `ServiceIdentity` that holds a service account.
    pub fn holder(&self, namespace: &str, service_account: &str) -> Option<Entry> {
        self.read(|index| index.holder(namespace, service_account).cloned())
    }

    /// Looks at the index. Whoever writes waits meanwhile, so be quick.
    pub fn read<T>(&self, look: impl FnOnce(&Index) -> T) -> T {
        look(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells of each change from now on.
    pub fn changes(&self) -> channel::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Takes in an object as it is now.
    pub fn insert(&self, entry: Entry) {
        self.change(|index| index.insert(entry));
    }

    /// Takes in that an object is gone.
    pub fn remove(&self, name: &ObjectName) {
        self.change(|index| index.remove(name));
    }

    /// Takes in that the listed objects are all there are.
    pub fn listed(&self, retain: impl Fn(&ObjectName) -> bool) {
        self.change(|index| index.listed(retain));
    }

    fn change<T>(&self, change: impl FnOnce(&mut Index) -> T) {
        change(&mut self.index.write().unwrap_or_else(PoisonError::into_inner));
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }
}
