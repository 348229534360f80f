//! The line of what was found in a text within the text, such as a file in a ConfigMap.

use countersign_scan::Step;

use crate::document::{self, Lines};

/// Formats whose text is not the text that they were read from, so that their lines are not its lines.
const DECODED: [&str; 3] = ["base64", "gzip", "percent"];

/// The line of the text, from 1, that the steps lead to. For formats that are not read here again it is the first line
/// that begins with the name.
pub fn line(text: &str, steps: &[Step]) -> Option<usize> {
    let mut format = "";
    for (index, step) in steps.iter().enumerate() {
        match step {
            Step::Read(read) if DECODED.contains(read) => return None,
            Step::Read(read) => format = read,
            Step::Line(line) => return Some(*line),
            Step::Field(path) => {
                return match format {
                    "json" | "yaml" => field(text, path, &steps[index + 1..]),
                    _ => named(text, &segments(path).pop()?),
                };
            }
        }
    }
    None
}

/// The line that steps lead to from a field of JSON or YAML.
fn field(text: &str, path: &str, steps: &[Step]) -> Option<usize> {
    let mut documents = document::read(text).documents;
    let mut segments = segments(path);
    if documents.len() > 1 {
        let index: usize = segments.first()?.parse().ok()?;
        segments.remove(0);
        documents = documents.into_iter().skip(index).take(1).collect();
    }
    let document = documents.pop()?;
    let pointer: String = segments
        .iter()
        .flat_map(|segment| ["/".to_owned(), escape(segment)])
        .collect();
    let places = document.places.resolve();
    let (place, node) = places.at(&document.root, &pointer);
    let start = Lines::new(text).position(place.offset).line;
    let inner = node.as_str().filter(|_| place.literal);
    let below = inner.and_then(|inner| Some(document::lines_below(inner, line(inner, steps)?)));
    Some(start + below.unwrap_or(0))
}

/// The line of a name: `db.password` as it stands, or `password` below `[db]`.
fn named(text: &str, name: &str) -> Option<usize> {
    if let Some(line) = beginning(text, 0, name) {
        return Some(line);
    }
    let (section, key) = name.rsplit_once('.')?;
    let is_header = |line: &str| line.trim().trim_matches(['[', ']']) == section;
    beginning(text, text.lines().position(is_header).unwrap_or(0), key)
}

/// The first line, after so many, that begins with a name, which may be quoted or be an element's.
fn beginning(text: &str, from: usize, name: &str) -> Option<usize> {
    let begins = |line: &str| {
        let line = line.trim_start().trim_start_matches(['"', '\'', '<', '-', ' ']);
        let line = line.strip_prefix("export ").unwrap_or(line);
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(|c: char| !c.is_alphanumeric() && c != '_' && c != '-'))
    };
    text.lines().skip(from).position(begins).map(|index| from + index + 1)
}

/// The segments of `users[0].user["id.token"]`.
fn segments(path: &str) -> Vec<String> {
    let mut segments = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if let Some(quoted) = rest.strip_prefix("[\"") {
            let end = quoted.find("\"]").unwrap_or(quoted.len());
            segments.push(quoted[..end].to_owned());
            rest = quoted.get(end + 2..).unwrap_or_default();
        } else if let Some(index) = rest.strip_prefix('[') {
            let end = index.find(']').unwrap_or(index.len());
            segments.push(index[..end].to_owned());
            rest = index.get(end + 1..).unwrap_or_default();
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            segments.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
    }
    segments
}

fn escape(segment: &str) -> String {
    segment.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn field(path: &str) -> Step {
        Step::Field(path.to_owned())
    }

    #[rstest]
    #[case("a\nb", &[Step::Line(2)], Some(2))]
    #[case("a: 1\nusers:\n- user:\n    id.token: x\n", &[Step::Read("yaml"), field("users[0].user[\"id.token\"]")], Some(4))]
    #[case("---\na: 1\n---\nb:\n  c: x\n", &[Step::Read("yaml"), field("[1].b.c")], Some(5))]
    #[case("a: 1\nb: |\n  x\n  y\n", &[Step::Read("yaml"), field("b"), Step::Line(2)], Some(4))]
    #[case("{\n \"a\": [\n  1,\n  2]}", &[Step::Read("json"), field("a[1]")], Some(4))]
    #[case("# c\n[a]\npassword = b\n[db]\npassword = c\n", &[Step::Read("ini"), field("[\"db.password\"]")], Some(5))]
    #[case("a=b\ndb.password=c\n", &[Step::Read("properties"), field("[\"db.password\"]")], Some(2))]
    #[case("export A_B=1\nexport A=2\n", &[Step::Read("env"), field("A")], Some(2))]
    #[case("x", &[Step::Read("base64"), Step::Line(2)], None)]
    #[case("x", &[Step::Read("xml"), field("gone")], None)]
    fn a_line_is_found(#[case] text: &str, #[case] steps: &[Step], #[case] expected: Option<usize>) {
        assert_eq!(line(text, steps), expected);
    }
}
