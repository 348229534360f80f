//! From a JSON Pointer to a line and a column.

use std::borrow::Cow;

use countersign_scan::Node;

/// Where a value is in its text, and where its parts are, in the order of the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Where it begins, in bytes.
    pub offset: usize,
    /// Whether it is a literal block scalar: each line of its value is a line of the text.
    pub literal: bool,
    /// The elements of an array, the values of an object.
    pub parts: Vec<Place>,
}

impl Place {
    /// The place of the value at a pointer, or of the closest one around it, and the value.
    pub fn at<'n, 'a>(&self, root: &'n Node<'a>, pointer: &str) -> (&Self, &'n Node<'a>) {
        let (mut place, mut node) = (self, root);
        for token in pointer.split('/').skip(1) {
            let token = unescape(token);
            let (index, below) = match node {
                Node::Array(items) => {
                    let index = token.parse().unwrap_or(usize::MAX);
                    (index, items.get(index))
                }
                Node::Object(members) => {
                    let index = members
                        .iter()
                        .position(|(name, _)| *name == token)
                        .unwrap_or(usize::MAX);
                    (index, members.get(index).map(|(_, value)| value))
                }
                _ => break,
            };
            let (Some(below), Some(part)) = (below, place.parts.get(index)) else {
                break;
            };
            (node, place) = (below, part);
        }
        (place, node)
    }
}

/// How far a line of a literal block scalar, from 1, is from the line that it begins in. It begins where it is not blank.
pub fn lines_below(text: &str, line: usize) -> usize {
    let blank = text.len() - text.trim_start_matches('\n').len();
    (line - 1).saturating_sub(blank)
}

/// A token of a pointer as the object spells it (RFC 6901 section 4).
fn unescape(token: &str) -> Cow<'_, str> {
    if token.contains('~') {
        Cow::Owned(token.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(token)
    }
}

/// A line and a column, from 1. Columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// The lines of a text.
#[derive(Debug)]
pub struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// Finds the lines.
    pub fn new(text: &'a str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(ends.map(|(end, _)| end + 1)).collect();
        Self { text, starts }
    }

    /// The position of an offset in bytes.
    pub fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        let before = self.text.get(start..offset).unwrap_or_default();
        Position {
            line,
            column: before.chars().count() + 1,
        }
    }

    /// The position of the first character of a line that is no blank.
    pub fn start_of(&self, line: usize) -> Position {
        let start = self.starts.get(line.saturating_sub(1)).copied();
        let rest = &self.text[start.unwrap_or(self.text.len())..];
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        Position {
            line,
            column: blanks + 1,
        }
    }
}
