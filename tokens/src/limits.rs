//! How much is borne of whom, before any signature is looked at.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::protocol::Refusal;

/// How many requests a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// From one address. Behind a gateway this is the gateway's.
    pub address: NonZeroU32,
    /// For one client.
    pub client: NonZeroU32,
}

/// How many secrets are hashed at a time: each takes 19 MiB and some milliseconds.
const HASHING: usize = 2;
/// How long a request waits for its turn to be hashed.
const HASHING_WAIT: Duration = Duration::from_secs(2);

/// How much of a client's name is looked at, in characters: a namespace and a name have fewer.
const LONGEST_ID: usize = 512;

/// How many wait for revocations at a time: each looks into the store twice a second.
const FOLLOWING: usize = 256;

/// How much is borne.
pub struct Limits {
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    clients: DefaultKeyedRateLimiter<String>,
    hashing: Arc<Semaphore>,
    following: Arc<Semaphore>,
    clock: DefaultClock,
}

impl Limits {
    /// So much. A burst of two seconds' worth is let through.
    pub fn new(rates: Rates) -> Self {
        let quota = |rate: NonZeroU32| Quota::per_second(rate).allow_burst(rate.saturating_mul(TWO));
        Self {
            addresses: DefaultKeyedRateLimiter::keyed(quota(rates.address)),
            clients: DefaultKeyedRateLimiter::keyed(quota(rates.client)),
            hashing: Arc::new(Semaphore::new(HASHING)),
            following: Arc::new(Semaphore::new(FOLLOWING)),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a request from an address. Of IPv6, a whole network of 64 bits is one: it is what one host has.
    ///
    /// # Errors
    ///
    /// If there were too many.
    pub fn address(&self, address: IpAddr) -> Result<(), Refusal> {
        let key = match address {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
            IpAddr::V4(_) => address,
        };
        let told = self.addresses.check_key(&key);
        told.map_err(|until| Refusal::TooMany(until.wait_time_from(self.clock.now()).as_secs() + 1))
    }

    /// Counts a request for a client.
    ///
    /// # Errors
    ///
    /// If there were too many.
    pub fn client(&self, id: &str) -> Result<(), Refusal> {
        // Names that nobody has are counted too, and may be long.
        let id: String = id.chars().take(LONGEST_ID).collect();
        let told = self.clients.check_key(&id);
        told.map_err(|until| Refusal::TooMany(until.wait_time_from(self.clock.now()).as_secs() + 1))
    }

    /// A turn to hash a secret.
    ///
    /// # Errors
    ///
    /// If it does not come in time.
    pub async fn hashing(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let turn = timeout(HASHING_WAIT, Arc::clone(&self.hashing).acquire_owned());
        match turn.await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(Refusal::TooMany(HASHING_WAIT.as_secs())),
        }
    }

    /// A place to wait for revocations.
    ///
    /// # Errors
    ///
    /// If all are taken.
    pub fn following(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let place = Arc::clone(&self.following).try_acquire_owned();
        place.map_err(|_| Refusal::TooMany(1))
    }

    /// Forgets those that have not asked for a while. To be called now and then.
    pub fn shrink(&self) {
        self.addresses.retain_recent();
        self.clients.retain_recent();
    }
}

const TWO: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_measure() {
        let few = NonZeroU32::MIN;
        let limits = Limits::new(Rates {
            address: few,
            client: few,
        });
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8::2".parse().unwrap();
        let other: IpAddr = "2001:db8:0:1::1".parse().unwrap();
        assert!(limits.address(one).is_ok() && limits.address(neighbour).is_ok());
        assert!(matches!(limits.address(one), Err(Refusal::TooMany(1..))));
        assert!(limits.address(other).is_ok());
        assert!(limits.client("a").is_ok() && limits.client("a").is_ok() && limits.client("a").is_err());
        assert!(limits.client("b").is_ok());
        let followers: Vec<_> = (0..FOLLOWING).map(|_| limits.following().unwrap()).collect();
        assert!(matches!(limits.following(), Err(Refusal::TooMany(1))));
        drop(followers);
        assert!(limits.following().is_ok());
    }
}
