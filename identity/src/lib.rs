//! Who someone is: SPIFFE IDs, trust domains and their bundles, X.509-SVIDs and JWT-SVIDs, key sets and tokens.
//!
//! Nothing here reads a clock, a network or a source of randomness: the time is an argument.

pub mod bundle;
pub mod claims;
pub mod fingerprint;
pub mod jwks;
pub mod jwt_svid;
pub mod pem;
pub mod spiffe;
pub mod svid;
pub mod token;

#[cfg(feature = "testing")]
pub mod testing;

pub use bundle::{Bundle, Bundles};
pub use claims::Claims;
pub use fingerprint::Fingerprint;
pub use jwks::{KeySet, KeySetError};
pub use spiffe::{SpiffeId, SpiffeIdError, TrustDomain};
pub use token::{TokenError, verify};
