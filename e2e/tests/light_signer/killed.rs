//! Signers that are killed at any moment, and two that both believe to lead.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use kube::runtime::watcher::{Config, Event, watcher};
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use tokio::time::sleep;

use crate::cluster::{Cluster, SECRET};
use crate::kept::Kept;
use crate::process::Signer;

const ROUNDS: usize = 24;

/// All intermediates in the order in which they came into use.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    /// Follows the Secret, and reads each version of it.
    fn follow(cluster: &Cluster) -> (Self, tokio::task::JoinHandle<()>) {
        let seen = Self::default();
        let (api, noted) = (cluster.secrets(), seen.clone());
        let task = tokio::spawn(async move {
            let mut events = watcher(api, Config::default().fields(&format!("metadata.name={SECRET}"))).boxed();
            while let Some(event) = events.next().await {
                if let Ok(Event::Apply(secret) | Event::InitApply(secret)) = event {
                    noted.note(&Kept::read(&secret));
                }
            }
        });
        (seen, task)
    }

    fn note(&self, kept: &Kept) {
        let mut seen = self.0.lock().unwrap();
        if seen.last() != Some(&kept.signing()) {
            seen.push(kept.signing());
        }
    }

    /// Each came once: none took its place again after another.
    fn check(&self) -> usize {
        let seen = self.0.lock().unwrap();
        let different: BTreeSet<&String> = seen.iter().collect();
        assert_eq!(different.len(), seen.len(), "{seen:?}");
        seen.len()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs testbed run --light"]
async fn a_first_start_that_is_killed_leaves_one_authority_or_none() {
    let cluster = Cluster::turn().await;
    let mut rng = rand::rngs::StdRng::seed_from_u64(5);
    let mut begun = 0;
    for round in 0..ROUNDS {
        cluster.begin_anew().await;
        // The same name twice: each believes to lead.
        let first = Signer::spawn(&cluster, "one", 8091).await;
        let second = Signer::spawn(&cluster, "one", 8092).await;
        sleep(Duration::from_millis(rng.random_range(50..1500))).await;
        drop((first, second));
        let left = cluster.kept().await;
        begun += usize::from(left.is_some());
        let signer = Signer::start(&cluster).await;
        let kept = cluster.kept().await.unwrap();
        assert_eq!(kept.roots().count(), 1, "round {round}");
        if let Some(left) = left {
            assert_eq!(
                (kept.signing(), kept.under()),
                (left.signing(), left.under()),
                "round {round}"
            );
        }
        drop(signer);
    }
    assert!(
        (1..ROUNDS).contains(&begun),
        "{begun} of {ROUNDS} were killed after the authority was kept"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs testbed run --light"]
async fn rotations_that_are_killed_are_taken_whole_or_not_at_all() {
    let cluster = Cluster::turn().await;
    let mut rng = rand::rngs::StdRng::seed_from_u64(6);
    let spec = json!({"intermediate": {"duration": "3h"}, "root": {"duration": "100h"}, "propagation": "1s"});
    cluster.ask(&spec, &json!({})).await;
    drop(Signer::start(&cluster).await);
    let (seen, task) = Seen::follow(&cluster);
    let before = cluster.kept().await.unwrap();
    for round in 0..ROUNDS {
        let asked = round.to_string();
        let root = (round / 4).to_string();
        let annotations = json!({"countersign.dev/rotate-root": root, "countersign.dev/rotate-intermediate": asked});
        cluster.ask(&spec, &annotations).await;
        let first = Signer::spawn(&cluster, "one", 8091).await;
        let second = Signer::spawn(&cluster, "one", 8092).await;
        sleep(Duration::from_millis(rng.random_range(100..2500))).await;
        drop((first, second));
        assert!(cluster.kept().await.is_some());
    }
    let signer = Signer::start(&cluster).await;
    let last = (ROUNDS - 1).to_string();
    let kept = cluster
        .until_kept("all that was asked for to be done", |kept| {
            let done = &kept.state["rotatedFor"];
            done["intermediate"] == last.as_str()
                && done["root"] == "5"
                && kept.roots().all(|root| root["state"] != "Published")
        })
        .await;
    assert_ne!(kept.under(), before.under());
    signer.until("/readyz", "ok").await;
    task.abort();
    let intermediates = seen.check();
    assert!(
        intermediates > ROUNDS / 4,
        "only {intermediates} intermediates were seen"
    );
    let logged = signer.logged();
    for secret in kept.secrets().iter().chain(&before.secrets()) {
        assert!(!logged.contains(secret), "a private key was logged");
    }
    signer.stop().await;
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn another_replica_signs_with_the_same_and_takes_over() {
    let cluster = Cluster::turn().await;
    let spec = json!({"intermediate": {"duration": "3h"}, "root": {"duration": "100h"}, "propagation": "1s"});
    cluster.ask(&spec, &json!({})).await;
    let first = Signer::start(&cluster).await;
    let second = Signer::spawn(&cluster, "two", 8092).await;
    second.until("/readyz", "ok").await;
    let before = cluster.kept().await.unwrap();
    drop(first);
    cluster
        .ask(&spec, &json!({"countersign.dev/rotate-intermediate": "now"}))
        .await;
    let kept = cluster
        .until_kept("the other replica to rotate", |kept| kept.signing() != before.signing())
        .await;
    assert_eq!(kept.under(), before.under());
    second.stop().await;
}
