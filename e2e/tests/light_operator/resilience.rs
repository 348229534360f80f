//! Silence, restarts, kills, an API server that is away, and replicas that take over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::ensure;
use e2e::wait_for;
use futures::{StreamExt, TryStreamExt};
use kube::api::DynamicObject;
use kube::runtime::watcher::{self, Event};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::cluster::{Cluster, admits, identity, policy, policy_with, service};
use crate::process::Operator;

/// How the operator calls itself to the API server.
const AGENT: &str = "countersign-operator/";

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn when_nothing_changes_nothing_is_written() {
    const NAMESPACES: usize = 50;
    const EACH: usize = 20;
    const POLICIES: usize = NAMESPACES * EACH;
    let cluster = Cluster::turn().await;
    let operator = Operator::start(&cluster).await;
    let others = ready_policies(&operator).await;
    let mut shops = Vec::new();
    for _ in 0..NAMESPACES {
        shops.push(cluster.shop("silence").await);
    }
    let policies: Vec<_> = (0..POLICIES)
        .map(|number| policy(shops[number % NAMESPACES].name(), &format!("p{number}"), "/v1"))
        .collect();
    futures::stream::iter(policies)
        .for_each_concurrent(16, |policy| async {
            cluster.apply(policy).await;
        })
        .await;
    wait_for("all policies to be ready", Duration::from_mins(3), || async {
        let ready = ready_policies(&operator).await - others;
        ensure!(ready == POLICIES, "{ready} are");
        Ok(())
    })
    .await
    .unwrap();
    let before = writes(&cluster);
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(new_writes(&cluster, &before), [""; 0], "within 60 s");

    assert!(operator.stop().await);
    let operator = Operator::start(&cluster).await;
    operator.until_leader().await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(new_writes(&cluster, &before), [""; 0], "after a restart");
    println!("{POLICIES} policies: {} MiB resident", operator.resident() / 1024);
    assert!(operator.stop().await);
}

async fn ready_policies(operator: &Operator) -> usize {
    let metrics = operator.ask("/metrics").await.unwrap();
    let mut lines = metrics.lines();
    let count = lines.find_map(|line| line.strip_prefix(r#"countersign_policies{ready="True"} "#));
    count.unwrap().parse().unwrap()
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn killed_at_any_moment_it_never_opens() {
    const ROUNDS: u64 = 50;
    const POLICIES: u64 = 8;
    let cluster = Cluster::turn().await;
    let shop = cluster.shop("kill").await;
    let seen = Arc::new(Mutex::new(Seen::default()));
    let watch = tokio::spawn(follow(
        cluster.api("AuthorizationPolicy", shop.name()),
        Arc::clone(&seen),
    ));
    for number in 0..POLICIES {
        cluster.apply(policy(shop.name(), &format!("p{number}"), "/g0")).await;
    }
    let operator = Operator::start(&cluster).await;
    wait_for("everything to be written once", Duration::from_secs(30), || async {
        let objects = cluster.list("AuthorizationPolicy", shop.name()).await.len() as u64;
        ensure!(objects == 2 * POLICIES, "{objects} objects");
        Ok(())
    })
    .await
    .unwrap();
    operator.kill();

    let mut dice = Dice(7);
    let mut last = 0;
    for _ in 0..ROUNDS {
        let operator = Operator::start(&cluster).await;
        let end = Instant::now() + Duration::from_millis(dice.roll(400));
        while Instant::now() < end {
            last += 1;
            let name = format!("p{}", dice.roll(POLICIES));
            // One in four names a target that does not exist, and must not open anything by that.
            let mut spec = admits(&format!("/g{last}"));
            if dice.roll(4) == 0 {
                spec["rules"][0]["callers"] = json!([{"serviceIdentity": {"name": "nobody"}}]);
                spec["typo"] = json!(true);
            }
            cluster.apply(policy_with(shop.name(), &name, &spec)).await;
            tokio::time::sleep(Duration::from_millis(dice.roll(30))).await;
        }
        operator.kill();
    }
    let operator = Operator::start(&cluster).await;
    for number in 0..POLICIES {
        last += 1;
        let api = cluster
            .apply(policy(shop.name(), &format!("p{number}"), &format!("/g{last}")))
            .await;
        cluster.until_ready(&api, "True", "Enforcing").await;
    }
    watch.abort();
    let seen = seen.lock().unwrap();
    println!("{ROUNDS} kills, {last} changes, {} events watched", seen.events);
    assert!(seen.events > ROUNDS, "the watch saw too little to say anything");
    assert_eq!(seen.problems, [""; 0]);
    drop(operator);
}

/// What a watch of the mesh's objects saw, in their order.
#[derive(Default)]
struct Seen {
    events: u64,
    denies: BTreeMap<String, Value>,
    allows: BTreeMap<String, u64>,
    problems: Vec<String>,
}

impl Seen {
    fn take(&mut self, object: &DynamicObject, gone: bool) {
        self.events += 1;
        let of = |key: &str| {
            object
                .metadata
                .labels
                .as_ref()
                .and_then(|labels| labels.get(key))
                .cloned()
                .unwrap_or_default()
        };
        let policy = of("countersign.dev/policy-uid");
        match of("countersign.dev/role").as_str() {
            "deny" => {
                let spec = object.data["spec"].clone();
                let before = self.denies.insert(policy.clone(), spec.clone());
                if gone || before.is_some_and(|before| before != spec) || spec.get("rules").is_some() {
                    self.problems
                        .push(format!("the deny of {policy} is gone or changed: {spec}"));
                }
            }
            "allow" if gone => drop(self.allows.remove(&policy)),
            "allow" => {
                let generation = generation(&object.data["spec"]);
                let newest = self.allows.entry(policy.clone()).or_insert(0);
                if generation < *newest {
                    self.problems
                        .push(format!("{policy} admits /g{generation} again, after /g{newest}"));
                }
                *newest = generation;
                if !self.denies.contains_key(&policy) {
                    self.problems.push(format!("{policy} admits before it denies"));
                }
            }
            role => self.problems.push(format!("an object in role {role}")),
        }
    }
}

/// The one path that a policy of the test admits.
fn generation(spec: &Value) -> u64 {
    let paths = &spec["rules"][0]["to"][0]["operation"]["paths"];
    let only = spec["rules"].as_array().map(Vec::len) == Some(1) && paths.as_array().map(Vec::len) == Some(1);
    assert!(only, "wider than any policy was: {spec}");
    paths[0].as_str().unwrap().trim_start_matches("/g").parse().unwrap()
}

async fn follow(api: kube::Api<DynamicObject>, seen: Arc<Mutex<Seen>>) {
    let events = watcher::watcher(api, watcher::Config::default());
    let result = events
        .try_for_each(|event| {
            match event {
                Event::Apply(object) | Event::InitApply(object) => seen.lock().unwrap().take(&object, false),
                Event::Delete(object) => seen.lock().unwrap().take(&object, true),
                Event::Init | Event::InitDone => {}
            }
            std::future::ready(Ok(()))
        })
        .await;
    seen.lock()
        .unwrap()
        .problems
        .push(format!("the watch ended: {result:?}"));
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn an_api_server_that_is_away_is_waited_for() {
    let cluster = Cluster::turn().await;
    let shop = cluster.shop("away").await;
    let mut operator = Operator::start(&cluster).await;
    let api = cluster.apply(policy(shop.name(), "api", "/v1")).await;
    cluster.until_ready(&api, "True", "Enforcing").await;

    let server = Stopped::all("kube-apiserver");
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(operator.ask("/healthz").await.unwrap().contains("ok"));
    drop(server);
    wait_for("the API server to be back", Duration::from_secs(30), || async {
        Ok(cluster.api("ApiAuthPolicy", shop.name()).get("api").await?)
    })
    .await
    .unwrap();

    let api = cluster.apply(policy(shop.name(), "api", "/v2")).await;
    cluster.until_ready(&api, "True", "Enforcing").await;
    let allow = cluster.role(&api, "allow").await.unwrap();
    assert!(allow["spec"].to_string().contains("/v2"), "{allow}");
    assert!(operator.runs(), "it neither crashed nor restarted");
    assert!(operator.stop().await);
}

/// Processes of the testbed that stand still until this is dropped.
struct Stopped(Vec<Pid>);

impl Stopped {
    fn all(name: &str) -> Self {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let pids: Vec<_> = processes
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name))
            .map(Pid::from_raw)
            .collect();
        assert!(!pids.is_empty(), "no process is called {name}");
        for pid in &pids {
            kill(*pid, Signal::SIGSTOP).unwrap();
        }
        Self(pids)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for pid in &self.0 {
            kill(*pid, Signal::SIGCONT).unwrap();
        }
    }
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn another_replica_takes_over() {
    let cluster = Cluster::turn().await;
    let shop = cluster.shop("replicas").await;
    let one = Operator::spawn(&cluster, "one", 8081).await;
    one.until_leader().await;
    let two = Operator::spawn(&cluster, "two", 8082).await;
    two.until_ready().await;
    let api = cluster.apply(policy(shop.name(), "api", "/v1")).await;
    cluster.until_ready(&api, "True", "Enforcing").await;
    assert!(
        !two.leads().await && two.writes().await == 0,
        "the standby writes nothing"
    );

    // A leader that stands still has lost the Lease when it goes on, and does not write on from where it stood.
    one.signal(Signal::SIGSTOP);
    let api = cluster.apply(policy(shop.name(), "api", "/v2")).await;
    two.until_leader().await;
    cluster.until_ready(&api, "True", "Enforcing").await;
    one.signal(Signal::SIGCONT);
    let wrote = one.writes().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(
        !one.leads().await && one.writes().await == wrote,
        "the former leader writes on"
    );

    // One that is told to end hands over at once.
    let start = Instant::now();
    assert!(two.stop().await);
    one.until_leader().await;
    assert!(
        start.elapsed() < Duration::from_secs(8),
        "it took {:?}",
        start.elapsed()
    );

    // One that is killed is waited for no longer than its Lease holds.
    let three = Operator::spawn(&cluster, "three", 8083).await;
    three.until_ready().await;
    one.kill();
    let start = Instant::now();
    let api = cluster.apply(policy(shop.name(), "api", "/v3")).await;
    three.until_leader().await;
    println!("a standby took over from a killed leader after {:?}", start.elapsed());
    assert!(
        start.elapsed() < Duration::from_secs(25),
        "it took {:?}",
        start.elapsed()
    );
    cluster.until_ready(&api, "True", "Enforcing").await;
    assert!(three.stop().await);
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_change_touches_only_what_depends_on_it() {
    let cluster = Cluster::turn().await;
    let shop = cluster.shop("touch").await;
    let operator = Operator::start(&cluster).await;
    for name in ["one", "two"] {
        cluster.apply(service(shop.name(), name)).await;
        cluster.apply(identity(shop.name(), name)).await;
        let mut spec = admits("/v1");
        spec["targetRefs"][0]["name"] = json!(name);
        spec["rules"][0]["callers"][0]["serviceIdentity"]["name"] = json!(name);
        let api = cluster.apply(policy_with(shop.name(), name, &spec)).await;
        cluster.until_ready(&api, "True", "Enforcing").await;
    }
    let before = writes(&cluster);
    cluster.delete("ServiceIdentity", shop.name(), "one").await;
    let one = cluster.api("ApiAuthPolicy", shop.name()).get("one").await.unwrap();
    cluster.until_ready(&one, "False", "PartiallyProgrammed").await;
    let touched: BTreeSet<_> = new_writes(&cluster, &before).into_iter().collect();
    let others: Vec<_> = touched.iter().filter(|write| write.contains("two")).collect();
    assert!(others.is_empty() && !touched.is_empty(), "{touched:?}");
    assert!(operator.stop().await);
}

/// How many writes the operator has made so far, by what was written; those of its Lease aside.
fn writes(cluster: &Cluster) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for entry in cluster.testbed.audit().unwrap() {
        let lease = entry.is_about("coordination.k8s.io", "leases");
        if entry.user_agent.starts_with(AGENT) && entry.is_write() && !lease {
            *counts
                .entry(format!("{} {}", entry.verb, entry.request_uri))
                .or_default() += 1;
        }
    }
    counts
}

fn new_writes(cluster: &Cluster, before: &BTreeMap<String, usize>) -> Vec<String> {
    writes(cluster)
        .into_iter()
        .filter(|(what, count)| before.get(what) != Some(count))
        .map(|(what, _)| what)
        .collect()
}

/// Chance that can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}
