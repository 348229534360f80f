//! Who someone is: SPIFFE IDs, trust domains and their bundles, X.509-SVIDs and JWT-SVIDs, key sets and tokens, and what
//! clients of the token service prove themselves with.
//!
//! Nothing here reads a clock, a network or a source of randomness: the time is an argument.

pub mod access_token;
pub mod algorithm;
pub mod assertion;
pub mod bundle;
pub mod claims;
pub mod dpop;
pub mod fingerprint;
mod json;
pub mod jwks;
pub mod jws;
pub mod jwt_svid;
pub mod pem;
pub mod pkce;
mod rsa;
pub mod spiffe;
pub mod subject_token;
pub mod svid;
pub mod thumbprint;
mod times;
pub mod token;

#[cfg(feature = "testing")]
pub mod testing;

pub use algorithm::Algorithm;
pub use bundle::{Bundle, Bundles};
pub use claims::Claims;
pub use fingerprint::Fingerprint;
pub use jwks::{KeySet, KeySetError};
pub use spiffe::{SpiffeId, SpiffeIdError, TrustDomain};
pub use token::{TokenError, verify};
