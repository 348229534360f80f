//! What is worth a warning only.

use std::collections::BTreeSet;

use super::super::shape::Part;
use super::super::testing::{FOR_TESTS, positives, shapes, unsealed};
use super::{hits, rounds};
use crate::finding::{Mitigation, Tier};

#[test]
fn only_warns_of_a_checksum_that_does_not_fit() {
    let mut broken = BTreeSet::new();
    for mut rng in rounds() {
        for (rule, tier, token, _) in positives(&mut rng) {
            if tier != Tier::Proven || ANYWAY.contains(&rule) {
                continue;
            }
            // The last but one belongs to the checksum or to what it is over. The last can have bits that nobody reads.
            let alphanumeric = token.char_indices().rev().filter(|(_, c)| c.is_ascii_alphanumeric());
            let (at, _) = alphanumeric.clone().nth(1).unwrap();
            for other in ["a", "Q", "2"].into_iter().filter(|other| *other != &token[at..=at]) {
                let text = format!("{}{other}{}", &token[..at], &token[at + 1..]);
                let found = hits(&text, None);
                assert!(found.iter().all(|hit| hit.mitigation.is_some()), "{rule} broken");
                if found
                    .iter()
                    .any(|hit| hit.mitigation == Some(Mitigation::Unproven) && hit.tier == Tier::Shaped)
                {
                    broken.insert(rule);
                }
            }
        }
    }
    for rule in [
        "github-token",
        "npm-token",
        "gitlab-token",
        "grafana-token",
        "azure-storage-key",
        "entra-client-secret",
    ] {
        assert!(broken.contains(rule), "{rule} was not found broken");
    }
}

/// What carries something readable rather than a checksum, or whose checksum speaks only for it.
const ANYWAY: &[&str] = &[
    "1password-token",
    "aws-bedrock-key",
    "aws-registry-token",
    "azure-devops-token",
    "azure-redis-key",
    "cloudflare-tunnel-token",
    "elastic-api-key",
    "github-app-token",
    "grafana-cloud-token",
    "jfrog-reference-token",
    "paseto-token",
    "pypi-token",
    "sentry-token",
];

#[test]
fn only_warns_of_a_placeholder() {
    for (literal, shape) in shapes() {
        let fill = |parts: &[Part]| -> String {
            parts
                .iter()
                .map(|part| match *part {
                    Part::Run(alphabet, least, _) => {
                        let typed = ["x", "0", "a", "X", "q", "u", "b"];
                        let typed = typed.into_iter().find(|c| alphabet.count(c) == 1).unwrap_or("A");
                        typed.repeat(least)
                    }
                    Part::Is(text) => text.to_owned(),
                    Part::Padding => String::new(),
                })
                .collect()
        };
        let before = shape.before.map_or(0, |(_, least, _)| least);
        let text = format!("{}{literal}{}", "0".repeat(before), fill(shape.parts));
        for hit in hits(&text, None) {
            assert!(hit.mitigation.is_some(), "{literal} is not known as a placeholder");
        }
    }
}

#[test]
fn only_warns_of_what_is_for_tests() {
    for mut rng in rounds() {
        for (literal, shape) in shapes().filter(|(literal, _)| FOR_TESTS.contains(literal)) {
            let found = hits(&unsealed(&mut rng, literal, shape), None);
            assert_eq!(found.len(), 1, "{literal}");
            assert_eq!(found[0].mitigation, Some(Mitigation::Test), "{literal}");
        }
    }
}
