//! Objects that ask for something and wait for an answer in their status: each is answered once, by the replica that leads.
//!
//! Nothing is remembered beyond a process: what is not answered yet is seen again by whoever leads next.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use countersign_runtime::lease::Leadership;
use futures::StreamExt as _;
use kube::Api;
use kube::core::DynamicObject;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How many requests are answered at a time. Each waits for the API server most of the time.
const AT_ONCE: usize = 32;
/// The first wait before another try, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// What became of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The request was answered, or needs no answer any more.
    Given,
    /// It is to be tried again later.
    Later,
}

/// Answers requests of one kind.
pub(crate) trait Answerer: Send + Sync + 'static {
    /// Whether a request still waits for an answer.
    fn waits(&self, request: &DynamicObject) -> bool;
    /// Tries to answer.
    fn answer(&self, request: DynamicObject) -> impl Future<Output = Answer> + Send;
}

/// Answers the requests that a watch tells of until `stop`, while this replica leads.
pub(crate) async fn serve<A: Answerer>(
    api: Api<DynamicObject>,
    config: watcher::Config,
    answerer: Arc<A>,
    mut leadership: Leadership,
    stop: CancellationToken,
) {
    let mut events = watcher(api, config).default_backoff().boxed();
    let mut desk = Desk::new(answerer);
    loop {
        let leads = leadership.holds();
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => desk.take(event),
                Some(Err(error)) => warn!(%error, "the watch of requests for certificates broke off"),
                None => return,
            },
            () = leadership.changed_from(leads) => {}
            Some(done) = desk.tasks.join_next() => if let Ok((uid, version, answer)) = done {
                desk.done(&uid, version.as_deref(), answer);
            },
            () = stop.cancelled() => return,
        }
        if leadership.holds() {
            desk.begin();
        } else {
            desk.pause();
        }
    }
}

type Done = (String, Option<String>, Answer);

/// The requests that wait.
struct Desk<A> {
    answerer: Arc<A>,
    waiting: HashMap<String, Waiting>,
    /// Those that are due, by uid.
    due: HashSet<String>,
    /// What a list under way has named.
    listed: Option<HashSet<String>>,
    tasks: JoinSet<Done>,
    turns: Arc<Semaphore>,
}

struct Waiting {
    request: DynamicObject,
    tries: u32,
    under_way: bool,
}

impl<A: Answerer> Desk<A> {
    fn new(answerer: Arc<A>) -> Self {
        Self {
            answerer,
            waiting: HashMap::new(),
            due: HashSet::new(),
            listed: None,
            tasks: JoinSet::new(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    fn take(&mut self, event: Event<DynamicObject>) {
        match event {
            Event::Init => self.listed = Some(HashSet::new()),
            Event::InitDone => {
                if let Some(listed) = self.listed.take() {
                    self.waiting.retain(|uid, _| listed.contains(uid));
                }
            }
            Event::Apply(request) | Event::InitApply(request) => self.see(request),
            Event::Delete(request) => {
                if let Some(uid) = &request.metadata.uid {
                    self.waiting.remove(uid);
                }
            }
        }
    }

    fn see(&mut self, request: DynamicObject) {
        let Some(uid) = request.metadata.uid.clone() else {
            return;
        };
        if let Some(listed) = &mut self.listed {
            listed.insert(uid.clone());
        }
        if !self.answerer.waits(&request) {
            self.waiting.remove(&uid);
            return;
        }
        let waiting = self.waiting.entry(uid.clone()).or_insert_with(|| Waiting {
            request: request.clone(),
            tries: 0,
            under_way: false,
        });
        waiting.request = request;
        self.due.insert(uid);
    }

    /// Begins with what is due.
    fn begin(&mut self) {
        for uid in std::mem::take(&mut self.due) {
            let Some(waiting) = self.waiting.get_mut(&uid).filter(|waiting| !waiting.under_way) else {
                continue;
            };
            waiting.under_way = true;
            let (answerer, turns) = (Arc::clone(&self.answerer), Arc::clone(&self.turns));
            let (request, wait) = (waiting.request.clone(), backoff(waiting.tries));
            self.tasks.spawn(async move {
                sleep(wait).await;
                let version = request.metadata.resource_version.clone();
                // It is never closed.
                let _turn = turns.acquire().await;
                (uid, version, answerer.answer(request).await)
            });
        }
    }

    /// Stops at once: another replica may be at it.
    fn pause(&mut self) {
        if self.tasks.is_empty() {
            return;
        }
        self.tasks = JoinSet::new();
        for (uid, waiting) in &mut self.waiting {
            waiting.under_way = false;
            self.due.insert(uid.clone());
        }
    }

    fn done(&mut self, uid: &str, version: Option<&str>, answer: Answer) {
        let Some(waiting) = self.waiting.get_mut(uid) else {
            return;
        };
        waiting.under_way = false;
        // It may have changed meanwhile: what was answered is what it was before.
        let changed = waiting.request.metadata.resource_version.as_deref() != version;
        match answer {
            Answer::Given if !changed => return,
            Answer::Given => waiting.tries = 0,
            Answer::Later => waiting.tries = waiting.tries.saturating_add(1),
        }
        self.due.insert(uid.to_owned());
    }
}

fn backoff(tries: u32) -> Duration {
    match tries {
        0 => Duration::ZERO,
        tries => BACKOFF.0.saturating_mul(1 << (tries - 1).min(10)).min(BACKOFF.1),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;

    #[derive(Default)]
    struct Scripted {
        answers: Mutex<Vec<Answer>>,
        asked: Mutex<Vec<String>>,
    }

    impl Answerer for Scripted {
        fn waits(&self, request: &DynamicObject) -> bool {
            request.data["waits"] == true
        }

        async fn answer(&self, request: DynamicObject) -> Answer {
            self.asked
                .lock()
                .unwrap()
                .push(request.metadata.resource_version.unwrap());
            self.answers.lock().unwrap().pop().unwrap_or(Answer::Given)
        }
    }

    fn request(uid: &str, version: &str, waits: bool) -> DynamicObject {
        let metadata = json!({"name": uid, "uid": uid, "resourceVersion": version});
        serde_json::from_value(json!({"metadata": metadata, "waits": waits})).unwrap()
    }

    async fn settle(desk: &mut Desk<Scripted>) {
        desk.begin();
        while let Some(done) = desk.tasks.join_next().await {
            let (uid, version, answer) = done.unwrap();
            desk.done(&uid, version.as_deref(), answer);
            desk.begin();
        }
    }

    fn asked(desk: &Desk<Scripted>) -> Vec<String> {
        std::mem::take(&mut *desk.answerer.asked.lock().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn each_is_answered_once_and_tried_until_it_is() {
        let mut desk = Desk::new(Arc::new(Scripted::default()));
        desk.answerer
            .answers
            .lock()
            .unwrap()
            .extend([Answer::Later, Answer::Later]);
        desk.take(Event::Apply(request("a", "1", true)));
        desk.take(Event::Apply(request("b", "1", false)));
        settle(&mut desk).await;
        assert_eq!(asked(&desk), ["1", "1", "1"]);
        settle(&mut desk).await;
        assert_eq!(asked(&desk), [""; 0]);
        desk.take(Event::Apply(request("a", "2", false)));
        assert!(desk.waiting.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_changed_meanwhile_is_looked_at_again() {
        let mut desk = Desk::new(Arc::new(Scripted::default()));
        desk.take(Event::Apply(request("a", "1", true)));
        desk.begin();
        desk.take(Event::Apply(request("a", "2", true)));
        settle(&mut desk).await;
        assert_eq!(asked(&desk), ["1", "2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_replica_that_no_longer_leads_stops_at_once_and_goes_on_when_it_leads_again() {
        let mut desk = Desk::new(Arc::new(Scripted::default()));
        desk.take(Event::Apply(request("a", "1", true)));
        desk.begin();
        desk.pause();
        assert!(desk.tasks.is_empty());
        assert_eq!(asked(&desk), [""; 0]);
        settle(&mut desk).await;
        assert_eq!(asked(&desk), ["1"]);
    }

    #[test]
    fn what_a_list_does_not_name_is_gone() {
        let mut desk = Desk::new(Arc::new(Scripted::default()));
        desk.take(Event::Apply(request("a", "1", true)));
        desk.take(Event::Init);
        desk.take(Event::InitApply(request("b", "1", true)));
        desk.take(Event::InitDone);
        assert_eq!(desk.waiting.keys().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn the_wait_grows_to_a_limit() {
        assert_eq!(backoff(0), Duration::ZERO);
        assert_eq!(backoff(2), Duration::from_millis(500));
        assert_eq!(backoff(u32::MAX), BACKOFF.1);
    }
}
