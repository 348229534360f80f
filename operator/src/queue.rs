//! What is to be looked at: each thing once, one at a time, and again later if it failed.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use tokio::time::Instant;

/// How long to wait after a failure.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// After the first.
    pub first: Duration,
    /// At most.
    pub most: Duration,
}

#[derive(Debug, Default)]
struct Entry {
    /// Since when it waits in line.
    queued: Option<Instant>,
    running: bool,
    /// It changed while it was running.
    again: bool,
    failures: u32,
    /// When it is to be looked at without a change.
    timer: Option<Instant>,
}

/// A line of keys.
#[derive(Debug)]
pub struct Queue<K> {
    backoff: Backoff,
    entries: HashMap<K, Entry>,
    line: VecDeque<K>,
    timers: BinaryHeap<Reverse<(Instant, K)>>,
}

impl<K: Clone + Eq + Ord + Hash> Queue<K> {
    /// An empty line.
    pub fn new(backoff: Backoff) -> Self {
        Self {
            backoff,
            entries: HashMap::new(),
            line: VecDeque::new(),
            timers: BinaryHeap::new(),
        }
    }

    /// A key changed: it is looked at as soon as possible.
    pub fn mark(&mut self, key: K, now: Instant) {
        let entry = self.entries.entry(key.clone()).or_default();
        entry.timer = None;
        if entry.running {
            entry.again = true;
        } else if entry.queued.is_none() {
            entry.queued = Some(now);
            self.line.push_back(key);
        }
    }

    /// A key is to be looked at later, unless it changes before.
    pub fn later(&mut self, key: K, at: Instant) {
        let entry = self.entries.entry(key.clone()).or_default();
        if entry.queued.is_none() && !entry.again {
            entry.timer = Some(at);
            self.timers.push(Reverse((at, key)));
        }
    }

    /// Moves what is due into the line. Returns when the next one is.
    pub fn due(&mut self, now: Instant) -> Option<Instant> {
        while let Some(Reverse((at, key))) = self.timers.peek() {
            let stale = self.entries.get(key).is_none_or(|entry| entry.timer != Some(*at));
            if !stale && *at > now {
                return Some(*at);
            }
            let Some(Reverse((_, key))) = self.timers.pop() else {
                break;
            };
            if !stale {
                self.mark(key, now);
            }
        }
        None
    }

    /// Takes the next key out of the line, and since when it waited. It is running until [`Queue::done`].
    pub fn pull(&mut self) -> Option<(K, Instant)> {
        let key = self.line.pop_front()?;
        let entry = self.entries.entry(key.clone()).or_default();
        let since = entry.queued.take()?;
        entry.running = true;
        Some((key, since))
    }

    /// A key was looked at, with success.
    pub fn done(&mut self, key: &K, now: Instant) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.running = false;
        entry.failures = 0;
        if std::mem::take(&mut entry.again) {
            self.mark(key.clone(), now);
        } else if entry.timer.is_none() {
            self.entries.remove(key);
        }
    }

    /// A key was looked at, without success. It is looked at again after a while, or at once if it changed meanwhile.
    pub fn failed(&mut self, key: &K, now: Instant) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.running = false;
        entry.failures = entry.failures.saturating_add(1);
        let wait = self.backoff.after(key, entry.failures);
        if std::mem::take(&mut entry.again) {
            self.mark(key.clone(), now);
        } else {
            self.later(key.clone(), now + wait);
        }
    }

    /// How often in a row a key failed.
    pub fn failures(&self, key: &K) -> u32 {
        self.entries.get(key).map_or(0, |entry| entry.failures)
    }

    /// How many keys are in line.
    pub fn len(&self) -> usize {
        self.line.len()
    }

    /// Whether no key is in line.
    pub fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::new(self.backoff);
    }
}

impl Backoff {
    /// Doubles with each failure. Up to a quarter is added, by a hash of the key: what failed together does not come
    /// back together.
    fn after<K: Hash>(&self, key: &K, failures: u32) -> Duration {
        let wait = self
            .first
            .saturating_mul(1 << failures.saturating_sub(1).min(16))
            .min(self.most);
        let mut hash = DefaultHasher::new();
        (key, failures).hash(&mut hash);
        wait + wait / 4096 * u32::try_from(hash.finish() % 1024).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        first: Duration::from_secs(1),
        most: Duration::from_secs(8),
    };

    fn queue() -> (Queue<&'static str>, Instant) {
        (Queue::new(BACKOFF), countersign_runtime::clock::instant())
    }

    #[test]
    fn each_key_stands_in_line_once() {
        let (mut queue, now) = queue();
        queue.mark("a", now);
        queue.mark("b", now);
        queue.mark("a", now);
        assert_eq!(queue.pull().map(|(key, _)| key), Some("a"));
        assert_eq!(queue.pull().map(|(key, _)| key), Some("b"));
        assert_eq!(queue.pull(), None);
    }

    #[test]
    fn what_changes_while_it_runs_runs_again_afterwards() {
        let (mut queue, now) = queue();
        queue.mark("a", now);
        queue.pull();
        queue.mark("a", now);
        assert_eq!(queue.pull(), None, "never two at a time");
        queue.done(&"a", now);
        assert_eq!(queue.pull().map(|(key, _)| key), Some("a"));
        queue.done(&"a", now);
        assert!(
            queue.pull().is_none() && queue.entries.is_empty(),
            "nothing is kept of what is done"
        );
    }

    #[test]
    fn failures_wait_longer_each_time_up_to_a_limit() {
        let (mut queue, mut now) = queue();
        queue.mark("a", now);
        let mut waits = Vec::new();
        for _ in 0..6 {
            queue.pull();
            queue.failed(&"a", now);
            let at = queue.due(now).unwrap_or(now);
            waits.push(at - now);
            now = at;
            assert_eq!(queue.due(now), None);
        }
        for (wait, least) in waits.iter().zip([1, 2, 4, 8, 8, 8]) {
            let least = Duration::from_secs(least);
            assert!(*wait >= least && *wait <= least.mul_f64(1.25), "{waits:?}");
        }
        queue.pull();
        queue.done(&"a", now);
        assert_eq!(queue.failures(&"a"), 0);
    }

    #[test]
    fn a_change_is_not_made_to_wait_for_the_timer() {
        let (mut queue, now) = queue();
        queue.later("a", now + Duration::from_mins(1));
        assert_eq!(queue.pull(), None);
        queue.mark("a", now);
        assert_eq!(queue.pull().map(|(key, _)| key), Some("a"));
        queue.done(&"a", now);
        assert_eq!(queue.due(now + Duration::from_secs(61)), None, "the timer is void");
        assert_eq!(queue.pull(), None);
    }
}
