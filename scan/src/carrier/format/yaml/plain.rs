//! YAML as nearly all of it is: no anchors, no tags, no merged keys. It is built from the parser's events, at half of
//! what a deserializer costs, and must come out as from that.

mod scalar;

use std::borrow::Cow;

use granit_parser::{Event, Parser, ScalarStyle, ScanError};

use super::{MOST_DOCUMENTS, MOST_NODES};
use crate::tree::Node;

/// Why there are no documents.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is no YAML, or beyond the limits.
    Broken,
    /// It has what only the deserializer resolves.
    Unusual,
}

impl From<ScanError> for Unread {
    fn from(_: ScanError) -> Self {
        Self::Broken
    }
}

/// The documents of a text that are not null.
pub(super) fn read(text: &str, depth: usize) -> Result<Vec<Node<'_>>, Unread> {
    let options = granit_parser::options! { emit_comments: false, flow_nesting_limit: depth };
    let mut builder = Builder::default();
    let (mut nodes, mut documents) = (0, 0);
    for event in Parser::new_from_str_with_options(text, options) {
        match event?.0 {
            Event::Scalar(_, _, 1.., _) | Event::Scalar(_, _, _, Some(_)) => return Err(Unread::Unusual),
            Event::Scalar(text, style, ..) => {
                nodes += 1;
                builder.scalar(text, style == ScalarStyle::Plain)?;
            }
            Event::SequenceStart(_, 0, None) => {
                nodes += 1;
                builder.start(Open::Array(Vec::new()), depth)?;
            }
            Event::MappingStart(_, 0, None) => {
                nodes += 1;
                builder.start(Open::Object(Vec::new(), None), depth)?;
            }
            Event::SequenceEnd | Event::MappingEnd => builder.end(),
            Event::DocumentStart(..) => documents += 1,
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            _ => return Err(Unread::Unusual),
        }
        if nodes > MOST_NODES || documents > MOST_DOCUMENTS {
            return Err(Unread::Broken);
        }
    }
    Ok(builder.documents)
}

/// A collection that is not at its end yet.
enum Open<'a> {
    Array(Vec<Node<'a>>),
    /// The members, and the key whose value comes next.
    Object(Vec<(Cow<'a, str>, Node<'a>)>, Option<Cow<'a, str>>),
}

#[derive(Default)]
struct Builder<'a> {
    open: Vec<Open<'a>>,
    documents: Vec<Node<'a>>,
}

impl<'a> Builder<'a> {
    fn scalar(&mut self, text: Cow<'a, str>, is_plain: bool) -> Result<(), Unread> {
        if let Some(Open::Object(_, key @ None)) = self.open.last_mut() {
            // What merges, and what is no text.
            if is_plain && (text == "<<" || scalar::is_null(&text)) {
                return Err(Unread::Unusual);
            }
            *key = Some(text);
            return Ok(());
        }
        let node = if is_plain {
            scalar::resolve(text).ok_or(Unread::Unusual)?
        } else {
            Node::String(text)
        };
        self.value(node);
        Ok(())
    }

    fn start(&mut self, open: Open<'a>, depth: usize) -> Result<(), Unread> {
        if self.open.len() >= depth {
            return Err(Unread::Broken);
        }
        if let Some(Open::Object(_, None)) = self.open.last() {
            return Err(Unread::Unusual);
        }
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self) {
        match self.open.pop() {
            Some(Open::Array(items)) => self.value(Node::Array(items)),
            Some(Open::Object(members, _)) => self.value(Node::Object(members)),
            None => {}
        }
    }

    fn value(&mut self, node: Node<'a>) {
        match self.open.last_mut() {
            Some(Open::Array(items)) => items.push(node),
            Some(Open::Object(members, key)) => members.extend(key.take().map(|key| (key, node))),
            None if node == Node::Null => {}
            None => self.documents.push(node),
        }
    }
}
