//! Follows the cluster: one task per kind, each of which turns objects into facts and sends them to the one loop.

use std::sync::Arc;
use std::time::Duration;

use countersign_policy::world::ObjectName;
use futures::StreamExt;
use kube::core::{DynamicObject, PartialObjectMeta};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::Sender;
use tokio::time::sleep;
use tracing::{debug, warn};

use crate::fact::{self, Fact, Version};
use crate::kinds::Source;
use crate::metrics::{Failure, Metrics};

/// The first wait after an error, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// How long a kind that the cluster does not serve is left alone.
const ABSENCE: Duration = Duration::from_secs(5);

/// What a watch tells.
#[derive(Debug)]
pub enum Signal {
    /// A complete list follows: what is not in it no longer exists.
    Listing(Source),
    /// An object is like this.
    Seen(Source, ObjectName, Box<Fact>),
    /// An object no longer exists, as of this write.
    Gone(Source, ObjectName, Version),
    /// The list was complete.
    Listed(Source),
    /// The cluster does not serve the kind.
    NotServed(Source),
}

/// Follows one kind for as long as somebody listens.
pub async fn follow(client: Client, source: Source, streaming: bool, metrics: Arc<Metrics>, to: Sender<Signal>) {
    let resource = source.resource();
    if source.metadata_only() {
        let api = Api::<PartialObjectMeta<DynamicObject>>::all_with(client, &resource);
        let fact = move |object: &PartialObjectMeta<DynamicObject>| fact::of_metadata(source, &object.metadata);
        Follower { source, metrics, to }.run(api, streaming, fact).await;
    } else {
        let api = Api::<DynamicObject>::all_with(client, &resource);
        let fact = move |object: &DynamicObject| fact::of_object(source, object);
        Follower { source, metrics, to }.run(api, streaming, fact).await;
    }
}

struct Follower {
    source: Source,
    metrics: Arc<Metrics>,
    to: Sender<Signal>,
}

/// Nobody listens any more.
struct Closed;

impl Follower {
    async fn run<K>(self, api: Api<K>, streaming: bool, fact: impl Fn(&K) -> Option<Fact>)
    where
        K: Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
    {
        loop {
            // A new watcher begins with a list. The old one would resume where it broke off, and never tell that a kind
            // that had vanished is back.
            let mut stream = watcher(api.clone(), self.config(streaming)).boxed();
            let mut wait = BACKOFF.0;
            while let Some(event) = stream.next().await {
                let error = match event {
                    Ok(event) => {
                        wait = BACKOFF.0;
                        if self.tell(event, &fact).await.is_err() {
                            return;
                        }
                        continue;
                    }
                    Err(error) => error,
                };
                let gone = not_served(&error);
                self.report(&error, gone);
                if gone {
                    if self.to.send(Signal::NotServed(self.source)).await.is_err() {
                        return;
                    }
                    sleep(ABSENCE).await;
                    break;
                }
                sleep(wait).await;
                wait = (wait * 2).min(BACKOFF.1);
            }
        }
    }

    fn config(&self, streaming: bool) -> watcher::Config {
        let config = watcher::Config::default();
        let config = if streaming { config.streaming_lists() } else { config };
        match self.source.labels() {
            Some(labels) => config.labels(&labels),
            None => config,
        }
    }

    async fn tell<K: Resource>(&self, event: Event<K>, fact: impl Fn(&K) -> Option<Fact>) -> Result<(), Closed> {
        let source = self.source;
        let signal = match event {
            Event::Init => Signal::Listing(source),
            Event::InitDone => Signal::Listed(source),
            Event::Delete(object) => {
                let meta = object.meta();
                Signal::Gone(source, fact::name_of(meta), fact::version(meta))
            }
            Event::Apply(object) | Event::InitApply(object) => {
                let name = fact::name_of(object.meta());
                match fact(&object) {
                    Some(fact) => Signal::Seen(source, name, Box::new(fact)),
                    // An object that was ours and no longer says so is as good as gone.
                    None => Signal::Gone(source, name, fact::version(object.meta())),
                }
            }
        };
        self.to.send(signal).await.map_err(|_| Closed)
    }

    fn report(&self, error: &watcher::Error, not_served: bool) {
        if not_served {
            debug!(source = ?self.source, "the cluster does not serve this kind");
            return;
        }
        self.metrics.failed(Failure::Watch);
        warn!(source = ?self.source, %error, "a watch broke off");
    }
}

fn not_served(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 404,
        _ => false,
    }
}
