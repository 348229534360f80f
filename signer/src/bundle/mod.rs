//! Publishes the roots: in a `ClusterTrustBundle`, and in a ConfigMap in each namespace that asks by its label. The replica that
//! leads writes, and writes again what somebody edits.

mod content;
mod places;
mod publisher;

use std::collections::{BTreeMap, BTreeSet};

pub use content::{BUNDLE_LABEL, CONFIG_MAP, SIGNER_NAME, TRUST_DOMAIN_LABEL, bundle_name, certificates};
pub use publisher::Publisher;

/// Which namespaces get the roots in a ConfigMap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Namespaces {
    /// Those that ask by the label.
    Labelled,
    /// All of them: in a mesh every Pod's proxy needs them.
    All,
}

/// Where the roots are published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publication {
    /// The roots that every place holds, by hash; none while one of them lags.
    pub everywhere: BTreeSet<String>,
    /// The keys of JWT-SVIDs that every ConfigMap holds, by identifier; none while one of them lags.
    pub jwt_everywhere: BTreeSet<String>,
    /// The places that cannot be written, and why. No new root is used before they are.
    pub failing: BTreeMap<String, String>,
    /// Namespaces with a ConfigMap of the bundle's name that is somebody else's. They are not waited for.
    pub foreign: BTreeSet<String>,
    /// Whether the API server has `ClusterTrustBundles`; none if that is not known yet.
    pub cluster_trust_bundles: Option<bool>,
}
