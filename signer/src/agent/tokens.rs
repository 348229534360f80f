//! JWT-SVIDs of the node's workloads. One that is fetched again while it has more than half of its life left is the same: the
//! standard lets clients ask for each request (JWT-SVID standard, section 3.3).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::Clock;
use super::metrics::{AgentMetrics, Kind, Outcome};
use super::pods::LocalPod;
use super::signer::{Failure, Signer};

/// How many sets of audiences are kept of one Pod.
const PER_POD: usize = 64;

/// A JWT-SVID.
#[derive(Clone)]
pub struct Token {
    /// Who it names.
    pub spiffe_id: String,
    /// In compact form. Whoever has it is the workload, for its audiences.
    pub text: Zeroizing<String>,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Without the token.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("spiffe_id", &self.spiffe_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl Token {
    /// Whether more than half of its life is left.
    fn fresh(&self, now: Timestamp) -> bool {
        let life = self.expires_at.duration_since(self.issued_at);
        now < self.expires_at && self.expires_at.duration_since(now) > life / 2
    }
}

type ByAudiences = BTreeMap<BTreeSet<String>, Arc<Token>>;

/// The tokens of all Pods.
pub struct Tokens {
    clock: Clock,
    metrics: AgentMetrics,
    by_pod: Mutex<HashMap<String, ByAudiences>>,
}

impl Tokens {
    /// An empty cache.
    pub fn new(clock: Clock, metrics: AgentMetrics) -> Self {
        Self {
            clock,
            metrics,
            by_pod: Mutex::default(),
        }
    }

    /// A token of a Pod for these audiences.
    ///
    /// # Errors
    ///
    /// If the signer gives none.
    pub async fn of(
        &self,
        signer: &impl Signer,
        pod: &LocalPod,
        audiences: &BTreeSet<String>,
    ) -> Result<Arc<Token>, Failure> {
        let kept = self
            .by_pod()
            .get(&pod.uid)
            .and_then(|kept| kept.get(audiences).cloned());
        if let Some(kept) = kept.filter(|kept| kept.fresh((self.clock)())) {
            return Ok(kept);
        }
        let audience_list: Vec<String> = audiences.iter().cloned().collect();
        let issued = signer.token(pod, audience_list).await;
        self.metrics.asked(
            Kind::Jwt,
            match &issued {
                Ok(_) => Outcome::Issued,
                Err(Failure::Refused(_) | Failure::Invalid(_)) => Outcome::Refused,
                Err(Failure::Unavailable(_)) => Outcome::Failed,
            },
        );
        let token = Arc::new(issued?);
        self.keep(&pod.uid, audiences, &token);
        Ok(token)
    }

    /// Forgets the tokens of all Pods but these.
    pub fn retain(&self, running: &HashSet<String>) {
        self.by_pod().retain(|uid, _| running.contains(uid));
    }

    fn keep(&self, uid: &str, audiences: &BTreeSet<String>, token: &Arc<Token>) {
        let now = (self.clock)();
        let mut by_pod = self.by_pod();
        let kept = by_pod.entry(uid.to_owned()).or_default();
        if kept.len() >= PER_POD {
            kept.retain(|_, kept| kept.fresh(now));
        }
        if kept.len() < PER_POD {
            kept.insert(audiences.clone(), Arc::clone(token));
        }
    }

    fn by_pod(&self) -> MutexGuard<'_, HashMap<String, ByAudiences>> {
        self.by_pod.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
