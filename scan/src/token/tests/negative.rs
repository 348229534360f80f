//! What is no token.

use super::super::alphabet::{Alphabet, BASE62, HEX};
use super::super::shape::{Part, Shape};
use super::super::testing::{draw, shapes, unsealed};
use super::{denied, hits, rounds};

/// Whether more characters of the alphabet can follow on the last part.
fn last_run(shape: &Shape) -> Option<(Alphabet, usize, usize)> {
    match shape.parts.last() {
        Some(Part::Run(alphabet, least, most)) => Some((*alphabet, *least, *most)),
        _ => None,
    }
}

/// Other forms of the same literal may have the length that one must not.
fn only_form(literal: &str) -> bool {
    shapes().filter(|(other, _)| *other == literal).count() == 1
}

#[test]
fn leaves_what_is_too_short_or_too_long_or_of_other_characters() {
    for mut rng in rounds() {
        for (literal, shape) in shapes() {
            let token = unsealed(&mut rng, literal, shape);
            if let Some((alphabet, least, most)) = last_run(shape)
                && only_form(literal)
            {
                let run = alphabet
                    .run(&token.bytes().rev().collect::<Vec<_>>(), 0, usize::MAX)
                    .min(most);
                let stem = &token[..token.len() - run];
                for length in [least - 1, most + 1] {
                    let last: String = draw(&mut rng, alphabet, length);
                    let text = format!("{stem}{last}");
                    assert_eq!(denied(&text, None), [], "{literal} with {length} characters at its end");
                }
            }
            let middle = token.find(literal).unwrap() + literal.len();
            if middle < token.len() {
                let text = format!("{}!{}", &token[..middle], &token[middle + 1..]);
                assert_eq!(hits(&text, None), [], "{literal} with another character");
            }
        }
    }
}

#[test]
fn leaves_what_is_glued_to_a_word() {
    for mut rng in rounds() {
        for (literal, shape) in shapes() {
            let token = unsealed(&mut rng, literal, shape);
            for glue in ["x", "_", "7", "Z"] {
                let longer = shape.before.is_some_and(|(_, least, most)| least != most);
                if !longer {
                    assert_eq!(hits(&format!("{glue}{token}"), None), [], "{literal} behind {glue}");
                }
                let whole = match shape.parts.last() {
                    Some(Part::Run(_, least, most)) => least == most,
                    Some(Part::Padding) => false,
                    _ => true,
                };
                if whole && only_form(literal) {
                    assert_eq!(hits(&format!("{token}{glue}"), None), [], "{literal} before {glue}");
                }
            }
        }
    }
}

#[test]
fn leaves_what_is_public_by_design() {
    for mut rng in rounds() {
        let text = draw(&mut rng, BASE62, 99);
        let hex = draw(&mut rng, HEX, 32);
        let public = [
            format!("pk_live_{text}"),
            format!("pk_test_{text}"),
            format!("https://{hex}@o1.ingest.sentry.io/2"),
            format!("sb_publishable_{}", &text[..31]),
            format!("phc_{}", &text[..43]),
            format!("sha256:{hex}{hex}"),
            format!("registry.example/image@sha256:{hex}{hex}"),
        ];
        for text in &public {
            assert_eq!(hits(text, None), [], "{}", &text[..8]);
        }
        for name in ["DATADOG_SITE_ID", "SNYK_ORG_ID", "IMAGE_SHA", "CONFIG_CHECKSUM"] {
            assert_eq!(hits(&hex, Some(name)), [], "{name}");
        }
    }
}
