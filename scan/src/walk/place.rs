//! Where the walk is: a chain of segments on the call stack, written out only when something is found.

use crate::finding::{Location, Step};

/// One segment of the way into an object.
#[derive(Clone, Copy, Debug)]
pub(super) enum Segment<'p> {
    /// The object itself.
    Root,
    /// A member.
    Key(&'p str),
    /// An element.
    Index(usize),
    /// What follows was decoded or read from the value here.
    Read(&'static str),
    /// A line of the text, from 1.
    Line(usize),
}

/// A place, and the way to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'p> {
    parent: Option<&'p Place<'p>>,
    segment: Segment<'p>,
}

impl<'p> Place<'p> {
    pub fn root() -> Self {
        Self {
            parent: None,
            segment: Segment::Root,
        }
    }

    pub fn key(&'p self, key: &'p str) -> Self {
        self.then(Segment::Key(key))
    }

    pub fn index(&'p self, index: usize) -> Self {
        self.then(Segment::Index(index))
    }

    pub fn read(&'p self, format: &'static str) -> Self {
        self.then(Segment::Read(format))
    }

    pub fn line(&'p self, line: usize) -> Self {
        self.then(Segment::Line(line))
    }

    fn then(&'p self, segment: Segment<'p>) -> Self {
        Self {
            parent: Some(self),
            segment,
        }
    }

    fn segments(&self) -> Vec<Segment<'_>> {
        let mut segments = vec![self.segment];
        let mut here = self;
        while let Some(parent) = here.parent {
            segments.push(parent.segment);
            here = parent;
        }
        segments.reverse();
        segments
    }

    /// Writes the place out. A key that `hide` says holds a credential itself is not shown.
    pub fn location(&self, hide: impl Fn(&str) -> bool) -> Location {
        let mut pointer = String::new();
        let mut steps = Vec::new();
        let mut field = String::new();
        let mut inside = false;
        for segment in self.segments() {
            match segment {
                Segment::Root => {}
                Segment::Key(key) => {
                    let key = if hide(key) { HIDDEN } else { key };
                    if inside {
                        push_field(&mut field, key);
                    } else {
                        push_pointer(&mut pointer, key);
                    }
                }
                Segment::Index(index) if inside => field.extend(["[", &index.to_string(), "]"]),
                Segment::Index(index) => pointer.extend(["/", &index.to_string()]),
                Segment::Read(format) => {
                    flush(&mut field, &mut steps);
                    steps.push(Step::Read(format));
                    inside = true;
                }
                Segment::Line(line) => {
                    flush(&mut field, &mut steps);
                    steps.push(Step::Line(line));
                    inside = true;
                }
            }
        }
        flush(&mut field, &mut steps);
        Location { pointer, steps }
    }
}

/// Stands for a key that is not shown.
const HIDDEN: &str = "(a key that holds a credential)";

fn flush(field: &mut String, steps: &mut Vec<Step>) {
    if !field.is_empty() {
        steps.push(Step::Field(std::mem::take(field)));
    }
}

fn push_field(field: &mut String, key: &str) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !key.is_empty() && key.bytes().all(plain) {
        if !field.is_empty() {
            field.push('.');
        }
        field.push_str(key);
    } else {
        field.extend(["[", &format!("{key:?}"), "]"]);
    }
}

/// RFC 6901 section 3.
fn push_pointer(pointer: &mut String, key: &str) {
    pointer.push('/');
    for character in key.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_pointer_and_steps() {
        let root = Place::root();
        let (data, config) = (root.key("data"), "a/b~c");
        let config = data.key(config);
        let base64 = config.read("base64");
        let yaml = base64.read("yaml");
        let users = yaml.key("users");
        let first = users.index(0);
        let user = first.key("user");
        let token = user.key("id.token");
        assert_eq!(
            token.location(|_| false).to_string(),
            "/data/a~1b~0c → base64 → yaml → users[0].user[\"id.token\"]"
        );
        assert_eq!(
            token.location(|key| key == "user").to_string(),
            format!("/data/a~1b~0c → base64 → yaml → users[0][{HIDDEN:?}][\"id.token\"]")
        );
    }
}
