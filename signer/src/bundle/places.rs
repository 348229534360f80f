//! The places where roots are published, as they were seen last, and what has to change there.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::DynamicObject;

use super::Publication;
use super::content::{Content, is_ours};

/// A change that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Write the `ClusterTrustBundle`.
    ApplyBundle,
    /// Write the ConfigMap of a namespace.
    Apply(String),
    /// Delete the ConfigMap of a namespace, if it is still this one.
    Delete {
        /// The namespace.
        namespace: String,
        /// The ConfigMap's uid.
        uid: Option<String>,
        /// Its resource version.
        version: Option<String>,
    },
}

impl Change {
    /// The place, as people know it.
    pub(super) fn place(&self) -> String {
        match self {
            Self::ApplyBundle => "the ClusterTrustBundle".to_owned(),
            Self::Apply(namespace) | Self::Delete { namespace, .. } => format!("the namespace {namespace}"),
        }
    }
}

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// The namespaces that ask for the roots; none before they were read.
    pub(super) namespaces: Option<BTreeSet<String>>,
    /// The ConfigMaps by namespace; none before they were read.
    pub(super) config_maps: Option<BTreeMap<String, ConfigMap>>,
    /// The `ClusterTrustBundle`.
    pub(super) bundle: Bundles,
    /// What could not be written at the last try, and why.
    pub(super) failing: BTreeMap<String, String>,
}

/// What is known of the `ClusterTrustBundle`.
#[derive(Debug, Default)]
pub(super) enum Bundles {
    /// Nothing yet.
    #[default]
    Unread,
    /// The API server does not have the kind.
    NotServed,
    /// It has it, and there is this one, or none.
    Served(Option<Box<DynamicObject>>),
}

impl Places {
    /// What has to change so that every place has this content.
    pub(super) fn changes(&self, content: &Content) -> Vec<Change> {
        let mut changes = Vec::new();
        if let Bundles::Served(there) = &self.bundle
            && !there.as_ref().is_some_and(|there| in_bundle(content, there))
        {
            changes.push(Change::ApplyBundle);
        }
        let (Some(namespaces), Some(config_maps)) = (&self.namespaces, &self.config_maps) else {
            return changes;
        };
        for namespace in namespaces {
            let due = match config_maps.get(namespace) {
                None => true,
                Some(there) => is_ours(there) && !content.is_in_config_map(there),
            };
            if due {
                changes.push(Change::Apply(namespace.clone()));
            }
        }
        let unasked = |(namespace, there): &(&String, &ConfigMap)| !namespaces.contains(*namespace) && is_ours(there);
        changes.extend(
            config_maps
                .iter()
                .filter(unasked)
                .map(|(namespace, there)| Change::Delete {
                    namespace: namespace.clone(),
                    uid: there.metadata.uid.clone(),
                    version: there.metadata.resource_version.clone(),
                }),
        );
        changes
    }

    /// What is told of the publication of this content.
    pub(super) fn publication(&self, content: &Content) -> Publication {
        let complete =
            self.namespaces.is_some() && self.config_maps.is_some() && !matches!(self.bundle, Bundles::Unread);
        let writes = |change: &Change| !matches!(change, Change::Delete { .. });
        let all_written = complete && !self.changes(content).iter().any(writes);
        let everywhere = |there: &BTreeSet<String>| if all_written { there.clone() } else { BTreeSet::new() };
        Publication {
            everywhere: everywhere(&content.roots),
            jwt_everywhere: everywhere(&content.jwt_keys),
            failing: self.failing.clone(),
            foreign: self.foreign(),
            cluster_trust_bundles: match self.bundle {
                Bundles::Unread => None,
                Bundles::NotServed => Some(false),
                Bundles::Served(_) => Some(true),
            },
        }
    }

    fn foreign(&self) -> BTreeSet<String> {
        let config_maps = self.config_maps.as_ref();
        let is_foreign = |namespace: &&String| {
            config_maps
                .and_then(|config_maps| config_maps.get(*namespace))
                .is_some_and(|there| !is_ours(there))
        };
        self.namespaces.iter().flatten().filter(is_foreign).cloned().collect()
    }
}

fn in_bundle(content: &Content, there: &DynamicObject) -> bool {
    content.is_in_bundle(there.metadata.labels.as_ref(), &there.data)
}

#[cfg(test)]
mod tests {
    use countersign_identity::Bundle;

    use super::*;

    fn content() -> Content {
        let mut content = Content::of(&Bundle::new("example.org".parse().unwrap()));
        content.roots.insert("r1".to_owned());
        content.jwt_keys.insert("k1".to_owned());
        content
    }

    fn config_map(content: &Content) -> ConfigMap {
        serde_json::from_value(content.config_map("shop")).unwrap()
    }

    fn places(namespaces: &[&str], config_maps: &[(&str, ConfigMap)]) -> Places {
        Places {
            namespaces: Some(namespaces.iter().map(ToString::to_string).collect()),
            config_maps: Some(
                config_maps
                    .iter()
                    .map(|(name, map)| (name.to_string(), map.clone()))
                    .collect(),
            ),
            bundle: Bundles::NotServed,
            failing: BTreeMap::new(),
        }
    }

    #[test]
    fn each_namespace_that_asks_gets_one_and_only_those() {
        let content = content();
        let mut places = places(
            &["shop", "bank"],
            &[("shop", config_map(&content)), ("old", config_map(&content))],
        );
        let changes = places.changes(&content);
        assert_eq!(changes[0], Change::Apply("bank".to_owned()));
        assert!(matches!(&changes[1..], [Change::Delete { namespace, .. }] if namespace == "old"));
        let publication = places.publication(&content);
        assert!(
            publication.everywhere.is_empty() && publication.jwt_everywhere.is_empty(),
            "one place lacks it"
        );
        places
            .config_maps
            .as_mut()
            .unwrap()
            .insert("bank".to_owned(), config_map(&content));
        assert_eq!(
            places.publication(&content).everywhere,
            content.roots,
            "what is to go is not waited for"
        );
    }

    #[test]
    fn what_is_somebody_elses_is_left_and_told() {
        let content = content();
        let mut theirs = config_map(&content);
        theirs.metadata.labels = None;
        let places = places(&["shop"], &[("shop", theirs.clone()), ("other", theirs)]);
        assert_eq!(places.changes(&content), []);
        let publication = places.publication(&content);
        assert_eq!(publication.foreign, BTreeSet::from(["shop".to_owned()]));
        assert_eq!(publication.everywhere, content.roots);
        assert_eq!(publication.jwt_everywhere, content.jwt_keys);
    }

    #[test]
    fn nothing_is_told_before_all_was_read() {
        let content = content();
        let mut unread = places(&[], &[]);
        assert_eq!(unread.publication(&content).everywhere, content.roots);
        unread.bundle = Bundles::Unread;
        assert!(unread.publication(&content).everywhere.is_empty());
        unread.bundle = Bundles::Served(None);
        assert!(unread.publication(&content).everywhere.is_empty());
        assert_eq!(unread.changes(&content), [Change::ApplyBundle]);
        unread.bundle = Bundles::NotServed;
        unread.namespaces = None;
        assert!(unread.publication(&content).everywhere.is_empty());
    }
}
