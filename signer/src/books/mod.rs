//! The books of this replica: which of the certificates that it issued have not expired.

mod metrics;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_crds::service_identity::IssuedStatus;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tokio::sync::Notify;

pub use metrics::BookMetrics;

use crate::identities::delivery;
use crate::issue::{Books, Path, Record};

/// A workload, by its namespace and its service account.
pub type Account = (String, String);

/// The certificates of one workload.
#[derive(Debug, Default)]
struct Page {
    /// Those that have not expired, the next to do so first.
    live: BTreeSet<(Timestamp, String, Path)>,
    /// The one that was issued last: when, its serial number, and its end.
    newest: Option<(Timestamp, String, Timestamp)>,
}

#[derive(Debug, Default)]
struct Pages {
    by_account: HashMap<Account, Page>,
    /// When the next of a workload's certificates expires, over all workloads.
    ends: BTreeSet<(Timestamp, Account)>,
    news: News,
}

/// Workloads of which there is news. The first of each in a period is to be told at once, the next when the period is over.
#[derive(Debug, Default)]
struct News {
    now: HashSet<Account>,
    later: HashSet<Account>,
    told: HashSet<Account>,
}

impl News {
    fn insert(&mut self, account: Account) {
        if self.told.contains(&account) {
            self.later.insert(account);
        } else {
            self.now.insert(account);
        }
    }
}

/// The books.
#[derive(Debug, Default)]
pub struct Ledger {
    pages: Mutex<Pages>,
    entered: Notify,
}

impl Books for Ledger {
    fn enter(&self, record: Record) {
        let account = (record.namespace, record.service_account);
        let mut pages = self.pages();
        let page = pages.by_account.entry(account.clone()).or_default();
        let next = page.live.first().map(|(ends, ..)| *ends);
        page.live.insert((record.not_after, record.serial.clone(), record.path));
        page.newest = Some((record.issued_at, record.serial, record.not_after));
        if next.is_none_or(|next| record.not_after < next) {
            if let Some(next) = next {
                pages.ends.remove(&(next, account.clone()));
            }
            pages.ends.insert((record.not_after, account.clone()));
        }
        pages.news.insert(account);
        drop(pages);
        self.entered.notify_one();
    }
}

impl Ledger {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Strikes out what has expired. Costs nothing while nothing has.
    pub fn prune(&self, now: Timestamp) {
        let mut pages = self.pages();
        while let Some((_, account)) = pages.ends.first().filter(|(ends, _)| *ends <= now).cloned() {
            pages.ends.pop_first();
            let Some(page) = pages.by_account.get_mut(&account) else {
                continue;
            };
            while page.live.first().is_some_and(|(ends, ..)| *ends <= now) {
                page.live.pop_first();
            }
            match page.live.first().map(|(ends, ..)| *ends) {
                Some(next) => drop(pages.ends.insert((next, account.clone()))),
                None => drop(pages.by_account.remove(&account)),
            }
            pages.news.insert(account);
        }
    }

    /// Returns when a certificate was entered since the last time that this returned. For one who waits.
    pub async fn entered(&self) {
        self.entered.notified().await;
    }

    /// The workloads of which there is news to tell.
    pub fn news(&self) -> Vec<Account> {
        let news = &mut self.pages().news;
        news.told.extend(news.now.iter().cloned());
        news.now.drain().collect()
    }

    /// A period is over: what waited for its end can be told.
    pub fn turn(&self) {
        let news = &mut self.pages().news;
        news.told.clear();
        news.now.extend(news.later.drain());
    }

    /// There is still news of a workload: it could not be told.
    pub fn untold(&self, account: Account) {
        self.pages().news.later.insert(account);
    }

    /// What this replica has issued to a workload and has not expired; none if there is nothing.
    pub fn issued(&self, account: &Account, by: &str) -> Option<IssuedStatus> {
        let pages = self.pages();
        let page = pages.by_account.get(account)?;
        let (issued_at, serial, not_after) = page.newest.clone()?;
        let ways: BTreeSet<_> = page.live.iter().filter_map(|(_, _, path)| delivery(*path)).collect();
        Some(IssuedStatus {
            by: by.to_owned(),
            live: i64::try_from(page.live.len()).unwrap_or(i64::MAX),
            serial_number: serial,
            issued_at: Time(issued_at),
            not_after: Time(not_after),
            delivery: ways.into_iter().collect(),
        })
    }

    /// How many certificates have not expired, by the way they were asked for.
    pub fn live(&self) -> BTreeMap<Path, i64> {
        let mut live = BTreeMap::new();
        for page in self.pages().by_account.values() {
            for (_, _, path) in &page.live {
                *live.entry(*path).or_default() += 1;
            }
        }
        live
    }
}

#[cfg(test)]
mod tests;
