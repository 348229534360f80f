//! Requests that go on while things change, and a record of every one that was admitted and must not be.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use e2e::{Answer, MeshClient, Request};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

/// How often each request is sent.
const PERIOD: Duration = Duration::from_millis(50);

/// A request that is sent again and again.
pub struct Probe {
    /// What it is, for the record.
    pub what: &'static str,
    /// Who sends it; nobody for plain text.
    pub caller: Option<MeshClient>,
    /// The request.
    pub request: Request,
    /// Whether it is to be refused, whatever happens.
    pub refused: bool,
}

impl Probe {
    /// Sends it once.
    pub async fn send(&self, address: SocketAddr) -> Answer {
        match &self.caller {
            Some(caller) => caller.send(address, &self.request).await,
            None => self.request.send_plain(address).await,
        }
    }
}

#[derive(Default)]
struct Record {
    phase: String,
    /// How many requests were admitted and refused, by what they are.
    counts: BTreeMap<&'static str, (usize, usize)>,
    wrongs: Vec<String>,
}

/// Running traffic. It ends when it is dropped.
pub struct Traffic {
    record: Arc<Mutex<Record>>,
    since: Instant,
    _tasks: JoinSet<()>,
}

impl Traffic {
    /// Sends all probes to an address, each at its own pace.
    pub fn start(address: SocketAddr, probes: Vec<Probe>) -> Self {
        let record = Arc::new(Mutex::new(Record::default()));
        let mut tasks = JoinSet::new();
        for probe in probes {
            tasks.spawn(send_forever(address, probe, Arc::clone(&record)));
        }
        Self {
            record,
            since: Instant::now(),
            _tasks: tasks,
        }
    }

    /// Says what happens from now on, for the record.
    pub fn phase(&self, phase: &str) {
        println!("{:>6} ms: {phase}", self.since.elapsed().as_millis());
        phase.clone_into(&mut self.record.lock().unwrap().phase);
        self.check();
    }

    /// Fails if a request was admitted that must not be.
    pub fn check(&self) {
        let wrongs = self.record.lock().unwrap().wrongs.join("\n");
        assert_eq!(wrongs, "", "admitted");
    }

    /// Checks it for the last time, and that each probe was sent often enough to mean something.
    pub fn end(self, least: usize) {
        self.check();
        let counts = std::mem::take(&mut self.record.lock().unwrap().counts);
        for (what, (admitted, refused)) in counts {
            println!("{what}: {admitted} admitted, {refused} refused");
            let sent = admitted + refused;
            assert!(sent >= least, "{what} was sent only {sent} times");
        }
    }
}

async fn send_forever(address: SocketAddr, probe: Probe, record: Arc<Mutex<Record>>) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let sent_in = record.lock().unwrap().phase.clone();
        let answer = probe.send(address).await;
        let admitted = answer.status().is_some_and(|status| status < 400);
        let mut record = record.lock().unwrap();
        let counts = record.counts.entry(probe.what).or_default();
        if admitted {
            counts.0 += 1;
        } else {
            counts.1 += 1;
        }
        if admitted && probe.refused {
            let wrong = format!("{} while {sent_in}, or {}: {answer:?}", probe.what, record.phase);
            record.wrongs.push(wrong);
        }
    }
}
