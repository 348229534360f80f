//! Federation: the bundles of foreign trust domains (SPIFFE Federation standard), fetched as `FederatedTrustDomain` objects ask,
//! to verify with and never to sign.
//!
//! ```text
//!  object   what an object asks for
//!  hold     which object speaks for a trust domain
//!  fetch    the bundle endpoint of a trust domain
//!  accept   whether an answer takes the place of what was fetched before
//!  track    when the next fetch is due
//!  status   what an object is told
//!  lead     the loop of the replica that leads: it fetches, keeps, and tells
//!  kept     the ConfigMap that the last good bundles are kept in
//!  follow   every replica: the bundles, as they are kept
//!  publish  ClusterTrustBundles, for workloads
//! ```
//!
//! The last good bundles are kept in a `ConfigMap`, and not fetched again at each start: a signer that starts while an endpoint is
//! away must not forget whom its workloads trust, and the replicas that do not lead have them from there too.

mod accept;
mod fetch;
mod follow;
mod hold;
mod kept;
mod lead;
mod metrics;
mod object;
mod publish;
mod status;
mod track;

pub use accept::{Stored, accept};
pub use fetch::{Answer, FetchError, Fetcher, Request};
pub use follow::{Follower, Foreign};
pub use hold::verdicts;
pub use kept::{CONFIG_MAP, FullError, Keeping};
pub use lead::{Leader, Place};
pub use metrics::FederationMetrics;
pub use object::{Seen, Wanted};
pub use publish::{FEDERATED_LABEL, FEDERATED_SIGNER_NAME, Publisher, bundle_name};
pub use status::{View, status};
pub use track::{Track, interval};
