//! Whether the tables in front of these tests hold: each section has a row, and each row a test that is there and names the section.

use std::collections::BTreeMap;
use std::path::Path;

/// The sections that ask for something.
const SECTIONS: [(&str, &str); 2] = [
    (
        "RFC 9700",
        "2.1 2.1.1 2.1.2 2.2.1 2.2.2 2.3 2.4 2.5 2.6 4.1 4.2 4.3 4.4 4.5 4.6 4.7 4.8 4.9 4.10 4.11 4.12 4.13 4.14 4.15 4.16 4.17",
    ),
    ("RFC 8725", "3.1 3.2 3.3 3.4 3.5 3.6 3.7 3.8 3.9 3.10 3.11 3.12"),
];

/// The tests in a folder: their names, with what stands in front of them.
fn tests(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let mut before = String::new();
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                let declared = line.trim_start_matches("async ").strip_prefix("fn ");
                if let Some((name, _)) = declared.and_then(|rest| rest.split_once('(')) {
                    found.insert(name.to_owned(), std::mem::take(&mut before));
                } else if line.starts_with("///") {
                    before.push_str(line);
                } else if !line.starts_with("#[") {
                    before.clear();
                }
            }
        }
    }
}

/// Whether a test says in its name, or in front of it, that it is about a section.
fn is_about(name: &str, before: &str, rfc: &str, section: &str) -> bool {
    let number = rfc.trim_start_matches("RFC ");
    let name = name
        .replace("_and_", " ")
        .replace(&format!("{number}_"), " ")
        .replace('_', ".");
    let is_inside = |byte: u8| byte.is_ascii_digit();
    [name.as_str(), before].into_iter().any(|text| {
        text.match_indices(section).any(|(at, _)| {
            let (left, right) = (&text.as_bytes()[..at], &text.as_bytes()[at + section.len()..]);
            !left.last().is_some_and(|byte| is_inside(*byte) || *byte == b'.')
                && !right.first().is_some_and(|byte| is_inside(*byte))
        })
    })
}

#[test]
fn each_section_has_a_test_that_names_it() {
    let mut all = BTreeMap::new();
    for folder in ["tests", "../identity/tests"] {
        tests(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut all);
    }
    let mut rows: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    let mut rfc = "";
    for line in include_str!("main.rs").lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["//!", first, _, shown, ""] = cells[..] {
            if first.starts_with("RFC") {
                rfc = first;
            } else if first != "---" {
                rows.insert((rfc, first), shown.split('`').skip(1).step_by(2).collect());
            }
        }
    }
    for (rfc, sections) in SECTIONS {
        for section in sections.split(' ') {
            let named = rows.remove(&(rfc, section)).unwrap_or_default();
            for name in &named {
                assert!(
                    all.contains_key(*name),
                    "{rfc} section {section}: there is no test {name}"
                );
            }
            let shown = named.iter().any(|name| is_about(name, &all[*name], rfc, section));
            assert!(
                shown,
                "no test in the table says that it is about {rfc} section {section}"
            );
        }
    }
    assert!(rows.is_empty(), "rows of no section: {rows:?}");
}
