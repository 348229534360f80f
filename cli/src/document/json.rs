//! JSON: values one after the other, as in JSON Lines too.

use countersign_scan::Node;

use super::{Document, Place, Places, Reading, Unread};

/// Reads a text.
pub fn read(text: &str) -> Reading<'_> {
    let mut reading = Reading::default();
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Node<'_>>();
    let mut offset = 0;
    while let Some(value) = values.next() {
        let index = reading.documents.len();
        match value {
            Ok(root) => {
                let places = Places::Json(text, offset);
                reading.documents.push(Document { index, root, places });
                offset = values.byte_offset();
            }
            Err(error) => {
                reading.unread.push(Unread {
                    index,
                    part: offset..text.len(),
                    at: offset_of(text, error.line(), error.column()),
                    why: "it is not JSON",
                });
                break;
            }
        }
    }
    reading
}

/// The offset of a position as `serde_json` gives it: lines from 1, columns in bytes.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    text.floor_char_boundary(before + column.saturating_sub(1))
}

/// The places of the value that begins at an offset, or after blanks there. It was read before, so it is well-formed.
pub fn place(text: &str, offset: usize) -> Place {
    let bytes = text.as_bytes();
    Cursor { bytes, at: offset }.value()
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    /// Passes a value. It is no deeper than what the reader takes, 128.
    fn value(&mut self) -> Place {
        self.skip_while(|byte| byte.is_ascii_whitespace());
        let mut place = Place {
            offset: self.at,
            ..Place::default()
        };
        match self.peek() {
            Some(b'{') => self.collection(b'}', &mut place.parts),
            Some(b'[') => self.collection(b']', &mut place.parts),
            Some(b'"') => self.string(),
            _ => self.skip_while(|byte| !matches!(byte, b',' | b'}' | b']') && !byte.is_ascii_whitespace()),
        }
        place
    }

    fn collection(&mut self, end: u8, parts: &mut Vec<Place>) {
        self.at += 1;
        loop {
            self.skip_while(|byte| byte.is_ascii_whitespace() || byte == b',');
            let Some(byte) = self.peek() else { return };
            if byte == end {
                self.at += 1;
                return;
            }
            if end == b'}' {
                self.string();
                self.skip_while(|byte| byte.is_ascii_whitespace() || byte == b':');
            }
            parts.push(self.value());
        }
    }

    fn string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                break;
            }
        }
    }

    fn skip_while(&mut self, passes: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&passes) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}
