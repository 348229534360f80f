//! A `ServiceIdentity`, as the signer keeps it.

use countersign_crds::ServiceIdentityStatus;
use countersign_policy::ObjectName;
use countersign_policy::parse::{ParsedIdentity, service_identity};
use jiff::Timestamp;
use kube::core::DynamicObject;
use kube::runtime::reflector::Lookup as _;
use serde_json::Value;

/// What tells an object from others of its name, and from what it was before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Its uid.
    pub uid: String,
    /// How often its spec was changed.
    pub generation: i64,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// A `ServiceIdentity`: what it says, and what is said of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What tells it from others.
    pub meta: Meta,
    /// What it says, or what is wrong with it.
    pub parsed: ParsedIdentity,
    /// Its status. One that cannot be read is taken for empty: it is written anew.
    pub status: ServiceIdentityStatus,
}

impl Entry {
    /// Reads an object as a watch gives it. It does not fail: what is wrong is part of the entry.
    pub fn read(object: &DynamicObject) -> Self {
        let created = object.metadata.creation_timestamp.as_ref();
        Self {
            meta: Meta {
                uid: object.metadata.uid.clone().unwrap_or_default(),
                generation: object.metadata.generation.unwrap_or_default(),
                deleting: object.metadata.deletion_timestamp.is_some(),
            },
            parsed: service_identity(
                name_of(object),
                object.data.get("spec").unwrap_or(&Value::Null),
                created.map_or(Timestamp::MAX, |created| created.0),
            ),
            status: object
                .data
                .get("status")
                .and_then(|status| serde_json::from_value(status.clone()).ok())
                .unwrap_or_default(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &ObjectName {
        &self.parsed.name
    }
}

/// The name of an object.
pub(crate) fn name_of(object: &DynamicObject) -> ObjectName {
    ObjectName::new(
        object.namespace().unwrap_or_default(),
        object.name().unwrap_or_default(),
    )
}
