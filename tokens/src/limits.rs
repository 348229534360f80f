//! How much is borne of whom, before any signature is looked at.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
/// How many of them may be of one address, so that nobody alone can take all the places.
const FOLLOWING_OF_ONE: usize = 32;

/// How much is borne.
pub struct Limits {
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    clients: DefaultKeyedRateLimiter<String>,
    hashing: Arc<Semaphore>,
    following: Arc<Following>,
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
            following: Arc::default(),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a request from an address.
    ///
    /// # Errors
    ///
    /// If there were too many.
    pub fn address(&self, address: IpAddr) -> Result<(), Refusal> {
        let told = self.addresses.check_key(&network(address));
        told.map_err(|until| Refusal::TooMany(until.wait_time_from(self.clock.now()).as_secs() + 1))
    }

    /// Counts a request that says that it is of a client, which it did not prove yet: for the address that it comes from, so that
    /// nobody elsewhere can use up what the client has.
    ///
    /// # Errors
    ///
    /// If there were too many.
    pub fn claimed(&self, id: &str, address: Option<IpAddr>) -> Result<(), Refusal> {
        // Names that nobody has are counted too, and may be long.
        let id: String = id.chars().take(LONGEST_ID).collect();
        let from = address.map_or_else(|| "-".to_owned(), |address| network(address).to_string());
        self.of(&format!("{from} {id}"))
    }

    /// Counts a request of a client that proved itself.
    ///
    /// # Errors
    ///
    /// If there were too many.
    pub fn client(&self, id: &str) -> Result<(), Refusal> {
        self.of(id)
    }

    fn of(&self, key: &str) -> Result<(), Refusal> {
        let told = self.clients.check_key(&key.to_owned());
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
    /// If all are taken, or all that one address may have.
    pub fn following(&self, address: Option<IpAddr>) -> Result<Place, Refusal> {
        let address = address.map(network);
        let mut places = self.following.places();
        let taken = places.get(&address).copied().unwrap_or_default();
        if taken >= FOLLOWING_OF_ONE || places.values().sum::<usize>() >= FOLLOWING {
            return Err(Refusal::TooMany(1));
        }
        places.insert(address, taken + 1);
        drop(places);
        Ok(Place {
            following: Arc::clone(&self.following),
            address,
        })
    }

    /// Forgets those that have not asked for a while. To be called now and then.
    pub fn shrink(&self) {
        self.addresses.retain_recent();
        self.clients.retain_recent();
    }
}

/// Who waits for revocations, by address.
#[derive(Default)]
struct Following(Mutex<BTreeMap<Option<IpAddr>, usize>>);

impl Following {
    fn places(&self) -> MutexGuard<'_, BTreeMap<Option<IpAddr>, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those who wait for revocations, until it is dropped.
pub struct Place {
    following: Arc<Following>,
    address: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.following.places();
        match places.get_mut(&self.address) {
            Some(taken) if *taken > 1 => *taken -= 1,
            _ => drop(places.remove(&self.address)),
        }
    }
}

/// Of IPv6, a whole network of 64 bits is one: it is what one host has.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        IpAddr::V4(_) => address,
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
        let client = |id: &str| limits.client(id);
        assert!(client("a").is_ok() && client("a").is_ok() && client("a").is_err());
        assert!(client("b").is_ok());
    }

    #[test]
    fn who_claims_to_be_a_client_uses_up_nothing_of_what_it_has_elsewhere() {
        let few = NonZeroU32::MIN;
        let limits = Limits::new(Rates {
            address: few,
            client: few,
        });
        let [thief, owner] = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse::<IpAddr>().ok());
        while limits.claimed("a", thief).is_ok() {}
        assert!(limits.claimed("a", owner).is_ok());
        assert!(limits.client("a").is_ok());
    }

    #[test]
    fn nobody_alone_takes_all_places_to_wait_for_revocations() {
        let few = NonZeroU32::MIN;
        let limits = Limits::new(Rates {
            address: few,
            client: few,
        });
        let address = |last: usize| format!("192.0.2.{last}").parse::<IpAddr>().ok();
        let all: Vec<_> = (0..FOLLOWING_OF_ONE)
            .map(|_| limits.following(address(1)).unwrap())
            .collect();
        assert!(matches!(limits.following(address(1)), Err(Refusal::TooMany(1))));
        assert!(limits.following(address(2)).is_ok());
        drop(all);
        let full: Vec<_> = (0..FOLLOWING)
            .map(|number| limits.following(address(number % 100)).unwrap())
            .collect();
        assert!(matches!(limits.following(address(200)), Err(Refusal::TooMany(1))));
        drop(full);
        assert!(limits.following.places().is_empty());
    }
}
