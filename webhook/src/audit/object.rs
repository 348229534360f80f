//! An object as the API server sent it. Only its name is read at once; a scan reads the rest, and nothing is kept.

use std::borrow::Cow;
use std::fmt;

use kube::Resource;
use kube::core::{ApiResource, DynamicResourceScope, ObjectMeta};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// An object that is not looked into yet.
#[derive(Clone)]
pub(super) struct RawObject {
    meta: ObjectMeta,
    json: Box<RawValue>,
}

impl RawObject {
    /// The object, as JSON. Items of a list do not carry their kind.
    pub(super) fn json(&self) -> &str {
        self.json.get()
    }

    pub(super) fn name(&self) -> &str {
        self.meta.name.as_deref().unwrap_or_default()
    }

    pub(super) fn namespace(&self) -> &str {
        self.meta.namespace.as_deref().unwrap_or_default()
    }

    pub(super) fn uid(&self) -> &str {
        self.meta.uid.as_deref().unwrap_or_default()
    }
}

/// What is in it may be a credential, so no more than its name is shown.
impl fmt::Debug for RawObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawObject({}/{})", self.namespace(), self.name())
    }
}

#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    metadata: Meta,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Meta {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        // What serde says of a value may quote it.
        let head: Head = serde_json::from_str(json.get())
            .map_err(|_| serde::de::Error::custom("an object has no metadata that can be read"))?;
        let Meta {
            name,
            namespace,
            uid,
            resource_version,
        } = head.metadata;
        let meta = ObjectMeta {
            name,
            namespace,
            uid,
            resource_version,
            ..ObjectMeta::default()
        };
        Ok(Self { meta, json })
    }
}

impl Resource for RawObject {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

#[cfg(test)]
mod tests {
    use kube::core::{ObjectList, WatchEvent};

    use super::*;

    const OBJECT: &str =
        r#"{"metadata":{"name":"a","namespace":"shop","resourceVersion":"7"},"data":{"key":"canary"}}"#;

    #[test]
    fn it_comes_out_of_lists_and_watches_as_it_was_sent() {
        let list = format!(r#"{{"kind":"ConfigMapList","apiVersion":"v1","metadata":{{}},"items":[{OBJECT}]}}"#);
        let list: ObjectList<RawObject> = serde_json::from_str(&list).unwrap();
        let watched = format!(r#"{{"type":"ADDED","object":{OBJECT}}}"#);
        let WatchEvent::Added(watched) = serde_json::from_str(&watched).unwrap() else {
            panic!("it was added");
        };
        for object in [&list.items[0], &watched] {
            assert_eq!(object.json(), OBJECT);
            assert_eq!((object.namespace(), object.name()), ("shop", "a"));
            assert_eq!(object.meta().resource_version.as_deref(), Some("7"));
            assert!(!format!("{object:?}").contains("canary"));
        }
    }

    #[test]
    fn what_is_wrong_with_one_is_told_without_its_values() {
        let error = serde_json::from_str::<RawObject>(r#"{"metadata":"canary"}"#).unwrap_err();
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}
