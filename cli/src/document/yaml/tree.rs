//! From the events of a document to its tree.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use countersign_scan::Node;

use crate::document::Place;

/// How much may be copied for the aliases of a document, in bytes: a few lines can stand for a billion.
const ALIASED_LIMIT: usize = 16 << 20;

/// What a value weighs in this, beside its text.
const NODE_WEIGHT: usize = 32;

/// Why a document is given up, and where.
pub struct Refusal {
    pub at: usize,
    pub why: &'static str,
}

/// Puts a document together.
#[derive(Default)]
pub struct Builder<'a> {
    open: Vec<Open<'a>>,
    root: Option<(Node<'a>, Place)>,
    anchors: HashMap<usize, (Node<'a>, Place)>,
    copied: usize,
}

/// A collection that is not at its end yet.
struct Open<'a> {
    node: Node<'a>,
    place: Place,
    anchor: usize,
    /// The key whose value comes next, and whether it merges.
    key: Option<(Cow<'a, str>, bool)>,
    /// What is merged in, and comes after the members that are here.
    merged: Vec<(Node<'a>, Place)>,
}

impl<'a> Builder<'a> {
    /// Whether the next scalar is a key.
    pub fn wants_key(&self) -> bool {
        self.open
            .last()
            .is_some_and(|open| matches!(open.node, Node::Object(_)) && open.key.is_none())
    }

    /// Takes a key.
    pub fn key(&mut self, text: Cow<'a, str>, is_plain: bool, anchor: usize) -> Result<(), &'static str> {
        if anchor != 0 {
            let node = Node::String(text.clone());
            self.copy(&node)?;
            self.anchors.insert(anchor, (node, Place::default()));
        }
        let merges = is_plain && text == "<<";
        if let Some(open) = self.open.last_mut() {
            open.key = Some((text, merges));
        }
        Ok(())
    }

    /// Takes a value that is complete.
    pub fn value(&mut self, node: Node<'a>, place: Place, anchor: usize) -> Result<(), &'static str> {
        if anchor != 0 {
            self.copy(&node)?;
            self.anchors.insert(anchor, (node.clone(), place.clone()));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some((node, place));
            return Ok(());
        };
        match (&mut open.node, open.key.take()) {
            (Node::Array(items), _) => items.push(node),
            (Node::Object(_), Some((_, true))) if merges(&node) => {
                open.merged.push((node, place));
                return Ok(());
            }
            (Node::Object(members), Some((key, _))) => members.push((key, node)),
            _ => return Err("a key is a collection, which Kubernetes does not know"),
        }
        open.place.parts.push(place);
        Ok(())
    }

    /// Begins a collection.
    pub fn start(&mut self, node: Node<'a>, place: Place, anchor: usize) -> Result<(), &'static str> {
        if self.wants_key() {
            return Err("a key is a collection, which Kubernetes does not know");
        }
        self.open.push(Open {
            node,
            place,
            anchor,
            key: None,
            merged: Vec::new(),
        });
        Ok(())
    }

    /// Ends the collection that was begun last.
    pub fn end(&mut self) -> Result<(), &'static str> {
        let Some(mut open) = self.open.pop() else { return Ok(()) };
        if !open.merged.is_empty() {
            open.merge();
        }
        self.value(open.node, open.place, open.anchor)
    }

    /// Takes a copy of what has an anchor.
    pub fn alias(&mut self, anchor: usize) -> Result<(), &'static str> {
        let (node, place) = self
            .anchors
            .get(&anchor)
            .ok_or("an alias stands in what it stands for")?
            .clone();
        self.copy(&node)?;
        if !self.wants_key() {
            return self.value(node, place, 0);
        }
        match node {
            Node::String(text) => self.key(text, false, 0),
            _ => Err("a key is a collection, which Kubernetes does not know"),
        }
    }

    /// The document.
    pub fn finish(self) -> Option<(Node<'a>, Place)> {
        self.root
    }

    fn copy(&mut self, node: &Node<'_>) -> Result<(), &'static str> {
        self.copied = self.copied.saturating_add(weight(node));
        if self.copied > ALIASED_LIMIT {
            return Err("its aliases stand for too much");
        }
        Ok(())
    }
}

impl Open<'_> {
    /// Adds what is to be merged in, as far as there is no member of that name yet.
    fn merge(&mut self) {
        let Node::Object(members) = &mut self.node else { return };
        let mut names: HashSet<_> = members.iter().map(|(name, _)| name.clone()).collect();
        for (node, place) in self.merged.drain(..) {
            let maps = match node {
                Node::Array(items) => items.into_iter().zip(place.parts).collect(),
                other => vec![(other, place)],
            };
            for (map, place) in maps {
                let Node::Object(merged) = map else { continue };
                for (member, place) in merged.into_iter().zip(place.parts) {
                    if names.insert(member.0.clone()) {
                        members.push(member);
                        self.place.parts.push(place);
                    }
                }
            }
        }
    }
}

/// Whether a value can be merged in: a mapping, or a list of them.
fn merges(node: &Node<'_>) -> bool {
    match node {
        Node::Object(_) => true,
        Node::Array(items) => items.iter().all(|item| matches!(item, Node::Object(_))),
        _ => false,
    }
}

fn weight(node: &Node<'_>) -> usize {
    NODE_WEIGHT
        + match node {
            Node::String(text) => text.len(),
            Node::Array(items) => items.iter().map(weight).sum(),
            Node::Object(members) => members.iter().map(|(name, value)| name.len() + weight(value)).sum(),
            _ => 0,
        }
}
