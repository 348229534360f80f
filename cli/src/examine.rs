//! One input in, what was found in it out.

use std::ops::Range;

use countersign_scan::{Finding, Location, Node, Scanner};
use serde_json::Value;

use crate::document::{self, Document, Lines, Position, Reading, Unread};
use crate::inner;
use crate::object::{Object, objects};
use crate::waivers;

/// A finding, and where in the inputs it is.
#[derive(Clone, Debug)]
pub struct Found {
    /// The index of the document in its input, from 0.
    pub document: usize,
    /// The object that holds it.
    pub object: Object,
    /// Where the object is in its document, as a JSON Pointer.
    pub root: String,
    /// Where it is in the text, if there is one.
    pub position: Option<Position>,
    /// What it is. Its pointer begins at the object.
    pub finding: Finding,
}

/// What became of an input.
#[derive(Debug, Default)]
pub struct Contents {
    /// What was found, in the order of the text.
    pub found: Vec<Found>,
    /// What could not be read as a document, and was read as text only.
    pub unread: Vec<(Position, &'static str)>,
    /// The waivers in it, as they are written.
    pub waivers: Vec<Value>,
    /// Whether it is a template.
    pub is_template: bool,
}

/// Examines inputs.
#[derive(Debug)]
pub struct Examiner {
    /// Finds credentials.
    pub scanner: Scanner,
    /// The time, in seconds since 1970.
    pub now: i64,
}

impl Examiner {
    /// Examines a text.
    pub fn text(&self, name: &str, text: &str) -> Contents {
        let reading = document::read(text);
        if reading.unread.is_empty() {
            return self.reading(name, text, text, reading);
        }
        let Some(masked) = document::mask(text) else {
            return self.reading(name, text, text, reading);
        };
        let filled = document::read(&masked);
        let mut contents = self.reading(name, text, &masked, filled);
        // What stands in the actions themselves is found in the text only.
        let whole = self.part(name, text, 0, &(0..text.len()), &Lines::new(text));
        for found in whole {
            if !contents.found.iter().any(|other| other.is_same(&found)) {
                contents.found.push(found);
            }
        }
        contents.found.sort_by_key(|found| found.position);
        contents.is_template = true;
        contents
    }

    /// Examines a text that is no document.
    pub fn plain(&self, name: &str, text: &str) -> Contents {
        Contents {
            found: self.part(name, text, 0, &(0..text.len()), &Lines::new(text)),
            ..Contents::default()
        }
    }

    /// Examines what was read. `text` is the input, `source` what was read of it, of the same length.
    fn reading(&self, name: &str, text: &str, source: &str, reading: Reading<'_>) -> Contents {
        let lines = Lines::new(text);
        if let (
            [
                Document {
                    root: Node::String(_), ..
                },
            ],
            [],
        ) = (&*reading.documents, &*reading.unread)
        {
            // Something else: YAML takes most texts for one long scalar.
            return self.plain(name, source);
        }
        let mut contents = Contents::default();
        for document in reading.documents {
            let objects = objects(&document.root);
            contents
                .waivers
                .extend(objects.iter().filter_map(|(_, node)| waivers::waiver(node)));
            let found = self.objects(document.index, &objects);
            contents.found.extend(locate(found, document, &lines));
        }
        for Unread { index, part, at, why } in reading.unread {
            contents.unread.push((lines.position(at), why));
            let found = self.part(name, source, index, &part, &lines);
            contents.found.extend(found);
        }
        contents
    }

    /// Examines objects at their places in a document.
    pub fn objects(&self, document: usize, objects: &[(String, &Node<'_>)]) -> Vec<Found> {
        let mut found = Vec::new();
        for (pointer, node) in objects {
            let findings = self.scanner.scan(node, self.now);
            if findings.is_empty() {
                continue;
            }
            let object = findings.iter().fold(Object::of(node), |object, finding| {
                object.without(&finding.location.pointer)
            });
            found.extend(findings.into_iter().map(|finding| Found {
                document,
                object: object.clone(),
                root: pointer.clone(),
                position: None,
                finding,
            }));
        }
        found
    }

    /// Examines a part of a text that is no document.
    fn part(&self, name: &str, text: &str, document: usize, part: &Range<usize>, lines: &Lines<'_>) -> Vec<Found> {
        let first = lines.position(part.start).line;
        let text = text.get(part.clone()).unwrap_or_default();
        let name = name.rsplit('/').next();
        let findings = self.scanner.scan_text(text, name, self.now).into_iter();
        let found = findings.map(|finding| {
            let line = inner::line(text, &finding.location.steps).unwrap_or(1);
            Found {
                document,
                object: Object::default(),
                root: String::new(),
                position: Some(lines.start_of(first + line - 1)),
                finding,
            }
        });
        found.collect()
    }
}

/// Gives findings in a document their places in the text.
fn locate(mut found: Vec<Found>, document: Document<'_>, lines: &Lines<'_>) -> Vec<Found> {
    if found.is_empty() {
        return found;
    }
    let Document { root, places, .. } = document;
    let places = places.resolve();
    for found in &mut found {
        let (place, node) = places.at(&root, &found.location().pointer);
        let start = lines.position(place.offset);
        let text = node.as_str().filter(|_| place.literal);
        let line = |text| {
            Some(document::lines_below(
                text,
                inner::line(text, &found.finding.location.steps)?,
            ))
        };
        let below = text.and_then(line);
        found.position = Some(below.map_or(start, |below| lines.start_of(start.line + below)));
    }
    found
}

impl Found {
    /// Where it is in its document.
    pub fn location(&self) -> Location {
        Location {
            pointer: format!("{}{}", self.root, self.finding.location.pointer),
            steps: self.finding.location.steps.clone(),
        }
    }

    /// What there is to say about it. The value is not in it.
    pub fn message(&self) -> String {
        let location = self.location();
        Finding {
            location,
            ..self.finding.clone()
        }
        .to_string()
    }

    /// Whether it is the same value, or the same kind of value in the same line: read in another way, it is another text.
    fn is_same(&self, other: &Self) -> bool {
        let line = |found: &Self| found.position.map(|at| at.line);
        self.finding.rule == other.finding.rule
            && (self.finding.fingerprint == other.finding.fingerprint || line(self) == line(other))
    }
}
