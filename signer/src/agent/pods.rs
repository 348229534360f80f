//! The Pods of this node, kept current by a watch.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::refusal::{Reason, Refusal};
use countersign_runtime::callers::PodView;

/// How long a Pod that is not known yet is waited for: its first process can be faster than the watch.
const PATIENCE: Duration = Duration::from_secs(5);

/// A Pod of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalPod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// All its containers have ended for good. One that is being deleted can still have work to end.
    pub ended: bool,
}

impl From<&Pod> for LocalPod {
    fn from(pod: &Pod) -> Self {
        let view = PodView::from(pod);
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        Self {
            namespace: view.account.namespace,
            name: view.name,
            uid: view.uid,
            ended: matches!(phase, Some("Succeeded" | "Failed")),
        }
    }
}

#[derive(Debug, Default)]
struct Known {
    by_uid: HashMap<String, Arc<LocalPod>>,
    listed: bool,
}

/// The Pods of this node. Clones are of one list.
#[derive(Clone, Debug, Default)]
pub struct Pods(watch::Sender<Known>);

impl Pods {
    /// The Pod of a UID. One that is not known is waited for, for a few seconds.
    ///
    /// # Errors
    ///
    /// If there is none, or it has ended.
    pub async fn find(&self, uid: &str) -> Result<Arc<LocalPod>, Refusal> {
        let mut known = self.0.subscribe();
        let found = timeout(PATIENCE, known.wait_for(|known| known.by_uid.contains_key(uid)));
        let pod = match found.await {
            Ok(Ok(known)) => known.by_uid.get(uid).cloned(),
            Ok(Err(_)) | Err(_) => None,
        };
        match pod {
            Some(pod) if pod.ended => Err(Refusal::new(Reason::PodEnded, "the calling Pod has ended")),
            Some(pod) => Ok(pod),
            None if self.listed() => Err(Refusal::new(
                Reason::UnknownPod,
                "the API server knows no Pod of this node with the caller's UID; static Pods have none",
            )),
            None => Err(Refusal::new(
                Reason::Unavailable,
                "the agent does not know the Pods of its node yet: try again",
            )),
        }
    }

    /// Whether all Pods of the node were read once.
    pub fn listed(&self) -> bool {
        self.0.borrow().listed
    }

    /// Takes in a Pod as it is now.
    pub fn insert(&self, pod: LocalPod) {
        self.0.send_if_modified(|known| {
            let changed = known.by_uid.get(&pod.uid).is_none_or(|before| **before != pod);
            known.by_uid.insert(pod.uid.clone(), Arc::new(pod));
            changed
        });
    }

    /// Takes in that a Pod is gone.
    pub fn remove(&self, uid: &str) {
        self.0.send_if_modified(|known| known.by_uid.remove(uid).is_some());
    }

    /// Takes in that these are all there are.
    pub fn retain(&self, listed: &HashSet<String>) {
        self.0.send_modify(|known| {
            known.by_uid.retain(|uid, _| listed.contains(uid));
            known.listed = true;
        });
    }

    /// Waits for a change, and gives the UIDs of the Pods that may have an identity.
    pub async fn changed(&self, since: &mut Changes) -> Option<HashSet<String>> {
        since.0.changed().await.ok()?;
        let known = since.0.borrow_and_update();
        let running = known.by_uid.values().filter(|pod| !pod.ended);
        Some(running.map(|pod| pod.uid.clone()).collect())
    }

    /// The changes from now on.
    pub fn changes(&self) -> Changes {
        Changes(self.0.subscribe())
    }

    /// Follows the Pods of a node until `stop`. The client needs the right to list and watch Pods.
    pub async fn run(self, client: Client, node: &str, stop: CancellationToken) {
        let config = watcher::Config::default().fields(&format!("spec.nodeName={node}"));
        let mut events = watcher(Api::<Pod>::all(client), config).default_backoff().boxed();
        let mut listed = HashSet::new();
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = stop.cancelled() => return,
            };
            match event {
                Some(Ok(event)) => self.take(event, &mut listed),
                Some(Err(error)) => warn!(%error, "the watch of the node's Pods broke off"),
                None => return,
            }
        }
    }

    fn take(&self, event: Event<Pod>, listed: &mut HashSet<String>) {
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(pod) => {
                let pod = LocalPod::from(&pod);
                listed.insert(pod.uid.clone());
                self.insert(pod);
            }
            Event::InitDone => {
                if !self.listed() {
                    info!(pods = listed.len(), "read the Pods of the node");
                }
                self.retain(listed);
            }
            Event::Apply(pod) => self.insert(LocalPod::from(&pod)),
            Event::Delete(pod) => self.remove(&LocalPod::from(&pod).uid),
        }
    }
}

/// Changes of the list.
#[derive(Debug)]
pub struct Changes(watch::Receiver<Known>);

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(uid: &str, ended: bool) -> LocalPod {
        LocalPod {
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
            uid: uid.to_owned(),
            ended,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pod_that_is_late_is_waited_for() {
        let pods = Pods::default();
        pods.retain(&HashSet::new());
        let later = pods.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(2)).await;
            later.insert(pod("u1", false));
        });
        assert_eq!(pods.find("u1").await.unwrap().uid, "u1");
        let refusal = pods.find("u2").await.unwrap_err();
        assert_eq!(refusal.reason, Reason::UnknownPod);
    }

    #[tokio::test(start_paused = true)]
    async fn before_the_first_list_nobody_is_unknown() {
        let refusal = Pods::default().find("u1").await.unwrap_err();
        assert_eq!(refusal.reason, Reason::Unavailable);
    }

    #[tokio::test]
    async fn one_that_ended_is_refused_and_one_that_is_gone_is_forgotten() {
        let pods = Pods::default();
        let mut changes = pods.changes();
        pods.insert(pod("u1", true));
        pods.insert(pod("u2", false));
        assert_eq!(pods.find("u1").await.unwrap_err().reason, Reason::PodEnded);
        assert_eq!(pods.changed(&mut changes).await, Some(HashSet::from(["u2".to_owned()])));
        pods.retain(&HashSet::from(["u1".to_owned()]));
        assert_eq!(pods.changed(&mut changes).await, Some(HashSet::new()));
    }

    #[test]
    fn one_that_is_being_deleted_has_not_ended() {
        let of = |deleting: bool, phase: &str| {
            let mut metadata = serde_json::json!({"name": "web", "namespace": "shop", "uid": "u1"});
            if deleting {
                metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
            }
            let pod = serde_json::json!({"metadata": metadata, "status": {"phase": phase}});
            LocalPod::from(&serde_json::from_value::<Pod>(pod).unwrap()).ended
        };
        assert!(!of(false, "Running"));
        assert!(!of(true, "Running"));
        assert!(of(false, "Failed"));
        assert!(of(true, "Failed"));
    }
}
