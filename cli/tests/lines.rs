//! The line and the column of what is found.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: a panic is how a test fails"
)]

mod support;

use rstest::rstest;
use serde_json::json;
use support::{Folder, password};

/// Where `SECRET` stands in a text: document, line, column, and the pointer to it.
type Expected<'a> = (usize, usize, usize, &'a str);

#[rstest]
#[case::comments("# one\n\n# two\npassword: SECRET # three\n", (0, 4, 11, "/password"))]
#[case::single_quotes("a: b\npassword:   'SECRET'\n", (0, 2, 13, "/password"))]
#[case::flow("{a: [1, 2],\n   password: \"SECRET\"}\n", (0, 2, 14, "/password"))]
#[case::flow_in_block("a:\n- {b: c, password: SECRET}\n", (0, 2, 20, "/a/0/password"))]
#[case::value_on_the_next_line("password:\n  SECRET\n", (0, 2, 3, "/password"))]
#[case::documents("a: 1\n---\nb: 2\n---\npassword: SECRET\n", (2, 5, 11, "/password"))]
#[case::empty_documents("---\n---\n# nothing\n---\npassword: SECRET\n", (2, 5, 11, "/password"))]
#[case::document_end("a: 1\n...\n---\npassword: SECRET\n...\n", (1, 4, 11, "/password"))]
#[case::crlf("a: 1\r\nb: |\r\n  c\r\n  d\r\npassword: SECRET\r\n", (0, 5, 11, "/password"))]
#[case::byte_order_mark("\u{feff}password: SECRET\n", (0, 1, 11, "/password"))]
#[case::wide_characters("a: {ü: 'ñ→', password: SECRET}\n", (0, 1, 24, "/a/password"))]
#[case::escaped_key("a/b~c: {password: SECRET}\n", (0, 1, 19, "/a~1b~0c/password"))]
#[case::literal("password: |\n  SECRET\n", (0, 2, 3, "/password"))]
#[case::literal_stripped("a:\n  password: |-  # why\n    SECRET\n", (0, 3, 5, "/a/password"))]
#[case::folded("password: >-\n  SECRET\n", (0, 2, 3, "/password"))]
#[case::double_quoted_over_lines("a: \"b\n  c\"\npassword: \"SECRET\"\n", (0, 3, 11, "/password"))]
#[case::tag("password: !!str SECRET\n", (0, 1, 17, "/password"))]
#[case::explicit_key("? password\n: SECRET\n", (0, 2, 3, "/password"))]
#[case::sequence_without_indentation("a:\n- b\n- password: SECRET\n", (0, 3, 13, "/a/1/password"))]
#[case::json("{\n\t\"a\": [1, {\"b\": \"\\\"}\"}],\n\t\"password\": \"SECRET\"\n}\n", (0, 3, 14, "/password"))]
#[case::compact_json("{\"a\":{\"b\":[],\"c\":{}},\"password\":\"SECRET\"}", (0, 1, 33, "/password"))]
#[case::json_lines("{\"a\": 1}\n{\"password\": \"SECRET\"}\n", (1, 2, 14, "/password"))]
#[case::not_quite_json("{\"a\": 1, # one\n\"password\": \"SECRET\",}\n", (0, 2, 13, "/password"))]
fn a_finding_is_where_it_stands(#[case] text: &str, #[case] expected: Expected<'_>) {
    let secret = password(20);
    let folder = Folder::new();
    folder.file("file.yaml", text.replace("SECRET", &secret));
    let (code, findings) = folder.findings(&["file.yaml"]);
    assert_eq!((code, findings.len()), (1, 1), "{findings:?}");
    let found = &findings[0];
    let (document, line, column, pointer) = expected;
    assert_eq!(
        [&found["document"], &found["line"], &found["column"], &found["pointer"]],
        [&json!(document), &json!(line), &json!(column), &json!(pointer)]
    );
}

/// Files within a `ConfigMap`: the text of its entry, and the line of the secret in that.
#[rstest]
#[case::properties("app.properties", "\n# one\ndb.user=a\ndb.password=SECRET\n", 4)]
#[case::yaml("app.yaml", "a: {b: c}\ndb:\n  password: SECRET\n", 3)]
#[case::yaml_documents("app.yaml", "a: b\n---\nc:\n- password: SECRET\n", 4)]
#[case::json("app.json", "{\n  \"db\": {\n    \"password\": \"SECRET\"\n  }\n}\n", 3)]
#[case::ini("app.ini", "[a]\nb = c\n[db]\npassword = SECRET\n", 4)]
#[case::env("app.env", "A=b\nexport DB_PASSWORD=SECRET\n", 2)]
#[case::script("run.sh", "#!/bin/sh\nset -e\nexport DB_PASSWORD=SECRET\n", 3)]
fn a_finding_in_a_file_in_a_config_map_has_its_own_line(#[case] name: &str, #[case] file: &str, #[case] line: usize) {
    let secret = password(24);
    let indented: String = file.lines().flat_map(|line| ["    ", line, "\n"]).collect();
    let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  {name}: |\n{indented}");
    let folder = Folder::new();
    folder.file("map.yaml", text.replace("SECRET", &secret));
    let (code, findings) = folder.findings(&["map.yaml"]);
    assert_eq!((code, findings.len()), (1, 1), "{findings:?}");
    assert_eq!(findings[0]["line"], 5 + line, "{findings:?}");
}

#[test]
fn an_alias_is_where_its_anchor_is() {
    let folder = Folder::new();
    folder.file(
        "file.yaml",
        format!("a: &a\n  password: {}\nb: *a\nc:\n  <<: *a\n  d: e\n", password(21)),
    );
    let (_, findings) = folder.findings(&["file.yaml"]);
    let places: Vec<_> = findings
        .iter()
        .map(|found| (found["pointer"].as_str().unwrap(), &found["line"]))
        .collect();
    let two = json!(2);
    assert_eq!(
        places,
        [("/a/password", &two), ("/b/password", &two), ("/c/password", &two)]
    );
}

#[test]
fn what_is_merged_in_gives_way() {
    let folder = Folder::new();
    let text = format!(
        "a: &a {{password: '${{PASSWORD}}'}}\nb:\n  password: {}\n  <<: [*a, *a]\n",
        password(22)
    );
    folder.file("file.yaml", text);
    let (_, findings) = folder.findings(&["file.yaml"]);
    assert_eq!(
        (findings.len(), &findings[0]["pointer"], &findings[0]["line"]),
        (1, &json!("/b/password"), &json!(3))
    );
}

#[test]
fn aliases_that_stand_for_too_much_are_not_followed() {
    let level = |level: usize| {
        let below = level
            .checked_sub(1)
            .map_or("x".to_owned(), |below| format!("*a{below}"));
        format!("a{level}: &a{level} [{}]\n", [below.as_str(); 10].join(", "))
    };
    let bomb: String = (0..12).map(level).collect();
    let folder = Folder::new();
    folder.file("bomb.yaml", bomb);
    let run = folder.run(&["scan", "bomb.yaml"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("its aliases stand for too much"), "{}", run.err);
}

#[test]
fn deep_nesting_is_refused_and_not_run_into() {
    let folder = Folder::new();
    folder
        .file("deep.json", "[".repeat(200_000))
        .file("deep.yaml", "- ".repeat(200_000));
    for file in ["deep.json", "deep.yaml"] {
        assert_eq!(folder.run(&["scan", file]).code, 2, "{file}");
    }
}

#[test]
fn utf_16_is_read_as_kubectl_reads_it() {
    let folder = Folder::new();
    let text = format!("\u{feff}password: {}\n", password(23));
    folder
        .file(
            "little.yaml",
            text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
        )
        .file(
            "big.yaml",
            text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>(),
        )
        .file("latin.yaml", [b"# \xe4\n".as_slice(), &text.as_bytes()[3..]].concat());
    for file in ["little.yaml", "big.yaml"] {
        assert_eq!(folder.findings(&[file]).0, 1, "{file}");
    }
    let run = folder.run(&["scan", "-o", "json", "latin.yaml"]);
    assert_eq!(
        (run.code, run.err.as_str()),
        (2, "error: latin.yaml: it is not UTF-8\n")
    );
}
