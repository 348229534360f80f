//! X.509-SVIDs of the node's workloads: made when one asks for the first time, renewed as long as its Pod is there, and kept
//! in memory only.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use jiff::Timestamp;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::sleep;
use tracing::{info, warn};
use zeroize::Zeroizing;

use super::Clock;
use super::metrics::{AgentMetrics, Kind, Outcome};
use super::pods::LocalPod;
use super::signer::{Answer, Failure, Signer};
use crate::key::KeyType;

/// How long the first pause after a failure is, and the longest. Each is up to twice that, so that not all nodes ask at once.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The wall clock is looked at this often while a renewal is waited for: a machine that sleeps misses timers.
const LOOK: Duration = Duration::from_mins(1);

/// An X.509-SVID with its key.
pub struct Svid {
    /// Who it names.
    pub spiffe_id: String,
    /// The leaf first, then the intermediates.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key, PKCS#8 in DER.
    pub key_der: Zeroizing<Vec<u8>>,
    /// The private key, PKCS#8 in PEM.
    pub key_pem: Zeroizing<String>,
    /// When a new one is asked for.
    pub refresh_at: Timestamp,
    /// Until when it holds.
    pub not_after: Timestamp,
}

/// Without the key.
impl fmt::Debug for Svid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Svid")
            .field("spiffe_id", &self.spiffe_id)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// What a workload has.
#[derive(Clone, Debug)]
pub enum State {
    /// It is being asked for.
    Asked,
    /// This.
    Held(Arc<Svid>),
    /// Nothing, because it has no identity.
    Refused(String),
    /// Nothing, because the signer cannot be asked, and what there was has ended.
    Unavailable(String),
}

/// The SVIDs of all Pods. Clones are of one cache.
pub struct Svids<S>(Arc<Inner<S>>);

struct Inner<S> {
    signer: S,
    clock: Clock,
    metrics: AgentMetrics,
    entries: Mutex<HashMap<String, Entry>>,
}

struct Entry {
    state: watch::Sender<State>,
    renewal: AbortHandle,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

impl<S> Clone for Svids<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Signer> Svids<S> {
    /// An empty cache.
    pub fn new(signer: S, clock: Clock, metrics: AgentMetrics) -> Self {
        Self(Arc::new(Inner {
            signer,
            clock,
            metrics,
            entries: Mutex::default(),
        }))
    }

    /// The signer.
    pub fn signer(&self) -> &S {
        &self.0.signer
    }

    /// What a Pod has, and what it will have. The first time makes it be asked for.
    pub fn of(&self, pod: &Arc<LocalPod>) -> watch::Receiver<State> {
        let mut entries = self.0.entries();
        if let Some(entry) = entries.get(&pod.uid) {
            return entry.state.subscribe();
        }
        let (state, receiver) = watch::channel(State::Asked);
        let renewal = Renewal {
            inner: Arc::clone(&self.0),
            pod: Arc::clone(pod),
            state: state.clone(),
            key_type: KeyType::EcdsaP256,
            held: None,
        };
        let renewal = tokio::spawn(renewal.run()).abort_handle();
        entries.insert(pod.uid.clone(), Entry { state, renewal });
        receiver
    }

    /// Forgets all Pods but these. Keys go with them, and streams end.
    pub fn retain(&self, running: &HashSet<String>) {
        let mut entries = self.0.entries();
        entries.retain(|uid, _| running.contains(uid));
        self.0.count(&entries);
    }

    /// How many are kept, of whatever state.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.entries().len()
    }
}

impl<S> Inner<S> {
    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, entries: &HashMap<String, Entry>) {
        let held = |entry: &&Entry| matches!(*entry.state.borrow(), State::Held(_));
        self.metrics.live(entries.values().filter(held).count());
    }
}

/// Has a Pod's SVID made and renewed.
struct Renewal<S> {
    inner: Arc<Inner<S>>,
    pod: Arc<LocalPod>,
    state: watch::Sender<State>,
    key_type: KeyType,
    held: Option<Arc<Svid>>,
}

impl<S: Signer> Renewal<S> {
    async fn run(mut self) {
        let mut pauses = pauses();
        loop {
            let outcome = self.obtain().await;
            let now = (self.inner.clock)();
            self.told(&outcome);
            match outcome {
                Ok(svid) => {
                    pauses = self::pauses();
                    let (refresh_at, svid) = (svid.refresh_at, Arc::new(svid));
                    self.held = Some(Arc::clone(&svid));
                    self.show(State::Held(svid));
                    self.sleep_until(refresh_at).await;
                }
                Err(Failure::Refused(why)) => {
                    self.held = None;
                    self.show(State::Refused(why));
                    sleep(next(&mut pauses)).await;
                }
                Err(Failure::Invalid(why) | Failure::Unavailable(why)) => {
                    self.held = self.held.take().filter(|held| now < held.not_after);
                    let mut pause = next(&mut pauses);
                    if let Some(held) = &self.held {
                        let left = Duration::try_from(held.not_after.duration_since(now)).unwrap_or_default();
                        pause = pause.min(left);
                    } else {
                        self.show(State::Unavailable(why));
                    }
                    sleep(pause).await;
                }
            }
            if self.held.is_none() && self.forgotten() {
                return;
            }
        }
    }

    /// Makes a key and has it certified.
    async fn obtain(&mut self) -> Result<Svid, Failure> {
        // The first key can be of another kind than the certificates are for, and that can be changed meanwhile.
        for _ in 0..3 {
            let (key, request) = make(self.key_type).await?;
            match self.inner.signer.certify(&self.pod, request).await? {
                Answer::Certificate(certificate) => {
                    return Ok(Svid {
                        spiffe_id: certificate.spiffe_id,
                        chain: certificate.chain,
                        key_der: Zeroizing::new(key.serialize_der()),
                        key_pem: Zeroizing::new(key.serialize_pem()),
                        refresh_at: certificate.refresh_at,
                        not_after: certificate.not_after,
                    });
                }
                Answer::OtherKey(wanted) => self.key_type = wanted,
            }
        }
        Err(Failure::Unavailable(
            "the signer does not settle on a kind of key".to_owned(),
        ))
    }

    fn told(&self, outcome: &Result<Svid, Failure>) {
        let LocalPod {
            namespace, name, uid, ..
        } = &*self.pod;
        let counted = match outcome {
            Ok(svid) => {
                info!(namespace, pod = name, uid, spiffe_id = svid.spiffe_id, not_after = %svid.not_after, "has a new X.509-SVID");
                Outcome::Issued
            }
            Err(failure) => {
                warn!(namespace, pod = name, uid, %failure, "has no new X.509-SVID");
                match failure {
                    Failure::Refused(_) | Failure::Invalid(_) => Outcome::Refused,
                    Failure::Unavailable(_) => Outcome::Failed,
                }
            }
        };
        self.inner.metrics.asked(Kind::X509, counted);
    }

    fn show(&self, state: State) {
        self.state.send_replace(state);
        self.inner.count(&self.inner.entries());
    }

    async fn sleep_until(&self, at: Timestamp) {
        loop {
            let left = at.duration_since((self.inner.clock)());
            match Duration::try_from(left) {
                Ok(left) if !left.is_zero() => sleep(left.min(LOOK)).await,
                _ => return,
            }
        }
    }

    /// Forgets the Pod if nobody waits for what it may get: it can ask again.
    fn forgotten(&self) -> bool {
        let mut entries = self.inner.entries();
        let unwatched = self.state.receiver_count() == 0;
        if unwatched {
            // The task ends by itself; an abort of one that has ended does nothing.
            entries.remove(&self.pod.uid);
        }
        unwatched
    }
}

fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .without_max_times()
        .with_jitter()
        .build()
}

fn next(pauses: &mut ExponentialBackoff) -> Duration {
    pauses.next().unwrap_or(LONGEST_PAUSE)
}

/// A key, and a certification request that proves that one has it.
async fn make(key_type: KeyType) -> Result<(KeyPair, Vec<u8>), Failure> {
    let failed = |error: &dyn fmt::Display| Failure::Unavailable(format!("a key cannot be made: {error}"));
    // An RSA key takes seconds.
    let made = tokio::task::spawn_blocking(move || {
        let key = key_type.generate()?;
        let request = CertificateParams::default().serialize_request(&key)?;
        Ok::<_, rcgen::Error>((key, request.der().to_vec()))
    });
    made.await
        .map_err(|error| failed(&error))?
        .map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests;
