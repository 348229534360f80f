//! The serving certificate: issued here, changed here, trusted by what the API server reads in its own configuration.
//!
//! Each replica makes a certificate authority, signs one certificate with it, and forgets the authority's key. The
//! authority's certificate goes into the `caBundle` of the webhook's configuration; no key ever leaves the process, and
//! there is nothing to mount, to copy or to restart for. Before a certificate ends the next authority is published, and
//! only when the API servers can have read of it, its certificate is served ([`rotation`]).

pub mod authority;
pub mod bundle;
pub mod keep;
pub mod publish;
pub mod rotation;
