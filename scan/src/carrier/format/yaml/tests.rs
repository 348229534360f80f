//! What is built from events is what the deserializer makes of the same text.

use proptest::prelude::*;
use rstest::rstest;

use super::plain::{self, Unread};
use super::{DEEPEST, documents, options};
use crate::tree::{Node, Number};

fn reference(text: &str) -> Option<Vec<Node<'_>>> {
    serde_saphyr::from_multiple_with_options(text, options(DEEPEST)).ok()
}

#[rstest]
#[case("a: 1\nb: [x, {c: d}]\n- e\n", None)]
#[case("a:\n- b\n- c: d\n  e: |\n    f\n    g\n---\n[]\n...\n", Some(2))]
#[case("a: >-\n  folded\n  text\n\"b\\n\": 'it''s'\n? c\n: d\n", Some(1))]
#[case("", Some(0))]
#[case("---\n~\n---\nnull\n---\n''\n", Some(1))]
#[case("\u{feff}a: b\n", Some(1))]
#[case("%YAML 1.2\n---\na: b\n", Some(1))]
#[case("a: b\na: c\n", Some(1))]
#[case("1: b\n0x1: c\n1: d\n", Some(1))]
#[case("true: b\n1.5: c\n", Some(1))]
#[case("a: 'b\n", None)]
#[case("a: b\n  - c\n", Some(1))]
#[case("a: b\n- c\n", None)]
fn usual_yaml_is_built_alone(#[case] text: &str, #[case] count: Option<usize>) {
    let built = plain::read(text, DEEPEST);
    assert_ne!(built, Err(Unread::Unusual), "{text}");
    assert_eq!(built.as_ref().ok().map(Vec::len), count, "{text}");
    assert_eq!(built.ok(), reference(text), "{text}");
}

#[rstest]
#[case("a: &x {b: c}\nd: *x\n")]
#[case("a: !!str 1\n")]
#[case("!x a: b\n")]
#[case("<<: {a: b}\nc: d\n")]
#[case("a: .inf\n")]
#[case("a: 1e999\n")]
#[case("a: 0xff\n")]
#[case("a: 1_000\n")]
#[case("a: {{ .Values.x }}\n")]
#[case("~: a\n")]
#[case(": a\n")]
#[case("? {a: b}\n: c\n")]
#[case("? [a]\n: c\n")]
fn the_deserializer_is_asked_for_the_rest(#[case] text: &str) {
    assert_eq!(plain::read(text, DEEPEST), Err(Unread::Unusual), "{text}");
    assert_eq!(documents(text, DEEPEST), reference(text), "{text}");
}

#[test]
fn the_limits_are_the_same() {
    for (inside, beyond) in [
        ("[".repeat(40) + &"]".repeat(40), "[".repeat(41) + &"]".repeat(41)),
        ("- ".repeat(40) + "a", "- ".repeat(41) + "a"),
        ("- x\n".repeat(199_999), "- x\n".repeat(200_000)),
        ("--- x\n".repeat(1000), "--- x\n".repeat(1001)),
    ] {
        assert!(plain::read(&inside, DEEPEST).is_ok() && reference(&inside).is_some());
        assert_eq!(plain::read(&beyond, DEEPEST), Err(Unread::Broken));
        assert_eq!(reference(&beyond), None);
    }
}

/// Of two members of the same name both are there: the one that does not count is a secret all the same.
#[test]
fn no_member_hides_another() {
    for end in ["x: d\n", "x: &x d\n"] {
        let text = format!("1: a\npassword: hunter2\npassword: b\n{end}");
        let documents = documents(&text, DEEPEST).unwrap();
        let values: Vec<_> = documents[0].members().iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, [Some("a"), Some("hunter2"), Some("b"), Some("d")]);
    }
}

#[test]
fn a_large_whole_number_is_one() {
    let text = "[9223372036854775807, -9223372036854775808, +5, -0]";
    let expected = [i64::MAX, i64::MIN, 5, 0].map(|number| Node::Number(Number::Integer(number)));
    assert_eq!(documents(text, DEEPEST).unwrap()[0].items(), expected);
}

/// Parts of YAML, in an order that mostly means something.
const PARTS: &str = "(\n|\n  |\n    |\n- |\n  - |a|b|: |key: |'|\"|\\[|\\]|\\{|\\}|, |\\||>-|#| # |---\n|\\.\\.\\.\n|&a |\\*a|!!str |<<: |\\? |%|é|\t|\r\n|~|null|1|\\\\|\\\\n)";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_read_as_by_the_deserializer(parts in prop::collection::vec(PARTS, 0..24)) {
        let text = parts.concat();
        prop_assert_eq!(documents(&text, DEEPEST), reference(&text));
    }

    #[test]
    fn any_lines_are_read_as_by_the_deserializer(
        lines in prop::collection::vec("( |  |    )?(- )?([a-c]{1,3}: ?)?([a-z]{0,4}|'[a-z ]{0,4}'|\"[a-z\\\\n]{0,4}\"|\\|-?|>|\\[a, [0-9]\\]|\\{a: b\\}|[0-9]{1,3})", 0..10)
    ) {
        let text = lines.join("\n");
        prop_assert_eq!(documents(&text, DEEPEST), reference(&text));
    }

    #[test]
    fn any_scalar_is_what_the_deserializer_makes_of_it(
        scalar in "[+-]{0,2}[0-9._exobXOBinfaINFA~-]{0,8}|[0-9]{15,22}|[+-]?[0-9]{1,4}[.][0-9]{0,3}(e[+-]?[0-9]{1,3})?|(?i:true|false|yes|no|on|off|y|n|null|nan|inf|infinity)"
    ) {
        let text = format!("- {scalar}\n- x: {scalar}\n- {scalar}: x\n");
        prop_assert_eq!(documents(&text, DEEPEST), reference(&text));
    }
}
