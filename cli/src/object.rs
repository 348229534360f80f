//! Which Kubernetes object a value is, and the objects in a list.

use countersign_scan::Node;
use serde::Serialize;

/// Stands for what is not said.
const HIDDEN: &str = "(a credential)";

/// What an object calls itself. All is empty for what is no Kubernetes object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Object {
    /// `apiVersion`
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// `kind`
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// `metadata.namespace`
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// `metadata.name`
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
}

impl Object {
    /// Reads what a value calls itself.
    pub fn of(node: &Node<'_>) -> Self {
        let text = |path: &[&str]| node.at(path).and_then(Node::as_str).unwrap_or_default().to_owned();
        let kind = text(&["kind"]);
        let api_version = text(&["apiVersion"]);
        if kind.is_empty() || api_version.is_empty() {
            return Self::default();
        }
        Self {
            api_version,
            kind,
            namespace: text(&["metadata", "namespace"]),
            name: text(&["metadata", "name"]),
        }
    }

    /// Does not say what is found to be a credential itself, such as a name.
    #[must_use]
    pub fn without(mut self, pointer: &str) -> Self {
        let field = match pointer {
            "/apiVersion" => &mut self.api_version,
            "/kind" => &mut self.kind,
            "/metadata/namespace" => &mut self.namespace,
            "/metadata/name" => &mut self.name,
            _ => return self,
        };
        HIDDEN.clone_into(field);
        self
    }

    /// Whether it is a Kubernetes object at all.
    pub fn is_known(&self) -> bool {
        !self.kind.is_empty()
    }
}

/// `Deployment shop/payments`
impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.kind)?;
        match (self.namespace.as_str(), self.name.as_str()) {
            ("", "") => Ok(()),
            ("", name) => write!(f, " {name}"),
            (namespace, name) => write!(f, " {namespace}/{name}"),
        }
    }
}

/// The objects of a document with the pointer to each: the items of a list, or the document itself.
pub fn objects<'a, 'b>(root: &'b Node<'a>) -> Vec<(String, &'b Node<'a>)> {
    let mut found = Vec::new();
    collect(root, String::new(), &mut found);
    found
}

fn collect<'a, 'b>(node: &'b Node<'a>, pointer: String, found: &mut Vec<(String, &'b Node<'a>)>) {
    let (items, below) = match node {
        Node::Array(items) => (items.as_slice(), ""),
        Node::Object(_) if is_list(node) => (node.get("items").map_or(&[][..], Node::items), "/items"),
        _ => return found.push((pointer, node)),
    };
    for (index, item) in items.iter().enumerate() {
        collect(item, format!("{pointer}{below}/{index}"), found);
    }
}

/// `kind: List`, or a list of one kind, as an API server answers.
fn is_list(node: &Node<'_>) -> bool {
    let kind = node.get("kind").and_then(Node::as_str).unwrap_or_default();
    kind.ends_with("List") && node.get("apiVersion").is_some() && matches!(node.get("items"), Some(Node::Array(_)))
}
