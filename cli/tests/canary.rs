//! What is found is never printed, nor what is next to it: neither in a report nor in an error.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: a panic is how a test fails"
)]

mod support;

use rstest::rstest;
use support::{Folder, Run, github_token, password};

/// The shortest part of a secret that would be too much.
const PART: usize = 6;

/// No output holds a secret, or a part of it.
fn is_silent(run: &Run, secret: &str) {
    for part in secret.as_bytes().windows(PART) {
        let part = std::str::from_utf8(part).unwrap();
        assert!(!run.out.contains(part) && !run.err.contains(part), "{run:?}");
    }
}

#[rstest]
#[case::value("password: SECRET\n")]
#[case::key("SECRET: {password: SECRET}\n")]
#[case::environment("- {name: TOKEN, value: SECRET}\n")]
#[case::argument("args: ['--password=SECRET', '--token', 'SECRET']\n")]
#[case::url("url: 'https://user:SECRET@example.com/'\n")]
#[case::header("headers: [{name: Authorization, value: 'Bearer SECRET'}]\n")]
#[case::block("a: |\n  password=SECRET\n  b: SECRET\n")]
#[case::secret("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {password: SECRET}\n")]
#[case::name("apiVersion: v1\nkind: SECRET\nmetadata: {name: SECRET, namespace: SECRET}\nspec: {password: b}\n")]
#[case::comment("a: b # SECRET\n")]
#[case::open_quote("password: \"SECRET\nb: c\n")]
#[case::open_bracket("password: [SECRET\n")]
#[case::bad_indent("a: b\n  password: SECRET\n")]
#[case::tab("a:\n\tpassword: SECRET\n")]
#[case::unknown_alias("password: *SECRET\n")]
#[case::bad_tag("password: !<SECRET SECRET\n")]
#[case::directive("%SECRET SECRET\npassword: SECRET\n")]
#[case::bad_escape("password: \"\\SECRET\"\n")]
#[case::complex_key("{? [SECRET] : SECRET}\n")]
#[case::broken_json("{\"password\": \"SECRET\", }}\n")]
#[case::bad_json_escape("{\"password\": \"SECRET\\x\"}\n")]
#[case::template("password: {{ \"SECRET\" | b64enc }}\n")]
#[case::open_template("password: {{ \"SECRET\"\n")]
#[case::waiver(
    "apiVersion: countersign.dev/v1alpha1\nkind: CredentialWaiver\nmetadata: {name: a}\nspec: {reason: {password: SECRET}}\n"
)]
fn a_secret_is_in_no_output(#[case] text: &str) {
    let secret = github_token(50);
    let text = text.replace("SECRET", &secret);
    let folder = Folder::new();
    folder
        .file("file.yaml", &text)
        .file("file.json", &text)
        .file("file.env", &text)
        .file("key", password(51) + &password(52));
    for name in ["file.yaml", "file.json", "file.env", "-"] {
        is_silent(&folder.run_with(&["scan", name], &text), &secret);
    }
    for output in ["human", "json", "sarif"] {
        let key = ["--fingerprint-key-file", "key"];
        let all = [
            &["scan", "-o", output, "--show-waived", "--include", "*.env"][..],
            &key,
            &["."],
        ]
        .concat();
        is_silent(&folder.run(&all), &secret);
    }
}

#[test]
fn a_terminal_is_not_controlled_by_a_manifest() {
    let folder = Folder::new();
    folder.file(
        "a\u{1b}[2Jb.yaml",
        format!("\"c\\e]0;d\\a\": {{password: {}}}\n", password(53)),
    );
    let run = folder.run(&["scan", "."]);
    assert_eq!(run.code, 1);
    assert!(!run.out.contains('\u{1b}') && !run.out.contains('\u{7}'), "{run:?}");
}
