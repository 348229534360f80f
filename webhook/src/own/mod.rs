//! What is wrong with one of Countersign's own objects, seen with the others of the cluster.

use jiff::Timestamp;

use crate::review::{Request, Verdict};

/// What is known of the cluster for that.
#[derive(Debug, Default)]
pub struct Own {}

impl Own {
    /// Judges a change of one of Countersign's own objects.
    pub fn judge(&self, _request: &Request<'_>, _now: Timestamp) -> Verdict {
        Verdict::allowed()
    }
}
