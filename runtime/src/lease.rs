//! Leader election: of all replicas, one writes.
//!
//! The rules are those of client-go. A holder renews its Lease every two seconds, and stops by itself when it could not
//! for [`RENEW_LIMIT`], which is well before another replica may take over. How old a Lease is, each replica judges by
//! its own monotonic clock, from when it last saw the Lease change: clocks of different machines are never compared.
//! Every write carries the resource version that it was based on, so of two replicas that reach out at once, one loses.
//!
//! A replica that loses the Lease goes back to standby instead of ending: dropping its futures stops its writes at once,
//! what it watches stays current, and an API server that is away for a minute costs no restart.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::clock;

/// How long a Lease holds without being renewed.
const DURATION: Duration = Duration::from_secs(15);
/// How long its holder goes on without having renewed it.
const RENEW_LIMIT: Duration = Duration::from_secs(10);
/// How often it is renewed, or tried for.
const PERIOD: Duration = Duration::from_secs(2);

/// Until when this replica may write.
#[derive(Clone, Debug)]
pub struct Leadership(watch::Receiver<Option<Instant>>);

impl Leadership {
    /// Whether this replica may write now. A process that was stopped for a while sees here that its time is over,
    /// before any timer of its own has fired.
    pub fn holds(&self) -> bool {
        self.0.borrow().is_some_and(|until| clock::instant() < until)
    }

    /// Waits for the answer to change from `held`.
    pub async fn changed_from(&mut self, held: bool) {
        loop {
            let until = *self.0.borrow_and_update();
            let now = until.is_some_and(|until| clock::instant() < until);
            if now != held {
                return;
            }
            let over = async {
                match until {
                    Some(until) if held => tokio::time::sleep_until(until).await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = self.0.changed() => if changed.is_err() { std::future::pending::<()>().await },
                () = over => {}
            }
        }
    }
}

/// Which Lease is competed for.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its namespace: that of the replicas.
    pub namespace: String,
    /// Its name.
    pub name: &'static str,
    /// Its field manager: one that writes nothing else, so that neither owns the other's fields.
    pub field_manager: &'static str,
}

/// Competes for the Lease until `stop`, and gives it back then.
pub struct Elector {
    api: Api<Lease>,
    place: Place,
    identity: String,
    until: watch::Sender<Option<Instant>>,
    /// The Lease as seen last, and since when it has been like this.
    seen: Option<(Lease, Instant)>,
}

/// What became of one try.
enum Try {
    Held,
    OfAnother,
}

impl Elector {
    /// Makes a candidate, and what tells whether it was elected.
    pub fn new(client: Client, place: Place, identity: String) -> (Self, Leadership) {
        let (until, receiver) = watch::channel(None);
        (
            Self {
                api: Api::namespaced(client, &place.namespace),
                place,
                identity,
                until,
                seen: None,
            },
            Leadership(receiver),
        )
    }

    /// Competes until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let started = clock::instant();
            // A renewal that hangs must not outlast the Lease; a new candidate has no such hurry.
            let limit = self
                .until
                .borrow()
                .unwrap_or(started + RENEW_LIMIT)
                .max(started + PERIOD);
            let result = tokio::select! {
                result = timeout_at(limit, self.attempt()) => result,
                () = stop.cancelled() => break,
            };
            self.judge(started, result);
            tokio::select! {
                () = sleep(PERIOD) => {}
                () = stop.cancelled() => {}
            }
        }
        self.release().await;
    }

    fn judge(&mut self, started: Instant, result: Result<Result<Try, kube::Error>, tokio::time::error::Elapsed>) {
        let held = self.until.borrow().is_some();
        match result {
            Ok(Ok(Try::Held)) => {
                if !held {
                    info!(identity = self.identity, "leads");
                }
                self.until.send_replace(Some(started + RENEW_LIMIT));
                return;
            }
            Ok(Ok(Try::OfAnother)) => {
                if held {
                    warn!(identity = self.identity, "another replica took the Lease");
                }
                self.until.send_replace(None);
                return;
            }
            Ok(Err(error)) => {
                // What is known of the Lease may be out of date: read it again.
                self.seen = self.seen.take().filter(|_| !held);
                debug!(%error, "the Lease could not be renewed or taken");
            }
            Err(_) => debug!("the API server does not answer about the Lease"),
        }
        if held && self.until.borrow().is_some_and(|until| clock::instant() >= until) {
            warn!(
                identity = self.identity,
                "lost the Lease: it could not be renewed in time"
            );
            self.until.send_replace(None);
        }
    }

    async fn attempt(&mut self) -> Result<Try, kube::Error> {
        let known = self
            .seen
            .as_ref()
            .filter(|_| self.until.borrow().is_some())
            .map(|(lease, _)| lease.clone());
        let lease = match known {
            Some(lease) => lease,
            None => match self.api.get_opt(self.place.name).await? {
                Some(lease) => self.saw(lease),
                None => return self.create().await,
            },
        };
        if !self.may_take(&lease) {
            return Ok(Try::OfAnother);
        }
        let next = self.claimed(&lease, clock::precise());
        let written = self.api.replace(self.place.name, &self.params(), &next).await?;
        self.saw(written);
        Ok(Try::Held)
    }

    fn params(&self) -> PostParams {
        PostParams {
            field_manager: Some(self.place.field_manager.to_owned()),
            dry_run: false,
        }
    }

    /// Remembers a Lease, and when it changed.
    fn saw(&mut self, lease: Lease) -> Lease {
        let version = |lease: &Lease| lease.metadata.resource_version.clone();
        if self
            .seen
            .as_ref()
            .is_none_or(|(seen, _)| version(seen) != version(&lease))
        {
            self.seen = Some((lease.clone(), clock::instant()));
        }
        lease
    }

    fn may_take(&self, lease: &Lease) -> bool {
        let holder = lease
            .spec
            .as_ref()
            .and_then(|spec| spec.holder_identity.as_deref())
            .unwrap_or_default();
        let expired = self
            .seen
            .as_ref()
            .is_none_or(|(_, since)| clock::instant() >= *since + lifetime(lease));
        holder.is_empty() || holder == self.identity || expired
    }

    fn claimed(&self, lease: &Lease, now: Timestamp) -> Lease {
        let old = lease.spec.clone().unwrap_or_default();
        let mine = old.holder_identity.as_deref() == Some(self.identity.as_str());
        let spec = LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: if mine { old.acquire_time } else { Some(MicroTime(now)) },
            renew_time: Some(MicroTime(now)),
            lease_transitions: Some(old.lease_transitions.unwrap_or(0).saturating_add(i32::from(!mine))),
            ..old
        };
        Lease {
            metadata: lease.metadata.clone(),
            spec: Some(spec),
        }
    }

    async fn create(&mut self) -> Result<Try, kube::Error> {
        let metadata = ObjectMeta {
            name: Some(self.place.name.to_owned()),
            ..ObjectMeta::default()
        };
        let lease = self.claimed(&Lease { metadata, spec: None }, clock::precise());
        let written = self.api.create(&self.params(), &lease).await?;
        self.saw(written);
        Ok(Try::Held)
    }

    /// Gives the Lease back, so that the next replica need not wait for it to run out.
    async fn release(mut self) {
        let held = self.until.send_replace(None).is_some();
        let Some((mut lease, _)) = self.seen.take().filter(|_| held) else {
            return;
        };
        if let Some(spec) = lease.spec.as_mut() {
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
        }
        let params = self.params();
        let write = self.api.replace(self.place.name, &params, &lease);
        match timeout_at(clock::instant() + PERIOD, write).await {
            Ok(Ok(_)) => info!(identity = self.identity, "gave the Lease back"),
            Ok(Err(error)) => warn!(%error, "the Lease could not be given back"),
            Err(_) => warn!("the Lease could not be given back in time"),
        }
    }
}

fn lifetime(lease: &Lease) -> Duration {
    let seconds = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
    seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map_or(DURATION, Duration::from_secs)
}
