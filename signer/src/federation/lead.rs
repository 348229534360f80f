//! The loop of the one replica that fetches: it sees what is due, fetches it, keeps it, and says so in each status.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_lc_rs::rand;
use countersign_identity::{Bundle, TrustDomain};
use countersign_runtime::clock;
use countersign_runtime::lease::Leadership;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::accept::{Stored, accept};
use super::fetch::{Answer, FetchError, Fetcher, LIMIT, Request};
use super::follow::{Follower, Reading};
use super::hold::verdicts;
use super::kept::{CONFIG_MAP, Keeping};
use super::metrics::{FederationMetrics, Outcome};
use super::object::{Seen, Wanted};
use super::status::{View, status};
use super::track::{Track, interval};
use crate::problem::Problem;

mod objects;
mod write;

use objects::Objects;
use write::Writer;

/// How long to wait when nothing is due.
const IDLE: Duration = Duration::from_mins(1);
/// How long to wait after something could not be written.
const AGAIN: Duration = Duration::from_secs(5);
/// How many fetches are under way at once.
const AT_ONCE: usize = 8;

/// Where the signer works.
#[derive(Clone)]
pub struct Place {
    /// The API server.
    pub client: Client,
    /// The signer's namespace.
    pub namespace: String,
    /// Its trust domain.
    pub trust_domain: TrustDomain,
}

/// A fetch that ended.
struct Done {
    uid: String,
    generation: Option<i64>,
    answer: Result<Answer, FetchError>,
}

/// The loop.
pub struct Leader {
    trust_domain: TrustDomain,
    leadership: Leadership,
    fetcher: Fetcher,
    objects: Objects,
    readings: watch::Receiver<Reading>,
    writer: Writer,
    metrics: FederationMetrics,
    work: Work,
}

/// What is forgotten when another leads.
#[derive(Default)]
struct Work {
    /// What is kept; none before it was read.
    keeping: Option<Keeping>,
    /// By the uid of the object.
    tracks: BTreeMap<String, Track>,
    running: JoinSet<Done>,
    fetching: BTreeSet<String>,
    /// Why a bundle is not kept, by the uid of the object.
    unkept: BTreeMap<String, Problem>,
    /// Why none is.
    unwritten: Option<Problem>,
}

impl Leader {
    /// Makes the loop. The follower tells what is kept.
    pub fn new(place: &Place, follower: &Follower, leadership: Leadership, metrics: FederationMetrics) -> Self {
        Self {
            trust_domain: place.trust_domain.clone(),
            leadership,
            fetcher: Fetcher::new(LIMIT),
            objects: Objects::default(),
            readings: follower.readings(),
            writer: Writer::new(place.client.clone(), &place.namespace),
            metrics,
            work: Work::default(),
        }
    }

    /// Runs until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut events = objects::watch(self.writer.client());
        while !stop.is_cancelled() {
            let held = self.leadership.holds();
            let wait = if held {
                self.turn(clock::now()).await
            } else {
                self.forget();
                IDLE
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.leadership.changed_from(held) => {}
                Some(event) = futures::StreamExt::next(&mut events) => self.objects.take(event),
                Ok(()) = self.readings.changed() => {}
                Some(done) = self.work.running.join_next() => match done {
                    Ok(done) => self.done(done, clock::now()),
                    // Which it was is not known: what is fetched twice does no harm.
                    Err(_) => self.work.fetching.clear(),
                },
                () = sleep(wait) => {}
            }
        }
    }

    /// Another replica fetches from now on.
    fn forget(&mut self) {
        let kept = self.work.keeping.take().unwrap_or_default();
        for domain in kept.bundles().keys() {
            self.metrics.clear(domain);
        }
        self.work = Work::default();
    }

    /// Tells how long to wait.
    async fn turn(&mut self, now: Timestamp) -> Duration {
        let Some(seen) = self.objects.listed().cloned() else {
            return IDLE;
        };
        let Reading::Read(there) = self.readings.borrow_and_update().clone() else {
            return IDLE;
        };
        let read = || there.as_ref().map(|there| Keeping::read(&self.trust_domain, there));
        self.work.keeping.get_or_insert_with(|| read().unwrap_or_default());
        let verdicts = verdicts(&self.trust_domain, seen.values());
        let mut holders = Vec::new();
        for (name, verdict) in &verdicts {
            if let (Some(seen), Ok(wanted)) = (seen.get(*name), verdict) {
                holders.push((seen, *wanted));
            }
        }
        self.drop_others(&holders);
        for (seen, wanted) in &holders {
            self.work.follow(seen, wanted, now);
            self.work.fetch(&self.fetcher, seen, wanted, now);
        }
        self.keep(there.as_deref()).await;
        let mut failed = self.work.unwritten.is_some();
        for (name, verdict) in &verdicts {
            let Some(seen) = seen.get(*name) else { continue };
            failed |= !self.tell(seen, verdict, now).await;
        }
        if failed { AGAIN } else { self.work.wait(now) }
    }

    /// Writes what is kept to where all replicas have it from.
    async fn keep(&mut self, there: Option<&ConfigMap>) {
        let Some(keeping) = &self.work.keeping else { return };
        self.work.unwritten = match self.writer.keep(&self.leadership, keeping, there).await {
            Ok(()) => None,
            Err(error) => {
                warn!(error, "the bundles of foreign trust domains cannot be kept");
                let why = format!(
                    "the ConfigMap {CONFIG_MAP} in the signer's namespace, from which all replicas and workloads have it, \
                     cannot be written: {error}"
                );
                Some(Problem::new("CannotKeep", why))
            }
        };
    }

    /// Forgets what no object asks for.
    fn drop_others(&mut self, holders: &[(&Seen, &Wanted)]) {
        let uids: BTreeSet<&str> = holders.iter().map(|(seen, _)| seen.uid.as_str()).collect();
        let domains: BTreeSet<&TrustDomain> = holders.iter().map(|(_, wanted)| &wanted.domain).collect();
        self.work.tracks.retain(|uid, _| uids.contains(uid.as_str()));
        self.work.unkept.retain(|uid, _| uids.contains(uid.as_str()));
        let Some(keeping) = &mut self.work.keeping else { return };
        for domain in keeping.bundles().keys() {
            if !domains.contains(domain) {
                info!(trust_domain = %domain, "forgets the bundle of a foreign trust domain: no object asks for it");
                self.metrics.clear(domain);
            }
        }
        keeping.retain(|domain| domains.contains(domain));
    }

    /// Takes in what a fetch brought.
    fn done(&mut self, done: Done, now: Timestamp) {
        self.work.fetching.remove(&done.uid);
        let listed = self.objects.listed();
        let seen = listed.and_then(|objects| objects.values().find(|seen| seen.uid == done.uid));
        let Some(Seen { wanted: Ok(wanted), .. }) = seen else {
            return;
        };
        let (Some(track), Some(keeping)) = (self.work.tracks.get_mut(&done.uid), self.work.keeping.as_mut()) else {
            return;
        };
        if track.generation != done.generation || seen.map(|seen| seen.generation) != Some(done.generation) {
            return;
        }
        let taken = done
            .answer
            .map_err(Problem::from)
            .and_then(|answer| accept(keeping.get(&wanted.domain), wanted, answer));
        let outcome = match taken {
            Ok(None) => Outcome::Unchanged,
            Ok(Some((stored, note))) => {
                track.note = note;
                let kept = put(keeping, stored);
                match kept {
                    Ok(()) => self.work.unkept.remove(&done.uid),
                    Err(problem) => self.work.unkept.insert(done.uid.clone(), problem),
                };
                Outcome::Fetched
            }
            Err(problem) => {
                let rate = rate(wanted, keeping);
                if track.problem.as_ref() != Some(&problem) {
                    warn!(trust_domain = %wanted.domain, why = problem.message, "a foreign bundle cannot be fetched");
                }
                track.failed(problem, rate, jitter(), now);
                self.metrics.count(&wanted.domain, Outcome::Failed, now);
                return;
            }
        };
        track.fetched(rate(wanted, keeping), jitter(), now);
        self.metrics.count(&wanted.domain, outcome, now);
    }

    /// Writes a status, if it changed. Tells whether it says what it should.
    async fn tell(&self, seen: &Seen, verdict: &Result<&Wanted, Problem>, now: Timestamp) -> bool {
        let keeping = self.work.keeping.as_ref();
        let domain = verdict.as_ref().ok().map(|wanted| &wanted.domain);
        let bundle: Option<&Bundle> = domain.and_then(|domain| Some(&keeping?.get(domain)?.bundle));
        let view = View {
            seen,
            verdict,
            track: self.work.tracks.get(&seen.uid),
            bundle,
            unkept: self.work.unkept.get(&seen.uid).or(self.work.unwritten.as_ref()),
        };
        let wanted = status(&view, now);
        if seen.status.as_ref() == Some(&wanted) || !self.leadership.holds() {
            return true;
        }
        match self.writer.tell(seen, &wanted).await {
            Ok(()) => true,
            Err(error) => {
                warn!(
                    name = seen.name,
                    error, "the status of a FederatedTrustDomain cannot be written"
                );
                false
            }
        }
    }
}

impl Work {
    /// Knows of an object, and of its changes.
    fn follow(&mut self, seen: &Seen, wanted: &Wanted, now: Timestamp) {
        if let Some(track) = self.tracks.get_mut(&seen.uid) {
            if track.generation != seen.generation {
                track.changed(seen.generation, now);
            }
            return;
        }
        let keeping = self.keeping.as_ref();
        let kept = keeping.and_then(|keeping| keeping.get(&wanted.domain));
        let status = seen.status.as_ref();
        // What was fetched by another replica, or before a restart, as the object is now.
        let fetched = status
            .filter(|status| status.observed_generation == seen.generation)
            .and_then(|status| status.refreshed_at.as_ref())
            .filter(|_| kept.is_some_and(|kept| kept.url == wanted.url));
        let rate = keeping.map_or(SignedDuration::ZERO, |keeping| rate(wanted, keeping));
        let track = Track::begin(seen.generation, fetched.map(|at| at.0), rate, now);
        self.tracks.insert(seen.uid.clone(), track);
    }

    /// Fetches what is due.
    fn fetch(&mut self, fetcher: &Fetcher, seen: &Seen, wanted: &Wanted, now: Timestamp) {
        let due = self.tracks.get(&seen.uid).is_some_and(|track| track.is_due(now));
        if !due || self.running.len() >= AT_ONCE || !self.fetching.insert(seen.uid.clone()) {
            return;
        }
        let kept = self.keeping.as_ref().and_then(|keeping| keeping.get(&wanted.domain));
        // A tag is of one endpoint.
        let kept = kept.filter(|kept| kept.url == wanted.url);
        let request = Request {
            url: wanted.url.clone(),
            ca_bundle: wanted.ca_bundle.clone(),
            etag: kept.and_then(|kept| kept.etag.clone()),
        };
        let (fetcher, uid, generation) = (fetcher.clone(), seen.uid.clone(), seen.generation);
        self.running.spawn(async move {
            let answer = fetcher.fetch(&request).await;
            Done {
                uid,
                generation,
                answer,
            }
        });
    }

    /// How long nothing is due.
    fn wait(&self, now: Timestamp) -> Duration {
        // What is under way tells by itself when it ends.
        let waiting = self.tracks.iter().filter(|(uid, _)| !self.fetching.contains(*uid));
        let due = waiting.map(|(_, track)| track.due()).min();
        let wait = due.map_or(SignedDuration::MAX, |due| due.duration_since(now));
        Duration::try_from(wait)
            .unwrap_or_default()
            .clamp(Duration::from_secs(1), IDLE)
    }
}

fn put(keeping: &mut Keeping, stored: Stored) -> Result<(), Problem> {
    if keeping.get(stored.bundle.trust_domain()).map(|before| &before.bundle) != Some(&stored.bundle) {
        info!(
            trust_domain = %stored.bundle.trust_domain(),
            roots = stored.bundle.roots().count(),
            jwt_keys = stored.bundle.jwt_keys().count(),
            sequence = stored.bundle.sequence,
            "took a new bundle of a foreign trust domain"
        );
    }
    keeping
        .put(stored)
        .map_err(|error| Problem::new("NoRoom", error.to_string()))
}

fn rate(wanted: &Wanted, keeping: &Keeping) -> SignedDuration {
    let kept = keeping.get(&wanted.domain);
    interval(wanted.refresh, kept.and_then(|kept| kept.bundle.refresh_hint))
}

/// Chance, in thousandths.
fn jitter() -> u16 {
    let mut bytes = [0; 2];
    // Without it all come at once, and that is all.
    let _ = rand::fill(&mut bytes);
    u16::from_be_bytes(bytes) % 1001
}
