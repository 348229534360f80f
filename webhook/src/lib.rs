//! The admission webhook: what carries a static key or a long-lived token does not get into the cluster.

pub mod own;
pub mod review;
pub mod tls;
