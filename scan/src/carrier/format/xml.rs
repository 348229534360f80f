//! XML as a tree: attributes and elements are members, an element with text alone is a string.

use std::borrow::Cow;

use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use crate::tree::Node;

/// How deep elements may be nested.
const DEEPEST: usize = 100;

struct Element<'a> {
    name: Cow<'a, str>,
    members: Vec<(Cow<'a, str>, Node<'a>)>,
    text: String,
}

impl<'a> Element<'a> {
    fn new(name: String) -> Self {
        Self {
            name: Cow::Owned(name),
            members: Vec::new(),
            text: String::new(),
        }
    }

    fn member(self) -> (Cow<'a, str>, Node<'a>) {
        let text = self.text.trim();
        let mut members = self.members;
        let node = if members.is_empty() {
            Node::String(Cow::Owned(text.to_owned()))
        } else {
            if !text.is_empty() {
                members.push((Cow::Borrowed("value"), Node::String(Cow::Owned(text.to_owned()))));
            }
            Node::Object(members)
        };
        (self.name, node)
    }
}

/// Reads a text, if it is XML from its beginning to its end.
pub(super) fn read(text: &str) -> Option<Node<'_>> {
    // Fluentd's files have tags too.
    if text.contains("@type ") {
        return None;
    }
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::new(String::new())];
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                open.push(start(&tag)?);
                if open.len() > DEEPEST {
                    return None;
                }
            }
            Event::Empty(tag) => close(&mut open, start(&tag)?),
            Event::End(_) => {
                let element = open.pop()?;
                close(&mut open, element);
            }
            Event::Text(text) => open.last_mut()?.text.push_str(&text),
            Event::CData(data) => open.last_mut()?.text.push_str(&data),
            Event::GeneralRef(name) => {
                let letter = match name.as_ref() {
                    "amp" => Some('&'),
                    "lt" => Some('<'),
                    "gt" => Some('>'),
                    "quot" => Some('"'),
                    "apos" => Some('\''),
                    _ => name.resolve_char_ref().ok().flatten(),
                };
                open.last_mut()?.text.extend(letter);
            }
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    let root = open.pop().filter(|_| open.is_empty())?;
    (!root.members.is_empty()).then_some(Node::Object(root.members))
}

/// An element with its attributes, if these are such.
fn start<'a>(tag: &BytesStart<'_>) -> Option<Element<'a>> {
    let mut element = Element::new(tag.name().as_ref().to_owned());
    for attribute in tag.attributes().with_checks(false) {
        let attribute = attribute.ok()?;
        let value = unescape(&attribute.value).map_or_else(|_| attribute.value.to_string(), Cow::into_owned);
        let name = attribute.key.as_ref().to_owned();
        element
            .members
            .push((Cow::Owned(name), Node::String(Cow::Owned(value))));
    }
    Some(element)
}

fn close<'a>(open: &mut [Element<'a>], element: Element<'a>) {
    if let Some(parent) = open.last_mut() {
        parent.members.push(element.member());
    }
}
