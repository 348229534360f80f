//! Text in, documents out: each a tree for the scanner, and the places of its values in the text.

mod json;
mod place;
mod scalar;
mod template;
mod yaml;

use std::borrow::Cow;
use std::ops::Range;

use countersign_scan::Node;

pub use place::{Lines, Place, Position, lines_below};
pub use template::mask;

/// One document of a text.
#[derive(Debug)]
pub struct Document<'a> {
    /// Its index in the text, from 0.
    pub index: usize,
    /// Its value.
    pub root: Node<'a>,
    /// Where its values are.
    pub places: Places<'a>,
}

/// Where the values of a document are. Those of JSON are looked up only when something was found.
#[derive(Debug)]
pub enum Places<'a> {
    /// Known from reading it.
    Known(Place),
    /// To be read from the text at an offset.
    Json(&'a str, usize),
}

impl Places<'_> {
    /// The place of each value.
    pub fn resolve(self) -> Place {
        match self {
            Self::Known(place) => place,
            Self::Json(text, offset) => json::place(text, offset),
        }
    }
}

/// A part of a text that is no document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The index of the document that it would have been.
    pub index: usize,
    /// The part, in bytes.
    pub part: Range<usize>,
    /// Where it was given up, in bytes.
    pub at: usize,
    /// Why. A parser's own words may quote the text, so they are not used.
    pub why: &'static str,
}

/// What a text holds.
#[derive(Debug, Default)]
pub struct Reading<'a> {
    /// The documents that could be read.
    pub documents: Vec<Document<'a>>,
    /// What could not.
    pub unread: Vec<Unread>,
}

/// Reads JSON, one value or several one after the other, or YAML, one document or several.
pub fn read(text: &str) -> Reading<'_> {
    if !text.trim_start().starts_with(['{', '[', '"']) {
        return yaml::read(text);
    }
    let json = json::read(text);
    if json.unread.is_empty() {
        return json;
    }
    // YAML takes what many a file named .json has: comments with # and commas too many.
    let yaml = yaml::read(text);
    if yaml.unread.is_empty() { yaml } else { json }
}

/// The text of bytes, without its byte order mark. Other than UTF-8, UTF-16 is read if it says so, as `kubectl` does.
pub fn text(bytes: &[u8]) -> Option<Cow<'_, str>> {
    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => std::str::from_utf8(rest).ok().map(Cow::Borrowed),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<Cow<'_, str>> {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let text: String = char::decode_utf16(units).collect::<Result<_, _>>().ok()?;
    (bytes.len().is_multiple_of(2)).then_some(Cow::Owned(text))
}
