//! What is seen of the operator's work, by watching the API server as Istio and users do.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::{StreamExt, TryStreamExt};
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::sync::{mpsc, watch};

use crate::until;

/// When something was seen, and what it said.
type Seen = (Instant, String);

/// Follows what admits callers, and which policies are ready.
pub struct Watches {
    changed: mpsc::UnboundedReceiver<Seen>,
    written: mpsc::UnboundedReceiver<Seen>,
    ready: watch::Receiver<usize>,
}

impl Watches {
    /// Starts to watch.
    pub fn start(client: Client) -> Self {
        let (seen_changed, changed) = mpsc::unbounded_channel();
        let (seen_written, written) = mpsc::unbounded_channel();
        let (count, ready) = watch::channel(0);
        tokio::spawn(follow_written(client.clone(), seen_written));
        tokio::spawn(follow_policies(client, seen_changed, count));
        Self {
            changed,
            written,
            ready,
        }
    }

    /// Waits until so many policies are ready.
    pub async fn until_ready(&self, policies: usize) -> Result<()> {
        let limit = Duration::from_mins(15);
        until(&format!("{policies} policies to be ready"), limit, async || {
            let ready = *self.ready.borrow();
            anyhow::ensure!(ready >= policies, "{ready} are");
            Ok(())
        })
        .await
    }

    /// Waits until a policy with a path was seen, and then the object that admits callers to it. Returns the time between.
    pub async fn written(&mut self, path: &str) -> Duration {
        let changed = find(&mut self.changed, path).await;
        let written = find(&mut self.written, path).await;
        // Two watches: the second may be ahead of the first by a moment.
        written.saturating_duration_since(changed)
    }
}

async fn find(seen: &mut mpsc::UnboundedReceiver<Seen>, path: &str) -> Instant {
    while let Some((when, text)) = seen.recv().await {
        if text.contains(path) {
            return when;
        }
    }
    std::future::pending().await
}

async fn follow_written(client: Client, seen: mpsc::UnboundedSender<Seen>) {
    let config = Config::default().labels("countersign.dev/role=allow").streaming_lists();
    let api = Api::<DynamicObject>::all_with(
        client,
        &resource(
            "security.istio.io",
            "v1",
            "AuthorizationPolicy",
            "authorizationpolicies",
        ),
    );
    let objects = watcher(api, config).default_backoff().applied_objects();
    let result = objects
        .try_for_each(|object| {
            // The time is taken before anything is done with the object.
            let when = Instant::now();
            let _ = seen.send((when, object.data["spec"]["rules"].to_string()));
            std::future::ready(Ok(()))
        })
        .await;
    eprintln!("bench: a watch ended: {result:?}");
}

async fn follow_policies(client: Client, seen: mpsc::UnboundedSender<Seen>, count: watch::Sender<usize>) {
    let api = Api::<DynamicObject>::all_with(
        client,
        &resource("countersign.dev", "v1alpha1", "ApiAuthPolicy", "apiauthpolicies"),
    );
    let config = Config::default().streaming_lists();
    let mut objects = watcher(api, config).default_backoff().applied_objects().boxed();
    let mut ready = HashSet::new();
    while let Ok(Some(object)) = objects.try_next().await {
        let _ = seen.send((Instant::now(), object.data["spec"]["rules"].to_string()));
        let conditions = object.data["status"]["conditions"].as_array();
        let is = conditions
            .into_iter()
            .flatten()
            .any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
        let name = (object.namespace().unwrap_or_default(), object.name_any());
        if is {
            ready.insert(name)
        } else {
            ready.remove(&name)
        };
        count.send_replace(ready.len());
    }
}

fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: format!("{group}/{version}"),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}
