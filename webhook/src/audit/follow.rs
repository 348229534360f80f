//! Follows one kind: reads all of it once, then what changes. Each object is scanned and let go.

use std::sync::Arc;
use std::time::Duration;

use countersign_runtime::clock;
use countersign_scan::{Finding, Node, read_json};
use futures::StreamExt as _;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Api, Client};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Sender;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::kinds::{Kind, KindId};
use super::metrics::AuditMetrics;
use super::object::RawObject;
use crate::answer::State;

/// How many objects are asked for at once: each may have more than a megabyte.
const PAGE: u32 = 100;
/// How many kinds are read at the same time.
const LISTS: usize = 2;
/// How long a kind that may not be read, or is gone, is left alone.
const ABSENCE: Duration = Duration::from_mins(1);

/// The name of an object within its kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Name {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// What a look at an object came to.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) uid: String,
    pub(super) findings: Vec<Finding>,
    /// The object itself, if it is a waiver.
    pub(super) waiver: Option<Box<Value>>,
}

/// What is told of a kind.
#[derive(Debug)]
pub(super) enum Told {
    /// All objects of it follow.
    Listing(KindId),
    /// An object is like this.
    Seen(KindId, Name, Look),
    /// An object is gone.
    Gone(KindId, Name),
    /// That was all; what was not among it is gone.
    Listed(KindId),
    /// It cannot be read now: what is known of it stays.
    Unreadable(KindId),
}

/// What the followers of all kinds share.
pub(super) struct Followers {
    pub(super) client: Client,
    pub(super) state: Arc<State>,
    /// Whether objects are scanned, or waivers only read.
    pub(super) scans: bool,
    pub(super) metrics: AuditMetrics,
    lists: Semaphore,
    /// One object is scanned at a time: an audit has time, and requests have not.
    turn: Arc<Semaphore>,
}

impl Followers {
    pub(super) fn new(client: Client, state: Arc<State>, metrics: AuditMetrics, scans: bool) -> Self {
        Self {
            client,
            state,
            metrics,
            scans,
            lists: Semaphore::new(LISTS),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Follows a kind for as long as somebody listens.
    pub(super) async fn follow(self: Arc<Self>, kind: Kind, to: Sender<Told>) {
        loop {
            let ended = self.follow_until_broken(&kind, &to).await;
            if ended.is_none() || to.send(Told::Unreadable(kind.id())).await.is_err() {
                return;
            }
            sleep(ABSENCE).await;
        }
    }

    /// Returns when the kind cannot be read; `None` if nobody listens.
    async fn follow_until_broken(&self, kind: &Kind, to: &Sender<Told>) -> Option<()> {
        let api = Api::<RawObject>::all_with(self.client.clone(), &kind.resource);
        let config = Config::default().page_size(PAGE);
        let mut events = watcher(api, config).default_backoff().boxed();
        let mut reading = None;
        while let Some(event) = events.next().await {
            let told = match event {
                Ok(Event::Init) => {
                    reading = self.lists.acquire().await.ok();
                    Told::Listing(kind.id())
                }
                Ok(Event::InitDone) => {
                    reading = None;
                    Told::Listed(kind.id())
                }
                Ok(Event::InitApply(object) | Event::Apply(object)) => {
                    let name = name(&object);
                    Told::Seen(kind.id(), name, self.look(kind, object).await?)
                }
                Ok(Event::Delete(object)) => Told::Gone(kind.id(), name(&object)),
                Err(error) if refused(&error) => {
                    warn!(kind = kind.resource.plural, group = kind.resource.group, %error, "a kind cannot be audited");
                    return Some(());
                }
                Err(error) => {
                    debug!(kind = kind.resource.plural, %error, "a watch broke off");
                    // Another kind is read in the meantime.
                    reading = None;
                    continue;
                }
            };
            to.send(told).await.ok()?;
        }
        drop(reading);
        Some(())
    }

    /// Looks into an object. `None` only if the process ends.
    async fn look(&self, kind: &Kind, object: RawObject) -> Option<Look> {
        let mut look = Look {
            uid: object.uid().to_owned(),
            ..Look::default()
        };
        if kind.id() == super::waivers::kind() {
            look.waiver = serde_json::from_str(object.json()).ok();
        }
        if self.scans {
            let turn = Arc::clone(&self.turn).acquire_owned().await.ok()?;
            let state = Arc::clone(&self.state);
            let metrics = self.metrics.clone();
            let kind = kind.clone();
            let now = clock::now().as_second();
            let scanned = spawn_blocking(move || {
                let found = scan(&state, &metrics, &kind, &object, now);
                drop(turn);
                found
            });
            // A scan that panicked is a bug of one object, which must not end the audit of all.
            look.findings = scanned.await.unwrap_or_default();
        }
        Some(look)
    }
}

fn name(object: &RawObject) -> Name {
    Name {
        namespace: object.namespace().to_owned(),
        name: object.name().to_owned(),
    }
}

fn scan(state: &State, metrics: &AuditMetrics, kind: &Kind, object: &RawObject, now: i64) -> Vec<Finding> {
    metrics.scanned.inc();
    let Ok(Node::Object(mut members)) = read_json(object.json().as_bytes()) else {
        metrics.unreadable.inc();
        return Vec::new();
    };
    // Items of a list do not say what they are.
    for (name, value) in [
        ("kind", &kind.resource.kind),
        ("apiVersion", &kind.resource.api_version),
    ] {
        if !members.iter().any(|(member, _)| member == name) {
            members.insert(0, (name.into(), Node::String(value.as_str().into())));
        }
    }
    let node = Node::Object(members);
    if state.judge.is_owned(&kind.resource.group, &kind.resource.plural, &node) {
        return Vec::new();
    }
    state.judge.scanner().scan(&node, now)
}

/// Whether an error is the API server's word on the kind: it may not be read, or is not there.
fn refused(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => matches!(status.code, 403..=405),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
