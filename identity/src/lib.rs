//! Who someone is: SPIFFE IDs, trust domains, key sets and tokens.
//!
//! Nothing here reads a clock, a network or a source of randomness: the time is an argument.

pub mod claims;
pub mod jwks;
pub mod spiffe;
pub mod token;

#[cfg(feature = "testing")]
pub mod testing;

pub use claims::Claims;
pub use jwks::{KeySet, KeySetError};
pub use spiffe::{SpiffeId, SpiffeIdError, TrustDomain};
pub use token::{TokenError, verify};
