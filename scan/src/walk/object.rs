//! Objects and arrays: whose name belongs to which value.

use std::borrow::Cow;

use super::engine::{Context, Engine};
use super::kube;
use super::place::Place;
use crate::tree::{Node, Number};
use crate::{carrier, key};

type Member<'a> = (Cow<'a, str>, Node<'a>);

/// Members that name what another member of the same object holds.
const NAMES: &[&str] = &["name", "key", "header", "headerName", "path", "filename"];
/// Members that hold what another one names.
fn is_value(key: &str) -> bool {
    matches!(key, "value" | "values" | "default" | "content" | "contents" | "data")
}

/// Members that hold the value of what their object is called: `adminPassword: {value: …}`, Envoy's `inline_string`.
#[rustfmt::skip]
fn is_inner_value(key: &str) -> bool {
    matches!(
        key,
        "value" | "values" | "inline" | "inlineString" | "inline_string" | "inlineBytes" | "inline_bytes" | "plain"
            | "plainText" | "plaintext" | "literal" | "stringValue" | "text" | "raw" | "default"
    )
}

/// What members an object has, of those that say what the others are: one pass instead of a search for each.
#[derive(Default)]
struct Has {
    /// What a key or an entry of a registry has.
    whole: bool,
    value: bool,
    command: bool,
}

impl Has {
    fn of(members: &[Member<'_>]) -> Self {
        let mut has = Self::default();
        for (key, _) in members {
            let key = key.as_ref();
            has.whole |= matches!(key, "kty" | "private_key" | "type" | "auth");
            has.value |= is_value(key);
            has.command |= matches!(key, "command" | "args");
        }
        has
    }
}

/// The shortest key that can be a credential itself.
const SHORTEST_KEY: usize = 20;

impl Engine<'_> {
    /// A document: an object of Kubernetes, a list of such, or anything else.
    pub fn document(&mut self, place: &Place<'_>, node: &Node<'_>, context: Context) {
        match (node, kind(node)) {
            (Node::Array(items), _) if items.iter().all(|item| item.get("kind").is_some()) => {
                self.documents(place, items, context);
            }
            (_, Some(kind)) => self.kubernetes(place, node, kind, context),
            _ => self.node(place, node, None, context),
        }
    }

    pub fn documents(&mut self, place: &Place<'_>, items: &[Node<'_>], context: Context) {
        for (index, item) in items.iter().enumerate() {
            self.document(&place.index(index), item, context);
        }
    }

    /// Any value, and the name that it has.
    pub fn node(&mut self, place: &Place<'_>, node: &Node<'_>, name: Option<&str>, context: Context) {
        match node {
            Node::String(text) => self.text(place, name, text, context),
            Node::Array(items) => self.array(place, items, name, context),
            Node::Object(members) => match kind(node) {
                // Some kinds carry whole objects of others.
                Some(kind) => self.kubernetes(place, node, kind, context.within()),
                None => self.object(place, node, members, name, context),
            },
            Node::Number(Number::Integer(number)) => {
                if name.is_some_and(carrier::may_name_secret) {
                    self.alone(place, name, &number.to_string(), context);
                }
            }
            Node::Number(Number::Float(_)) | Node::Bool(_) | Node::Null => {}
        }
    }

    fn array(&mut self, place: &Place<'_>, items: &[Node<'_>], name: Option<&str>, context: Context) {
        self.items(place, items, name, context);
        let strings: Vec<&str> = items.iter().filter_map(Node::as_str).collect();
        let flag = |item: &&str| item.starts_with('-') || item.contains('=') || item.contains(" -");
        if context.names && strings.len() == items.len() && strings.iter().any(flag) {
            for pair in carrier::arguments(&strings) {
                self.text(&place.index(pair.index), Some(&pair.name), &pair.value, context);
            }
        }
    }

    fn items(&mut self, place: &Place<'_>, items: &[Node<'_>], name: Option<&str>, context: Context) {
        for (index, item) in items.iter().enumerate() {
            self.node(&place.index(index), item, name, context);
        }
    }

    fn object(
        &mut self,
        place: &Place<'_>,
        node: &Node<'_>,
        members: &[Member<'_>],
        name: Option<&str>,
        context: Context,
    ) {
        let has = Has::of(members);
        let judged = if has.whole {
            self.whole_object(place, node, context)
        } else {
            [None; 2]
        };
        let pair = if has.value { pair_name(members) } else { None };
        for (key, value) in members {
            let here = place.key(key);
            if key.len() >= SHORTEST_KEY {
                self.key(&here, key, context);
            }
            let context = if is_reference(key) || names_a_secret(value) {
                context.nameless()
            } else {
                context
            };
            let inherited = pair.filter(|_| is_value(key)).or(name.filter(|_| is_inner_value(key)));
            let values = inherited.is_some() && pair.is_some();
            let context = if values { context.of_values() } else { context };
            match (key.as_ref(), value) {
                (field, _) if judged.contains(&Some(field)) => {}
                ("serviceAccountToken", Node::Object(_)) => self.projected_token(&here, value, context),
                ("tokenRequests", Node::Array(items)) => self.token_requests(&here, items, context),
                // Here for what stands in single items. A flag and its value may be in two of them: below.
                ("command" | "args", Node::Array(items)) => self.items(&here, items, inherited, context),
                _ => self.node(&here, value, inherited.or(Some(key)), context),
            }
        }
        if has.command && context.names {
            self.command(place, members, context);
        }
    }

    /// A key that is long enough to be a credential itself.
    fn key(&mut self, place: &Place<'_>, key: &str, context: Context) {
        let mark = self.mark();
        for hit in self.scanner.matcher.hits(&self.input(key, None)) {
            self.report(place, key, &hit, context, mark);
        }
    }

    /// What only the whole of an object shows: a key, the entry of a registry. The members that were judged by it.
    fn whole_object(&mut self, place: &Place<'_>, node: &Node<'_>, context: Context) -> [Option<&'static str>; 2] {
        let mut judged = [None; 2];
        if ["kty", "private_key", "type"]
            .iter()
            .any(|name| node.get(name).is_some())
            && let Some((field, value, hit)) = key::in_object(node, &self.input("", None))
        {
            self.report_bytes(&place.key(field), value.as_bytes(), &hit, context);
            judged[0] = Some(field);
        }
        if let Some(auth) = node.get("auth").and_then(Node::as_str)
            && self.registry(&place.key("auth"), auth, context)
        {
            judged[1] = Some("auth");
        }
        judged
    }

    /// A command and its arguments, as one list.
    fn command(&mut self, place: &Place<'_>, members: &[Member<'_>], context: Context) {
        let parts = ["command", "args"].map(|name| (name, member(members, name).map_or(&[][..], Node::items)));
        let places: Vec<(&str, usize, &str)> = parts
            .iter()
            .flat_map(|(name, items)| {
                let strings = items.iter().enumerate();
                strings.filter_map(|(index, item)| Some((*name, index, item.as_str()?)))
            })
            .collect();
        if places.is_empty() {
            return;
        }
        let items: Vec<&str> = places.iter().map(|(.., item)| *item).collect();
        for pair in carrier::arguments(&items) {
            if let Some((name, index, _)) = places.get(pair.index) {
                let list = place.key(name);
                self.text(&list.index(*index), Some(&pair.name), &pair.value, context);
            }
        }
    }
}

/// The kind, if this is an object of Kubernetes.
fn kind<'n>(node: &'n Node<'_>) -> Option<&'n str> {
    let text = |name| node.get(name).and_then(Node::as_str);
    text("apiVersion").and(text("kind"))
}

fn member<'m, 'a>(members: &'m [Member<'a>], name: &str) -> Option<&'m Node<'a>> {
    members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

/// The name that an object of `name` and `value` gives to its value, if it has one.
fn pair_name<'m>(members: &'m [Member<'_>]) -> Option<&'m str> {
    // A pair is small: a container has a name too, but that does not name what is in it.
    if members.len() > 6 {
        return None;
    }
    NAMES.iter().find_map(|name| member(members, name)?.as_str())
}

/// Whether what is under a key only refers to where a value is.
fn is_reference(key: &str) -> bool {
    key.ends_with("Ref")
        || key.ends_with("Refs")
        || matches!(
            key,
            "valueFrom" | "envFrom" | "imagePullSecrets" | "ownerReferences" | "openAPIV3Schema" | "secretObjects"
        )
        || kube::is_schema(key)
}

/// Whether an object only says which entry of which Secret is meant: `{secretName: …, password: its key}`.
fn names_a_secret(node: &Node<'_>) -> bool {
    node.members().len() <= 3 && node.get("secretName").is_some()
}

/// Whether a name is that of a file: `application.properties`, `.env`, `etc/config.toml`.
pub(super) fn is_file_name(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.rsplit_once('.').is_some_and(|(_, extension)| {
        (1..=12).contains(&extension.len()) && extension.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}
