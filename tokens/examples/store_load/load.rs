//! Callers that act all at once, and how long that takes them.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::Result;
use countersign_runtime::clock;
use countersign_tokens::store::{Family, FamilyId, Store};
use futures::future::try_join_all;
use sha2::{Digest as _, Sha256};

use crate::operation::{Operation, digest};
use crate::{ISSUER, NOW};

/// What is measured is measured in parts.
pub const PARTS: RangeInclusive<u32> = 1..=5;

/// Callers of a store.
pub struct Load {
    pub store: Store,
    callers: u32,
    /// How many acts of each caller are a part.
    each: u32,
}

impl Load {
    pub fn new(store: Store, number: u32, callers: u32) -> Self {
        let each = (number / PARTS.end() / callers).max(1);
        Self { store, callers, each }
    }

    /// Begins a family for each caller.
    pub async fn begin(&self) -> Result<()> {
        for caller in 0..self.callers {
            let family = Family {
                id: FamilyId(Sha256::digest(caller.to_be_bytes())[..16].try_into()?),
                issuer: ISSUER.to_owned(),
                client: "shop/web".to_owned(),
                subject: "alice".to_owned(),
                data: r#"{"scope":"orders:read"}"#.to_owned(),
                created: NOW,
                absolute_end: NOW + 1_000_000,
                idle_end: NOW + 100_000,
            };
            self.store
                .begin_family(family, Some(digest("refresh", caller, 0)))
                .await?;
        }
        Ok(())
    }

    /// As much as a part, before the first of them.
    pub async fn warm_up(&self, operation: Operation) -> Result<()> {
        self.measure(operation, 0).await.map(drop)
    }

    /// Lets each caller act one time after another.
    pub async fn measure(&self, operation: Operation, part: u32) -> Result<Measured> {
        let numbers = part * self.each..(part + 1) * self.each;
        let begin = clock::instant();
        let callers = (0..self.callers).map(|caller| {
            let (store, numbers) = (self.store.clone(), numbers.clone());
            tokio::spawn(async move {
                let mut times = Vec::new();
                for number in numbers {
                    let begin = clock::instant();
                    operation.act(&store, caller, number).await?;
                    times.push(begin.elapsed());
                }
                anyhow::Ok(times)
            })
        });
        let mut times = Vec::new();
        for caller in try_join_all(callers).await? {
            times.extend(caller?);
        }
        Ok(Measured {
            whole: begin.elapsed(),
            times,
        })
    }
}

/// How long acts took.
#[derive(Default)]
pub struct Measured {
    whole: Duration,
    times: Vec<Duration>,
}

impl Measured {
    pub fn add(&mut self, other: Self) {
        self.whole += other.whole;
        self.times.extend(other.times);
        self.times.sort_unstable();
    }

    /// The longest of so many in a hundred.
    pub fn percentile(&self, percent: usize) -> Duration {
        let at = self.times.len() * percent / 100;
        self.times.get(at).copied().unwrap_or_default()
    }

    pub fn mean(&self) -> Duration {
        let number = u32::try_from(self.times.len()).unwrap().max(1);
        self.times.iter().sum::<Duration>() / number
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.times.len() as f64 / self.whole.as_secs_f64();
        let (median, slow) = (self.percentile(50), self.percentile(99));
        write!(f, "{rate:>9.0} a second, p50 {median:>8.1?}, p99 {slow:>8.1?}")
    }
}
