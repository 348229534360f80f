//! Finds credentials in any Kubernetes object, and says how long they live.
//!
//! A [`Scanner`] takes an object as JSON and gives [`Finding`]s: where ([`Location`]: a JSON Pointer and how the value was
//! decoded), what ([`Rule`]), how sure ([`Tier`]), for how long ([`Lifetime`]), and what to use instead ([`Remedy`]). It
//! never gives the value or a part of it, only a keyed [`Fingerprint`].
//!
//! ```text
//! bytes → tree → walk ─┬─ structure: kinds of Kubernetes, name/value pairs, flags
//!                      ├─ carrier:   config files, shell, headers, URLs; names and literals
//!                      ├─ key:       PEM, DER, JWK, JWT, certificates
//!                      ├─ token:     providers' tokens, with their checksums
//!                      └─ decode:    base64, gzip, JSON or YAML in strings, percent; then again
//! ```
//!
//! Nothing here reads a clock, a network or randomness: time and keys are arguments.

mod actions;
mod carrier;
mod finding;
mod hit;
mod key;
pub mod kubernetes;
mod limits;
mod rule;
mod token;
mod tree;
mod waiver;
mod walk;

pub use actions::{ActionRule, Actions};
#[cfg(any(test, feature = "testing"))]
pub use carrier::testing as carrier_testing;
pub use finding::{Action, Finding, Fingerprint, FingerprintKey, Lifetime, Location, Mitigation, Step, Tier};
#[cfg(any(test, feature = "testing"))]
pub use key::testing as key_testing;
pub use limits::{Limits, LimitsError, parse_seconds};
pub use rule::{Remedy, Rule, rule, rules};
#[cfg(any(test, feature = "testing"))]
pub use token::testing;
pub use tree::{Node, Number};
pub use waiver::{ObjectId, Waiver, WaiverProblem, Waivers, near};
pub use walk::{ScanError, Scanner, Settings, read_json};
