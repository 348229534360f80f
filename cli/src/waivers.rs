//! The waivers that count: those among the manifests, and those that the command line names.

use countersign_scan::{Node, Number, ObjectId, Waiver, Waivers};
use serde_json::{Map, Value};

use crate::examine::Found;
use crate::object::Object;
use crate::report;

/// Waivers that were found, as they are written.
#[derive(Debug, Default)]
pub struct Written(Vec<(String, Value)>);

impl Written {
    /// Takes the waivers of an input.
    pub fn add(&mut self, input: &str, waivers: Vec<Value>) {
        self.0
            .extend(waivers.into_iter().map(|waiver| (input.to_owned(), waiver)));
    }

    /// Reads them. `namespace` is that of objects which name none; `now` is in seconds since 1970.
    pub fn read(self, namespace: Option<&str>, has_key: bool, now: i64) -> Waivers {
        let mut read = Vec::new();
        let mut by_fingerprint = false;
        for (input, object) in &self.0 {
            by_fingerprint |= object.pointer("/spec/fingerprint").is_some_and(Value::is_string);
            match Waiver::parse(object) {
                Ok(waiver) => read.push(placed(waiver, namespace)),
                Err(problems) => {
                    for problem in problems {
                        report::note(&format!("{input}: a CredentialWaiver covers nothing: {problem}"));
                    }
                }
            }
        }
        for waiver in read.iter().filter(|waiver| waiver.is_expired(now)) {
            report::note(&format!("the waiver {} ended at {}", waiver.name, time(waiver.expires)));
        }
        if by_fingerprint && !has_key {
            report::note(
                "a waiver by fingerprint covers nothing without the key of fingerprints: --fingerprint-key-file",
            );
        }
        Waivers::new(read, namespace)
    }
}

fn placed(mut waiver: Waiver, namespace: Option<&str>) -> Waiver {
    if waiver.namespace.is_empty() {
        namespace.unwrap_or_default().clone_into(&mut waiver.namespace);
    }
    waiver
}

/// The waiver that covers a finding, if one does.
pub fn covering<'a>(waivers: &'a Waivers, found: &Found, now: i64) -> Option<&'a Waiver> {
    let Object {
        api_version,
        kind,
        namespace,
        name,
    } = &found.object;
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let object = ObjectId {
        group,
        kind,
        namespace,
        name,
    };
    waivers.covers(&object, &found.finding, now)
}

/// The object, if it is a waiver.
pub fn waiver(node: &Node<'_>) -> Option<Value> {
    let object = Object::of(node);
    (object.kind == "CredentialWaiver" && object.api_version.starts_with("countersign.dev/")).then(|| value(node))
}

/// A time in text (RFC 3339).
pub fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

fn value(node: &Node<'_>) -> Value {
    match node {
        Node::Null => Value::Null,
        Node::Bool(value) => Value::Bool(*value),
        Node::Number(Number::Integer(number)) => Value::from(*number),
        Node::Number(Number::Float(number)) => Value::from(*number),
        Node::String(text) => Value::String(text.to_string()),
        Node::Array(items) => items.iter().map(value).collect(),
        Node::Object(members) => {
            let members = members.iter().map(|(name, node)| (name.to_string(), value(node)));
            Value::Object(members.collect::<Map<_, _>>())
        }
    }
}
