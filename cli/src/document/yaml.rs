//! YAML: one document or several.

mod tree;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use self::tree::{Builder, Refusal};
use super::scalar;
use super::{Document, Place, Places, Reading, Unread};

use std::borrow::Cow;

use countersign_scan::Node;

/// Reads a text. After a document that is broken, reading goes on with the next one.
pub fn read(text: &str) -> Reading<'_> {
    let options = granit_parser::options! { emit_comments: false };
    let mut reader = Reader {
        parser: Parser::new_from_str_with_options(text, options),
        reading: Reading::default(),
        index: 0,
        end: 0,
    };
    while !reader.document() {
        reader.recover(text);
    }
    reader.reading
}

struct Reader<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    reading: Reading<'a>,
    /// The index of the document that is read.
    index: usize,
    /// Where the last one ended, in bytes.
    end: usize,
}

impl<'a> Reader<'a> {
    /// Reads documents until all are read, or one cannot be.
    fn document(&mut self) -> bool {
        let mut builder = Builder::default();
        while let Some(event) = self.parser.next_event() {
            let read = event.map_err(Refusal::from).and_then(|(event, span)| {
                let at = span.start.byte_offset().unwrap_or_default();
                self.event(event, &span, &mut builder)
                    .map_err(|why| Refusal { at, why })
            });
            if let Err(refusal) = read {
                self.refuse(&refusal);
                return false;
            }
        }
        true
    }

    fn event(&mut self, event: Event<'a>, span: &Span, builder: &mut Builder<'a>) -> Result<(), &'static str> {
        let offset = span.start.byte_offset().unwrap_or_default();
        let place = Place {
            offset,
            ..Place::default()
        };
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let literal = style == ScalarStyle::Literal;
                let is_plain = style == ScalarStyle::Plain;
                if builder.wants_key() {
                    return builder.key(text, is_plain && tag.is_none(), anchor);
                }
                let node = value(text, is_plain, tag.as_deref());
                builder.value(node, Place { literal, ..place }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => builder.start(Node::Array(Vec::new()), place, anchor),
            Event::MappingStart(_, anchor, _) => builder.start(Node::Object(Vec::new()), place, anchor),
            Event::SequenceEnd | Event::MappingEnd => builder.end(),
            Event::Alias(anchor) => builder.alias(anchor),
            Event::DocumentEnd => {
                self.end = span.end.byte_offset().unwrap_or_default();
                if let Some((root, place)) = std::mem::take(builder).finish() {
                    let places = Places::Known(place);
                    let index = self.index;
                    self.reading.documents.push(Document { index, root, places });
                    self.index += 1;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn refuse(&mut self, refusal: &Refusal) {
        self.reading.unread.push(Unread {
            index: self.index,
            part: self.end..self.end,
            at: refusal.at,
            why: refusal.why,
        });
        self.index += 1;
    }

    /// Goes to the document after a broken one, and notes where that ended.
    fn recover(&mut self, text: &str) {
        let next = match self.parser.proceed_next_document() {
            Ok(true) => self
                .parser
                .peek()
                .and_then(Result::ok)
                .and_then(|(_, span)| span.start.byte_offset()),
            _ => None,
        };
        self.end = text.floor_char_boundary(next.unwrap_or(text.len()));
        if let Some(last) = self.reading.unread.last_mut() {
            last.part.end = self.end;
        }
    }
}

fn value<'a>(text: Cow<'a, str>, is_plain: bool, tag: Option<&Tag>) -> Node<'a> {
    match tag.and_then(Tag::core_suffix) {
        None if is_plain => scalar::plain(text),
        Some("null" | "bool" | "int" | "float") => scalar::plain(text),
        _ => Node::String(text),
    }
}

impl From<ScanError> for Refusal {
    fn from(error: ScanError) -> Self {
        Self {
            at: error.marker().byte_offset().unwrap_or_default(),
            why: "it is not YAML",
        }
    }
}
