//! The keys that tokens are signed with: made, published, used, and kept until the last token is past.
//!
//! ```text
//!  schedule  what is to be done now: make, sign with another, forget (pure)
//!  document  how keys are kept in a Secret
//!  signing   one key
//!  ring      the keys of an issuer, as requests use them
//! ```

pub mod document;
pub mod ring;
pub mod schedule;
pub mod signing;

pub use document::Document;
pub use ring::Ring;
pub use schedule::{Timing, advance};
pub use signing::{KeyError, SigningKey};
