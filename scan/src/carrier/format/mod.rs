//! Config files within strings. Most hold nothing: one pass over the text tells, and only then is it parsed.

mod pairs;
mod xml;
mod yaml;

use std::borrow::Cow;

use super::Parsed;
use crate::tree::Node;

pub(super) use pairs::pairs;
pub(super) use yaml::manifest;

/// The longest text that a parser gets. Longer ones are read line by line.
const LONGEST_PARSED: usize = 1 << 20;

/// What is written for people or for browsers, and hashes that stand alone.
#[rustfmt::skip]
const NO_CONFIG: &[&str] = &[
    ".md", ".html", ".htm", ".css", ".svg", ".crt", ".cer", ".pem", ".pub", ".csv", ".map", ".min.js",
];

/// Reads a text as a config file, if it can carry a credential.
pub(super) fn read<'a>(text: &'a str, name: Option<&str>) -> Option<Parsed<'a>> {
    let name = name.unwrap_or_default();
    if NO_CONFIG.iter().any(|end| name.ends_with(end)) {
        return None;
    }
    if is_pgpass(name) {
        return Some(lines("pgpass", pgpass(text)));
    }
    let found = pairs::find(text, name);
    let parsed = !found.candidates.is_empty() || found.more || has_base64(text);
    if parsed
        && text.len() <= LONGEST_PARSED
        && let Some(parsed) = parse(text, name)
    {
        return Some(parsed);
    }
    let mut members = pairs::members(text, found.candidates);
    if members.is_empty() && found.commands {
        members = commands(text);
    }
    (!members.is_empty()).then(|| lines(line_format(name, text), members))
}

type Member<'a> = (Cow<'a, str>, Node<'a>);

fn lines<'a>(format: &'static str, members: Vec<Member<'a>>) -> Parsed<'a> {
    Parsed {
        format,
        documents: vec![Node::Object(members)],
    }
}

/// How long a value must be to be looked at for what it decodes to.
const LONG: usize = 40;

/// A long run of the base64 alphabet with both cases and digits in it. A path or a digest is none.
fn has_base64(text: &str) -> bool {
    /// For each byte, a bit for its class; nothing ends a run.
    const CLASSES: [u8; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 128 {
            table[byte as usize] = match byte {
                b'a'..=b'z' => 1,
                b'A'..=b'Z' => 2,
                b'0'..=b'9' => 4,
                b'+' | b'=' => 8,
                _ => 0,
            };
            byte += 1_u8;
        }
        table
    };
    let (mut length, mut classes) = (0, 0_u8);
    text.bytes().any(|byte| {
        let class = CLASSES[usize::from(byte)];
        if class == 0 {
            (length, classes) = (0, 0);
            return false;
        }
        length += 1;
        classes |= class;
        length >= LONG && classes & 7 == 7
    })
}

/// The text by a real parser, if its name or its beginning says which.
fn parse<'a>(text: &'a str, name: &str) -> Option<Parsed<'a>> {
    let parsed = |format, documents: Option<Vec<Node<'a>>>| documents.map(|documents| Parsed { format, documents });
    let start = text.trim_start();
    let kind = by_name(name);
    if matches!(kind, None | Some("json" | "yaml"))
        && start.starts_with(['{', '['])
        && let Some(parsed) = parsed("json", json(text))
    {
        return Some(parsed);
    }
    if start.starts_with("<?xml") || (start.starts_with('<') && matches!(kind, None | Some("xml"))) {
        return parsed("xml", xml::read(text).map(|document| vec![document]));
    }
    if (kind == Some("toml") || (kind.is_none() && text.contains(" = \"")))
        && let Ok(document) = toml::from_str(text)
    {
        return parsed("toml", Some(vec![document]));
    }
    if kind == Some("yaml") || (kind.is_none() && yaml::is_likely(text)) {
        return parsed("yaml", yaml::read(text));
    }
    None
}

/// JSON, or a line of JSON each.
fn json(text: &str) -> Option<Vec<Node<'_>>> {
    if let Ok(document) = serde_json::from_str(text) {
        return Some(vec![document]);
    }
    let documents: Result<Vec<Node<'_>>, _> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(serde_json::from_str)
        .collect();
    documents.ok().filter(|documents| documents.len() > 1)
}

/// What the ends of files' names say of their format.
const KINDS: &[(&str, &str)] = &[
    (".properties", "properties"),
    (".env", "env"),
    (".ini", "ini"),
    (".cnf", "ini"),
    (".cfg", "ini"),
    (".pypirc", "ini"),
    (".toml", "toml"),
    (".yaml", "yaml"),
    (".yml", "yaml"),
    (".json", "json"),
    (".xml", "xml"),
    (".hcl", "hcl"),
    (".tf", "hcl"),
    (".tfvars", "hcl"),
    (".npmrc", "npmrc"),
    (".php", "php"),
    (".lua", "lua"),
    (".conf", "conf"),
];

fn by_name(name: &str) -> Option<&'static str> {
    KINDS.iter().find(|(end, _)| name.ends_with(end)).map(|(_, kind)| *kind)
}

/// What a file of lines is called in a location.
fn line_format(name: &str, text: &str) -> &'static str {
    let start = text.trim_start();
    by_name(name).unwrap_or(if start.starts_with(['{', '"']) {
        "json"
    } else if start.starts_with("<?xml") {
        "xml"
    } else if start.starts_with('[') {
        "ini"
    } else if yaml::is_likely(text) {
        "yaml"
    } else {
        "properties"
    })
}

fn is_pgpass(name: &str) -> bool {
    name.ends_with("pgpass") || name.ends_with("pgpass.conf")
}

/// `host:port:database:user:password`, a line each. A colon in a field has a backslash before it.
fn pgpass(text: &str) -> Vec<Member<'_>> {
    let entries = text.lines().filter(|line| !line.starts_with('#'));
    entries
        .filter_map(|line| {
            let line = line.trim_end();
            let mut last = b' ';
            let mut ends = line.bytes().enumerate().filter_map(|(at, byte)| {
                let end = byte == b':' && last != b'\\';
                last = byte;
                end.then_some(at)
            });
            let start = ends.nth(3)? + 1;
            Some((Cow::Borrowed("password"), Node::String(Cow::Borrowed(&line[start..]))))
        })
        .collect()
}

/// What commands of a script that has no sign of one take as passwords.
fn commands(text: &str) -> Vec<Member<'_>> {
    super::command::script(text)
        .into_iter()
        .map(|pair| (pair.name, Node::String(pair.value)))
        .collect()
}
