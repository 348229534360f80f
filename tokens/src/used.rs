//! When each client was there last: gathered, and written now and then.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Issuer identifier and client.
type Place = (String, String);

/// Which clients were there since it was written last.
#[derive(Debug, Default)]
pub struct Used(Mutex<BTreeMap<Place, i64>>);

impl Used {
    /// A client was there.
    pub fn touch(&self, issuer: &str, client: &str, now: i64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert((issuer.to_owned(), client.to_owned()), now);
    }

    /// Takes what there is, to be written.
    pub fn take(&self) -> BTreeMap<Place, i64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
